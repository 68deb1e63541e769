//! One `[[guard]]`: a protected area.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf};

use castellan_gate::{Introspection, Limits, Naming, OnDeny, SessionField};
use castellan_proto::{
    Lifetime,
    scope::{RequiredScope, ScopePattern},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Site;
use crate::dialects::{Dialect, Dialects, GuardDialect, JwtOf};

/// A protected area: where it is, who may do what there, and what stands behind it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardConfig {
    /// Its name, in logs and in `Castellan-Identity`.
    pub name: String,
    /// The path it answers at.
    pub path: String,
    /// Whether it answers at `/` as well. Default: where it is at `/graphql` in the `trompa` dialect
    /// (`docs/contracts/trompa.md` §1).
    pub at_root: Option<bool>,
    /// The site it is part of. Default: every one.
    pub site: Option<String>,
    /// Wording and scope manner of one contract; none by default.
    pub dialect: Option<String>,
    /// That contract, once its name has been looked up.
    #[serde(skip)]
    spoken: Option<&'static Dialect>,
    /// What is spoken there.
    #[serde(default)]
    pub protocol: GuardProtocol,
    /// The API behind it. Without one, only local fields are answered.
    #[schemars(with = "Option<String>", url)]
    pub upstream: Option<url::Url>,
    /// The upstream's name in `Castellan-Identity`. Default: its origin.
    pub upstream_id: Option<String>,
    /// Requests that may be under way to the API at a time; more are answered 503. Guards whose
    /// upstreams are at one origin share it. Default: an equal part of the file handles that there
    /// are for upstreams, 1,024 at most.
    pub upstream_max_requests: Option<NonZeroUsize>,
    /// How long a whole answer of the API may take, from the request to its last byte. Default
    /// `"10m"`. It has 30 seconds to begin, and as long for each further part, in any case.
    pub upstream_timeout: Option<Lifetime>,
    /// How callers prove who they are.
    #[serde(default)]
    pub authenticate: Methods,
    /// What anybody may ask for.
    #[serde(default)]
    pub public: Vec<ScopePattern>,
    /// What named scopes stand for here. Default: `api:read` and `api:write`.
    pub scopes: Option<BTreeMap<String, Vec<ScopePattern>>>,
    /// The upstream's schema as an SDL file; without one it is asked, and kept on disk.
    pub schema: Option<PathBuf>,
    /// Directives of the file that `schema` names by which the upstream itself holds callers off, such
    /// as `authenticated`, or which hold nobody off. Nothing here enforces them, so that a schema with
    /// one that is neither listed nor known to hold nobody off is refused.
    #[serde(default)]
    pub upstream_enforces: Vec<String>,
    /// How often the schema is looked at again. Default `"40s"`, so that within a minute all nodes
    /// decide by the same one.
    pub schema_refresh: Option<Lifetime>,
    /// The table of what fields demand. Default: beside the configuration.
    pub lock: Option<PathBuf>,
    /// How the names of mutations are read. Default: `"trompa"` in that dialect, else `"verbs"`.
    pub naming: Option<Naming>,
    /// Demands set by hand: `"Mutation.vote" = "Mutation:Proposal:Vote"`.
    #[serde(default)]
    pub overrides: BTreeMap<String, RequiredScope>,
    /// Terms, besides the token's scopes, that must be there and hold.
    #[serde(default)]
    pub require: Vec<Term>,
    /// What happens to a mutation of which some fields are denied.
    pub on_deny: Option<OnDeny>,
    /// What becomes of callers who are not known. Default `"admitted"`; in the `decidim` dialect
    /// `"refused"` if `decidim.force_api_authentication` is set.
    pub anonymous: Option<Anonymous>,
    /// Who may ask for the schema. Default `"public"`; in the `decidim` dialect `"signed-in"`, unless
    /// `decidim.enable_anonymous_introspection` is set.
    pub introspection: Option<Introspection>,
    /// Whether requests may also be forms, and `variables` a JSON text. Default: in the `decidim`
    /// dialect (`docs/contracts/decidim.md` §5).
    pub forms: Option<bool>,
    /// How the `session` field stands. Default: `"local"` in the `decidim` dialect, else `"off"`.
    pub session: Option<SessionField>,
    /// Headers of callers that never cross, besides those that never do.
    #[serde(default)]
    pub strip_headers: Vec<String>,
    /// How large a request may be.
    #[serde(default)]
    pub limits: Limits,
    /// The name of this area as an audience. Default: the issuer and the path.
    pub audience: Option<String>,
}

/// What becomes of callers who show no good credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// They reach what is public.
    Admitted,
    /// They reach nothing: 401.
    Refused,
}

/// A term of a decision that a guard may require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Term {
    /// The scopes of the token; always required.
    Token,
    /// The list of what the app or key may do at all.
    Client,
    /// The policies of the person. Refused at the start: there are none in this version, so that
    /// nobody would get through.
    Person,
}

/// What is spoken at a guard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GuardProtocol {
    /// GraphQL over HTTP.
    #[default]
    Graphql,
    /// Plain HTTP; not served yet.
    Http,
}

/// How callers prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Access tokens of this server.
    Oauth,
    /// JWTs for API keys (`docs/contracts/trompa.md` §3).
    Jwt,
    /// Browser sessions of pages of the same origin, with `dialect = "decidim"`
    /// (`docs/contracts/decidim.md` §5.2). A request must carry `X-Requested-With`.
    Session,
    /// Not served yet.
    Basic,
    /// Not served yet.
    ClientCertificate,
}

/// One method, or a list of them in order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be \"oauth\", \"jwt\" or \"session\", or a list of these")]
pub enum Methods {
    /// One.
    One(Method),
    /// Several, in order.
    Several(Vec<Method>),
}

impl Default for Methods {
    fn default() -> Self {
        Self::One(Method::Oauth)
    }
}

impl Methods {
    /// As a list.
    #[must_use]
    pub fn list(&self) -> &[Method] {
        match self {
            Self::One(method) => std::slice::from_ref(method),
            Self::Several(methods) => methods,
        }
    }
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
            at_root: None,
            site: None,
            dialect: dialect.map(|dialect| dialect.name.to_owned()),
            spoken: dialect,
            protocol: GuardProtocol::Graphql,
            upstream,
            upstream_id: None,
            upstream_max_requests: None,
            upstream_timeout: None,
            authenticate: Methods::default(),
            public: Vec::new(),
            scopes: None,
            schema: None,
            upstream_enforces: Vec::new(),
            schema_refresh: None,
            lock: None,
            naming: None,
            overrides: BTreeMap::new(),
            require: Vec::new(),
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

    /// How the names of mutations are read.
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
            return Ok(());
        }
        let names: Vec<_> = dialects.guard_names().iter().map(|one| format!("{one:?}")).collect();
        Err(format!("dialect: {name:?} is not known; expected {}", names.join(" or ")))
    }

    fn speaks(&self) -> Option<&'static GuardDialect> {
        self.spoken.and_then(|dialect| dialect.guards.as_ref())
    }
}
