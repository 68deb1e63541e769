//! Dialects: each turns the wording and manner of one contract into values of the one model. A rule
//! that lives here lives in the wrong room.

mod decidim;
mod ibexa;
mod trompa;

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Response, StatusCode},
};
use castellan_gate::{Caller, Naming, Rules, SessionField};
use castellan_issuer::{
    Issuer,
    machine::{api_key::KeyTokens, machine_user::MachineTokens},
    records::TokenProfile,
    session::browser::{Browser, SignedIn},
};
use castellan_proto::{Opaque, scope::ScopePattern};

use crate::wire;

/// How the names of session cookies begin that guards of dialects have.
pub(crate) const SESSION_COOKIES: [&str; 1] = ["IBX_SESSION_ID"];

pub use crate::wire::{
    guard_refusal::{Asked, GuardRefusal},
    session_cookie::SessionCookie,
};

/// One contract: what differs from our own, as values. A new one is a file and a line of the roster.
pub struct Dialect {
    /// The name of the dialect, in `dialect` of a guard or of a `Client` document.
    pub name: &'static str,
    /// How guards speak it; none if they do not.
    pub guards: Option<GuardDialect>,
    /// The settings of its clients; `None` if the dialect has no clients.
    pub client: Option<ClientDialect>,
    /// Its endpoints at a site.
    pub routes: fn(&Site<'_>) -> Router,
    /// Those of its endpoints that pages of every origin may call.
    pub open: &'static [&'static str],
    /// The paths that no guard may be at or below.
    pub claims: &'static [&'static str],
    /// How a request is refused at one of its endpoints before that sees it, with this status and this
    /// text; `None` at paths whose errors are those of OAuth.
    pub refusal: fn(&str, StatusCode, &str) -> Option<Response<Body>>,
}

/// How guards speak a dialect.
pub struct GuardDialect {
    /// The rules, made of the plain ones.
    pub rules: fn(Rules) -> Rules,
    /// How the names of mutations are read unless a guard sets it.
    pub naming: Naming,
    /// Who answers `session` unless a guard sets it.
    pub session: SessionField,
    /// Whose JWTs are read, besides access tokens.
    pub jwt: JwtOf,
    /// Whose names and passwords are read in `Authorization: Basic`.
    pub basic: BasicOf,
    /// Whether guards of APIs that are not GraphQL speak it.
    pub http: bool,
    /// The path at which a guard also answers at `/` unless it sets `at_root`.
    pub at_root: Option<&'static str>,
    /// How people are known by their session, where a guard takes sessions.
    pub sessions: SessionsOf,
    /// Whether `X-HTTP-Method-Override` changes the method of a POST at its http guards.
    pub method_override: bool,
    /// Whether a request at its http guards may name in `X-Expected-User` whom it is meant for.
    pub expected_user: bool,
    /// Its endpoints below the paths of its http guards.
    pub endpoints: Option<Endpoints>,
    /// How its http guards word a refusal of a request with these headers; without it, as a problem
    /// document.
    pub refusal: Option<fn(&GuardRefusal, &HeaderMap) -> Response<Body>>,
}

/// How people are known by their session.
#[derive(Clone, Copy)]
pub enum SessionsOf {
    /// Not at all.
    Nobody,
    /// By the cookies of the pages, beside a header that says that a page means the request.
    Pages,
    /// By a cookie of the SiteAccess, or by those of the pages, and for unsafe methods with a token.
    SiteAccess {
        /// The cookie's name, made of that of the SiteAccess and of what is configured for it.
        cookie_name: fn(&str, Option<&str>) -> String,
        /// Whether guards take sessions where nobody sets how callers authenticate; others take access
        /// tokens.
        by_default: bool,
    },
}

/// The endpoints of a dialect below the path of an http guard. Paths are relative to that, and mean
/// what is below them as well.
pub struct Endpoints {
    /// The paths that they answer; the API behind the guard is never asked for them.
    pub paths: &'static [&'static str],
    /// Those at which they check CSRF tokens themselves.
    pub check_tokens: &'static [&'static str],
    /// Those that callers reach without a credential.
    pub open: &'static [&'static str],
    /// Those at which people get a token for their password.
    pub create_tokens: &'static [&'static str],
    /// Whether a request of this method for this path ends the session of its sender: that may do
    /// whoever has one, although they may not sign in there any more.
    pub ends_session: fn(&http::Method, &str) -> bool,
    /// What answers. Each request has an [`Admitted`] among its extensions.
    pub routes: fn(&Area<'_>) -> Router,
}

/// The guard that endpoints are below.
pub struct Area<'a> {
    /// The site's issuer.
    pub issuer: &'a Issuer,
    /// The path of the guard.
    pub path: &'a str,
    /// Whether the guard takes sessions.
    pub has_sessions: bool,
    /// Whether people get JWTs there for their password.
    pub creates_tokens: bool,
}

impl Area<'_> {
    /// The whole path of `below`.
    fn at(&self, below: &str) -> String {
        format!("{}{below}", self.path)
    }
}

/// What is known of a request that was let in.
#[derive(Clone)]
pub struct Admitted {
    /// The SiteAccess that it is for (`docs/contracts/ibexa.md` §7).
    pub site_access: Arc<str>,
    /// The cookie of sessions there.
    pub cookie: Arc<SessionCookie>,
    /// The sender's session, where the guard takes sessions.
    pub session: Option<Arc<OpenSession>>,
    /// The sender.
    pub caller: Caller,
}

impl Admitted {
    /// The cookie of sessions of the pages.
    fn pages_cookie(&self) -> SessionCookie {
        SessionCookie::host_only(wire::request::SESSION.to_owned(), self.cookie.secure)
    }
}

