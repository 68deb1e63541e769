//! One `[[guard]]`: a protected area.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf};

use castellan_gate::{Introspection, Limits, Naming, OnDeny, SessionField};
use castellan_proto::{
    Lifetime,
    scope::{RequiredScope, ScopePattern},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    AllowedOrigin, CertificateConfig, HostExpression, Method, Methods, PathExpression, Site,
};
use crate::dialects::{Dialect, Dialects, GuardDialect, JwtOf, SessionsOf};

/// A protected API: its path, who may do what, and the API itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardConfig {
    /// Its name, in logs and in `Castellan-Identity`.
    pub name: String,
    /// The path at which it answers. With `protocol = "http"` also everything below it.
    pub path: String,
    /// Regular expression that the whole host of a request has to match, without the port and in any
    /// letter case. Default: every host of the site. Of several guards of one path the first handles
    /// a request whose `host` and `pattern` match.
    #[schemars(with = "Option<String>")]
    pub host: Option<HostExpression>,
    /// Regular expression that the beginning of the percent-decoded path has to match. Default: every
    /// path that is the guard's.
    #[schemars(with = "Option<String>")]
    pub pattern: Option<PathExpression>,
    /// Whether the header `X-Siteaccess` selects the SiteAccess of a request, before anything else
    /// does (`docs/contracts/ibexa.md` §7.1). Default: `true`; for guards of administration `false`
    /// is better, as the header is the client's word.
    pub site_access_header: Option<bool>,
    /// Origins whose scripts may call a REST guard with credentials of the browser: written out, such
    /// as `"https://app.example.org"`, or a regular expression from `^` to `$`. Default: none.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub allowed_origins: Vec<AllowedOrigin>,
    /// Whether its host is its own: nothing else is answered there, so that an API over HTTP may send
    /// what a browser runs, and cookies (`docs/rules.md` rule 37). `host` is one host then, written out:
    /// `^files\.example\.com$`.
    #[serde(default)]
    pub own_host: bool,
    /// Whether it also answers at `/`. Default: `true` in the `trompa` dialect at `/graphql`, else
    /// `false` (`docs/contracts/trompa.md` §1).
    pub at_root: Option<bool>,
    /// The site to which it belongs. Default: every site.
    pub site: Option<String>,
    /// Contract whose messages, statuses and treatment of scopes the guard follows. Default: none.
    pub dialect: Option<String>,
    /// That contract, once its name has been looked up.
    #[serde(skip)]
    spoken: Option<&'static Dialect>,
    /// Protocol of the API.
    #[serde(default)]
    pub protocol: GuardProtocol,
    /// URL of the API. Without one, only the `session` field is answered. With `protocol = "http"`,
    /// what comes after the path of the guard is added to that of the URL.
    #[schemars(with = "Option<String>", url)]
    pub upstream: Option<url::Url>,
    /// The `aud` of `Castellan-Identity`. Default: the origin of `upstream`.
    pub upstream_id: Option<String>,
    /// Requests to the API at a time; more are answered with 503. Guards whose upstreams have one
    /// origin share it. Default: an equal part of the file handles for upstreams, at most 1024.
    pub upstream_max_requests: Option<NonZeroUsize>,
    /// How long a whole response of the API may take, from the request to the last byte. Default
    /// `"10m"`, or `"24h"` with `protocol = "http"`. In any case it has 30 seconds to begin, and as
    /// long for each further part.
    pub upstream_timeout: Option<Lifetime>,
    /// With `protocol = "http"`, whether clients may open WebSockets (RFC 6455). Each counts as a request
    /// under `upstream_max_requests`, and ends with `upstream_timeout`.
    #[serde(default)]
    pub websocket: bool,
    /// How long nothing may come from either side of a WebSocket. Default `"5m"`.
    pub websocket_idle: Option<Lifetime>,
    /// How callers authenticate. Default `"oauth"`; in the `ibexa` dialect `"session"`.
    #[serde(default)]
    pub authenticate: Methods,
    /// Whether a guard that takes JWTs of people is for requests with the header `Authorization` alone,
    /// in any scheme; all others are for the next guard of its path that fits, such as one that takes
    /// sessions (`docs/contracts/ibexa.md` §3). `POST …/user/token/jwt` stays with the guard that
    /// creates tokens. Default `false`: the guard answers every request, and no cookie counts.
    #[serde(default)]
    pub only_with_authorization: bool,
    /// The realm that browsers show when they ask for a name and a password (RFC 7617 §2), at guards
    /// that list `basic`. Default `"castellan"`.
    pub realm: Option<String>,
    /// Whether people get JWTs here for their password, by `POST …/user/token/jwt` or, at a GraphQL
    /// guard, the mutation `createToken` (`docs/contracts/ibexa.md` §4). Default: `true` in the
    /// `ibexa` dialect at guards that list `jwt`.
    pub create_token: Option<bool>,
    /// How the person is found whom a client certificate is about.
    pub client_certificate: Option<CertificateConfig>,
    /// What everybody may use, without a token.
    #[serde(default)]
    pub public: Vec<ScopePattern>,
    /// What named scopes stand for at this guard. Default: `api:read` and `api:write`.
    pub scopes: Option<BTreeMap<String, Vec<ScopePattern>>>,
    /// The API's schema as an SDL file. Default: introspection of the API, with the result kept on
    /// disk.
    pub schema: Option<PathBuf>,
    /// Directives in the file that `schema` names, such as `authenticated`, which the API enforces
    /// itself or which restrict nobody. Castellan does not enforce them, and refuses a schema with one
    /// that is neither listed nor known to restrict nobody.
    #[serde(default)]
    pub upstream_enforces: Vec<String>,
    /// How often the API is asked for its schema again, or a file is read again. Default `"40s"`.
    pub schema_refresh: Option<Lifetime>,
    /// File with the scope that each root field, or operation of `openapi`, requires. Default: `NAME.lock` beside the
    /// configuration.
    pub lock: Option<PathBuf>,
    /// How the required scope follows from a mutation's name. Default: `"trompa"` in that dialect,
    /// else `"verbs"`.
    pub naming: Option<Naming>,
    /// Required scopes of single root fields: `"Mutation.vote" = "Mutation:Proposal:Vote"`.
    #[serde(default)]
    pub overrides: BTreeMap<String, RequiredScope>,
    /// With `protocol = "http"`, the OpenAPI 3.0 or 3.1 document of the API, in YAML or JSON: its
    /// operations pass by the scopes that follow from their tags and paths, or by
    /// `x-castellan-scope`.
    pub openapi: Option<PathBuf>,
    /// With `protocol = "http"`, operations that pass, each with the scope that it requires:
    /// `"POST /orders/{id}/cancel" = "Mutation:Order:Cancel"`, beside those of `openapi` or in their
    /// place. Paths are below that of the guard. No other request reaches the API.
    #[serde(default)]
    pub operations: BTreeMap<String, RequiredScope>,
    /// Terms of the decision, in addition to the token's scopes, that must exist and allow the
    /// request. Default: none; in the `ibexa` dialect `["person"]` where people authenticate without
    /// an app.
    pub require: Option<Vec<Term>>,
    /// What happens to a mutation with denied fields.
    pub on_deny: Option<OnDeny>,
    /// What happens to callers without a valid credential. Default `"admitted"`; in the `decidim`
    /// dialect `"refused"` if `decidim.force_api_authentication` is set.
    pub anonymous: Option<Anonymous>,
    /// Who may read the schema. Default `"public"`; in the `decidim` dialect `"signed-in"`, unless
    /// `decidim.enable_anonymous_introspection` is set.
    pub introspection: Option<Introspection>,
    /// Whether requests may be forms, and `variables` a string that contains JSON. Default: `true`
    /// in the `decidim` dialect (`docs/contracts/decidim.md` §5), else `false`.
    pub forms: Option<bool>,
    /// Who answers the root field `session`. Default: `"local"` in the `decidim` dialect, else
    /// `"off"`.
    pub session: Option<SessionField>,
    /// Request headers that are not forwarded, in addition to those that never are.
    #[serde(default)]
    pub strip_headers: Vec<String>,
    /// How large a request may be.
    #[serde(default)]
    pub limits: Limits,
    /// The name of this guard in the `aud` of access tokens. Default: the issuer followed by the
    /// path.
    pub audience: Option<String>,
}

