//! Dialects: each turns the wording and manner of one contract into values of the one model. A rule
//! that lives here lives in the wrong room.

mod decidim;
mod decidim_oauth;
mod trompa;

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use castellan_gate::Rules;
use castellan_proto::scope::ScopePattern;

use crate::{config::Dialect, wire};

pub(crate) use decidim::routes as decidim_routes;
pub(crate) use decidim_oauth::routes as oauth_routes;
pub(crate) use trompa::routes as trompa_routes;

/// The rules of a guard that speaks `dialect`, before its own settings.
pub(crate) fn rules(dialect: Option<Dialect>) -> Rules {
    let plain = Rules { aliases: aliases(), ..Rules::default() };
    match dialect {
        None => plain,
        Some(Dialect::Decidim) => decidim::rules(plain),
        Some(Dialect::Trompa) => trompa::rules(plain),
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