/// A session that a request showed.
pub struct OpenSession {
    /// Whose it is.
    pub signed_in: SignedIn,
    /// How it was shown.
    pub shown: ShownSession,
}

/// How a session is shown.
pub enum ShownSession {
    /// By the cookie of the SiteAccess.
    Own(Opaque),
    /// By the cookies of the pages.
    Pages(Browser),
}

impl OpenSession {
    /// What clients name it by: the value of its cookie, or of a session of the pages the name that apps
    /// know, as scripts must not read the cookie of the pages.
    pub(crate) fn identifier(&self) -> String {
        match &self.shown {
            ShownSession::Own(cookie) => cookie.text(),
            ShownSession::Pages(_) => self.signed_in.sid().unwrap_or_default().to_owned(),
        }
    }
}

/// What sets the apps of a dialect apart, for `castellan client add --dialect`. The rules of their
/// documents and tokens are those of the profile.
pub struct ClientDialect {
    /// What their tokens look like; the profile's own dialect is what documents name.
    pub profile: TokenProfile,
    /// An app must say whether it is public or confidential.
    pub names_type: bool,
    /// An app gets refresh tokens unless it says otherwise.
    pub refreshes: bool,
}

/// Whose JWTs a guard that lists `jwt` reads. One shape, one kind: never two of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JwtOf {
    /// Those of API keys.
    Keys,
    /// Those of machine users.
    Machines,
    /// Those that people get for their password.
    People,
    /// None are read.
    Nobody,
}

/// Whose names and passwords a guard that lists `basic` reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BasicOf {
    /// Those of clients.
    Clients,
    /// Those of people.
    People,
}

/// What the endpoints of dialects are made of at one site.
pub struct Site<'a> {
    /// The site's issuer.
    pub issuer: &'a Issuer,
    /// What trades API keys, if there is a secret for it.
    pub keys: Option<&'a Arc<KeyTokens>>,
    /// What signs machine users in, if there is a secret for it.
    pub machines: Option<&'a Arc<MachineTokens>>,
    /// The authorization endpoint at a path of the dialect's own.
    pub authorization: &'a dyn Fn(&str) -> Router,
}

/// Every dialect of Castellan.
const ROSTER: &[&Dialect] = &[&decidim::DIALECT, &ibexa::DIALECT, &trompa::DIALECT];

/// The dialects that a server speaks: Castellan's, unless a program adds its own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dialects(Arc<[&'static Dialect]>);

impl Default for Dialects {
    fn default() -> Self {
        Self(ROSTER.into())
    }
}

impl Dialects {
    /// The same, with `dialect` as the last one.
    #[must_use]
    pub fn with(&self, dialect: &'static Dialect) -> Self {
        Self(self.iter().chain([dialect]).collect())
    }

    /// Iterates over every dialect.
    pub fn iter(&self) -> impl Iterator<Item = &'static Dialect> + '_ {
        self.0.iter().copied()
    }

    /// The dialect of guards that is called `name`.
    #[must_use]
    pub fn of_guards(&self, name: &str) -> Option<&'static Dialect> {
        self.iter().find(|dialect| dialect.guards.is_some() && dialect.name == name)
    }

    /// What sets the apps of the dialect that is called `name` apart.
    #[must_use]
    pub fn of_clients(&self, name: &str) -> Option<&'static ClientDialect> {
        self.iter().find(|dialect| dialect.name == name)?.client.as_ref()
    }

    /// The names of the dialects that guards can speak.
    #[must_use]
    pub fn guard_names(&self) -> Vec<&'static str> {
        let guards = self.iter().filter(|dialect| dialect.guards.is_some());
        guards.map(|dialect| dialect.name).collect()
    }

    /// The names of the dialects that apps can have.
    #[must_use]
    pub fn client_names(&self) -> Vec<&'static str> {
        let clients = self.iter().filter(|dialect| dialect.client.is_some());
        clients.map(|dialect| dialect.name).collect()
    }

    /// Everything that they answer at `site`.
    pub(crate) fn routes(&self, site: &Site<'_>) -> Router {
        self.iter().fold(Router::new(), |routes, dialect| routes.merge((dialect.routes)(site)))
    }

    /// The endpoints that pages of every origin may call.
    pub(crate) fn open(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.iter().flat_map(|dialect| dialect.open).copied()
    }

    /// The refusal of a request for `path`, if that is an endpoint of a dialect with words of its own.
    pub(crate) fn refusal(
        &self,
        path: &str,
        status: StatusCode,
        text: &str,
    ) -> Option<Response<Body>> {
        let claims = |dialect: &&'static Dialect| {
            let mut rests = dialect.claims.iter().filter_map(|claim| path.strip_prefix(claim));
            rests.any(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.iter().find(claims).and_then(|dialect| (dialect.refusal)(path, status, text))
    }

    /// The paths that no guard may be at or below.
    pub(crate) fn claims(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.iter().flat_map(|dialect| dialect.claims).copied()
    }
}

/// The rules of a guard that speaks `dialect`, before its own settings.
pub(crate) fn rules(dialect: Option<&Dialect>) -> Rules {
    let plain = Rules { aliases: aliases(), ..Rules::default() };
    match dialect.and_then(|dialect| dialect.guards.as_ref()) {
        None => plain,
        Some(guards) => (guards.rules)(plain),
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What `api:read` and `api:write` expand to, unless a guard sets it.
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
    use super::Dialects;

    #[test]
    fn every_dialect_has_a_name_and_paths_of_its_own() {
        let dialects = Dialects::default();
        let mut names: Vec<_> = dialects.iter().map(|dialect| dialect.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        let mut claims: Vec<_> = dialects.claims().collect();
        claims.sort_unstable();
        assert!(claims.windows(2).all(|two| two[0] != two[1]), "{claims:?}");
    }
}