/// What happens to callers without a valid credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// They may use what is public.
    Admitted,
    /// They are refused with 401.
    Refused,
}

/// A term of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Term {
    /// The scopes of the token; always required.
    Token,
    /// The list of scopes of the app or key itself.
    Client,
    /// What the person may do by their roles. Callers without a person are decided by the other
    /// terms.
    Person,
    /// What the policies say that are linked to the guard: one has to allow the field.
    Policy,
}

/// Protocol of a guarded API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GuardProtocol {
    /// GraphQL over HTTP.
    #[default]
    Graphql,
    /// Any other API over HTTP: methods and paths are mapped to scopes.
    Http,
}

impl GuardConfig {
    /// The name of this area as an audience at `issuer`.
    #[must_use]
    pub fn audience_at(&self, issuer: &str) -> String {
        self.audience.clone().unwrap_or_else(|| format!("{issuer}{}", self.path))
    }

    /// The default guard at `/api` (`docs/rules.md` §11).
    #[must_use]
    pub fn default_api(name: &str) -> Self {
        Self::plain(name, "/api", Dialects::default().of_guards("decidim"), None)
    }

    /// A guard with defaults for all else.
    #[must_use]
    pub fn plain(
        name: &str,
        path: &str,
        dialect: Option<&'static Dialect>,
        upstream: Option<url::Url>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            host: None,
            pattern: None,
            site_access_header: None,
            allowed_origins: Vec::new(),
            own_host: false,
            at_root: None,
            site: None,
            dialect: dialect.map(|dialect| dialect.name.to_owned()),
            spoken: dialect,
            protocol: GuardProtocol::Graphql,
            upstream,
            upstream_id: None,
            upstream_max_requests: None,
            upstream_timeout: None,
            websocket: false,
            websocket_idle: None,
            authenticate: Methods::of(dialect),
            only_with_authorization: false,
            realm: None,
            create_token: None,
            client_certificate: None,
            public: Vec::new(),
            scopes: None,
            schema: None,
            upstream_enforces: Vec::new(),
            schema_refresh: None,
            lock: None,
            naming: None,
            overrides: BTreeMap::new(),
            openapi: None,
            operations: BTreeMap::new(),
            require: None,
            on_deny: None,
            anonymous: None,
            introspection: None,
            forms: None,
            session: None,
            strip_headers: Vec::new(),
            limits: Limits::default(),
            audience: None,
        }
    }

    /// Whether its schema comes from where that of `other` does, and is read in the same way.
    #[must_use]
    pub fn has_same_schema(&self, other: &Self) -> bool {
        self.name == other.name
            && self.upstream == other.upstream
            && self.schema == other.schema
            && self.upstream_enforces == other.upstream_enforces
            && self.lock == other.lock
            && (self.naming, &self.dialect) == (other.naming, &other.dialect)
            && self.overrides == other.overrides
            && self.session_field() == other.session_field()
            && self.creates_tokens() == other.creates_tokens()
            && (self.protocol, &self.openapi) == (other.protocol, &other.openapi)
            && self.operations == other.operations
    }

    /// Whether forced authentication is about it (`docs/contracts/decidim.md` §5.4).
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.takes_machine_users() || self.path == "/api"
    }

    /// Whether it answers at `/` unless another guard is told to.
    #[must_use]
    pub fn is_at_root(&self) -> bool {
        let default = self.speaks().and_then(|dialect| dialect.at_root) == Some(&*self.path);
        self.at_root.unwrap_or(default)
    }

    /// Whether no request reaches `later`, which has the same path and stands after it.
    pub(super) fn hides(&self, later: &Self) -> bool {
        !self.only_with_authorization
            && (self.host.is_none() || self.host == later.host)
            && (self.pattern.is_none() || self.pattern == later.pattern)
    }

    /// Whether it is part of `site`.
    #[must_use]
    pub fn is_at(&self, site: &Site) -> bool {
        self.site.as_ref().is_none_or(|name| *name == site.name)
    }

    /// Whether it answers `session` itself.
    #[must_use]
    pub fn session_field(&self) -> SessionField {
        let default = self.speaks().map_or(SessionField::Off, |dialect| dialect.session);
        self.session.unwrap_or(default)
    }

    /// How the required scope follows from a mutation's name.
    #[must_use]
    pub fn naming(&self) -> Naming {
        let default = self.speaks().map_or(Naming::Verbs, |dialect| dialect.naming);
        self.naming.unwrap_or(default)
    }

    /// Whether tokens of machine users are read.
    #[must_use]
    pub fn takes_machine_users(&self) -> bool {
        self.speaks().is_some_and(|dialect| dialect.jwt == JwtOf::Machines)
    }

    /// Whether tokens for API keys are read.
    #[must_use]
    pub fn takes_api_keys(&self) -> bool {
        match self.speaks() {
            Some(dialect) => dialect.jwt == JwtOf::Keys,
            None => self.authenticate.list().contains(&Method::Jwt),
        }
    }

    /// Whether `term` has to allow a request.
    #[must_use]
    pub fn requires(&self, term: Term) -> bool {
        if let Some(terms) = &self.require {
            return terms.contains(&term);
        }
        // No app has scopes that would bound what people may do, so roles do
        // (`docs/contracts/ibexa.md` §2: the default method needs no configuration).
        let of_people = !self.authenticate.list().iter().any(Method::is_of_apps);
        term == Term::Person && of_people && self.speaks_of_site_accesses()
    }

    /// Whether client certificates alone count there.
    #[must_use]
    pub fn is_of_certificates(&self) -> bool {
        self.authenticate.list() == [Method::ClientCertificate]
    }

    /// The dialect that is spoken there.
    #[must_use]
    pub fn spoken(&self) -> Option<&'static Dialect> {
        self.spoken
    }

    /// Looks its dialect up among `dialects`.
    ///
    /// # Errors
    /// The text for whoever wrote the name, if there is no such dialect of guards.
    pub(super) fn look_up_dialect(&mut self, dialects: &Dialects) -> Result<(), String> {
        let Some(name) = &self.dialect else { return Ok(()) };
        self.spoken = dialects.of_guards(name);
        if self.spoken.is_some() {
            self.authenticate.settle(self.spoken);
            return Ok(());
        }
        let names: Vec<_> = dialects.guard_names().iter().map(|one| format!("{one:?}")).collect();
        Err(format!("dialect: {name:?} is not known; expected {}", names.join(" or ")))
    }

    /// How people are known by their session where it takes sessions.
    pub(crate) fn sessions_of(&self) -> SessionsOf {
        self.speaks().map_or(SessionsOf::Nobody, |dialect| dialect.sessions)
    }

    /// Whether it takes sessions of SiteAccesses.
    pub(crate) fn takes_site_access_sessions(&self) -> bool {
        let theirs = matches!(self.sessions_of(), SessionsOf::SiteAccess { .. });
        theirs && self.authenticate.list().contains(&Method::Session)
    }

    /// How guards speak its dialect.
    pub(crate) fn speaks(&self) -> Option<&'static GuardDialect> {
        self.spoken.and_then(|dialect| dialect.guards.as_ref())
    }
}
