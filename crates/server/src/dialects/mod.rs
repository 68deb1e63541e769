//! Dialects: each turns the wording and manner of one contract into values of the one model. A rule
//! that lives here lives in the wrong room.

mod decidim;
mod decidim_oauth;
mod trompa;

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{Router, http::HeaderMap};
use castellan_gate::{Naming, Rules, SessionField};
use castellan_issuer::{
    Issuer,
    machine::{api_key::KeyTokens, machine_user::MachineTokens},
};
use castellan_proto::scope::ScopePattern;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::wire;

/// One contract: what differs from our own, as values. A new one is a file and a line of the roster.
pub struct Dialect {
    /// What it is called, in `dialect` of a guard if guards can speak it.
    pub(crate) name: &'static str,
    /// How guards speak it; none if it has endpoints alone.
    pub(crate) guards: Option<GuardDialect>,
    /// Its endpoints at a site.
    pub(crate) routes: fn(&Site<'_>) -> Router,
    /// Those of its endpoints that pages of every origin may call.
    pub(crate) open: &'static [&'static str],
    /// The paths that no guard may be at or below.
    pub(crate) claims: &'static [&'static str],
}

/// How guards speak a dialect.
pub(crate) struct GuardDialect {
    /// The rules, made of the plain ones.
    pub(crate) rules: fn(Rules) -> Rules,
    /// How the names of mutations are read unless a guard says so.
    pub(crate) naming: Naming,
    /// Who answers `session` unless a guard says so.
    pub(crate) session: SessionField,
    /// Whose JWTs of a shared secret are read.
    pub(crate) jwt: JwtOf,
    /// The path of a guard that answers at `/` as well unless it says so.
    pub(crate) at_root: Option<&'static str>,
}

/// Whose JWTs of a shared secret a guard reads. One shape, one kind: never both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum JwtOf {
    /// Those of API keys.
    Keys,
    /// Those of machine users.
    Machines,
}

/// What the endpoints of dialects are made of at one site.
pub(crate) struct Site<'a> {
    /// Its issuer.
    pub(crate) issuer: &'a Issuer,
    /// What trades API keys, if there is a secret for it.
    pub(crate) keys: Option<&'a Arc<KeyTokens>>,
    /// What signs machine users in, if there is a secret for it.
    pub(crate) machines: Option<&'a Arc<MachineTokens>>,
    /// The authorization endpoint at a path of the dialect's own.
    pub(crate) authorization: &'a dyn Fn(&str) -> Router,
}

/// Every dialect that is spoken.
pub(crate) const ROSTER: &[&Dialect] =
    &[&decidim::DIALECT, &decidim_oauth::DIALECT, &trompa::DIALECT];

/// The dialect of guards that is called `name`.
pub(crate) fn named(name: &str) -> Option<&'static Dialect> {
    ROSTER.iter().copied().find(|dialect| dialect.guards.is_some() && dialect.name == name)
}

/// The rules of a guard that speaks `dialect`, before its own settings.
pub(crate) fn rules(dialect: Option<&Dialect>) -> Rules {
    let plain = Rules { aliases: aliases(), ..Rules::default() };
    match dialect.and_then(|dialect| dialect.guards.as_ref()) {
        None => plain,
        Some(guards) => (guards.rules)(plain),
    }
}

/// Everything that the dialects answer at `site`.
pub(crate) fn routes(site: &Site<'_>) -> Router {
    ROSTER.iter().fold(Router::new(), |routes, dialect| routes.merge((dialect.routes)(site)))
}

/// The endpoints that pages of every origin may call.
pub(crate) fn open() -> impl Iterator<Item = &'static str> {
    ROSTER.iter().flat_map(|dialect| dialect.open).copied()
}

/// The paths that no guard may be at or below.
pub(crate) fn claims() -> impl Iterator<Item = &'static str> {
    ROSTER.iter().flat_map(|dialect| dialect.claims).copied()
}

impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl<'de> Deserialize<'de> for &'static Dialect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        named(&name).ok_or_else(|| {
            let guards = ROSTER.iter().filter(|dialect| dialect.guards.is_some());
            let names: Vec<_> = guards.map(|dialect| format!("`{}`", dialect.name)).collect();
            let names = names.join(" or ");
            D::Error::custom(format!("unknown variant `{name}`, expected {names}"))
        })
    }
}

/// What `api:read` and `api:write` stand for, unless a guard says otherwise.
fn aliases() -> BTreeMap<String, Vec<ScopePattern>> {
    [("api:read", "Query:*"), ("api:write", "Mutation:*")]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), patterns(&[text])))
        .collect()
}

/// Patterns that are written in this code.
fn patterns(texts: &[&str]) -> Vec<ScopePattern> {
    texts.iter().filter_map(|text| ScopePattern::try_from((*text).to_owned()).ok()).collect()
}

/// The token of the one `Authorization: Bearer`, the scheme in any letter case (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    wire::bearer::token(headers).ok()
}

#[cfg(test)]
mod tests {
    use super::{ROSTER, claims, named};

    #[test]
    fn every_dialect_has_a_name_and_paths_of_its_own() {
        for (at, dialect) in ROSTER.iter().enumerate() {
            assert!(ROSTER[..at].iter().all(|other| other != dialect), "{dialect:?} twice");
            assert_eq!(named(dialect.name).is_some(), dialect.guards.is_some(), "{dialect:?}");
        }
        let claims: Vec<_> = claims().collect();
        for (at, claim) in claims.iter().enumerate() {
            assert!(!claims[..at].contains(claim), "{claim} is claimed twice");
        }
    }
}
