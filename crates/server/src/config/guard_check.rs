//! Whether each setting of one guard can be held to. What could not is refused, so that no rule that
//! somebody wrote is silently none.

use castellan_gate::SessionField;
use castellan_proto::scope::Scope;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Config, GuardConfig, GuardProtocol, Method, Site, Term};
use crate::dialects::SessionsOf;

/// A setting that is wrong.
pub(super) struct Wrong {
    /// Its way from the table that was checked.
    pub(super) way: &'static [&'static str],
    /// What is wrong with it.
    pub(super) text: String,
}

pub(super) fn wrong<T>(way: &'static [&'static str], text: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { way, text: text.into() })
}

impl GuardConfig {
    /// Whether its dialect knows SiteAccesses.
    #[must_use]
    pub fn speaks_of_site_accesses(&self) -> bool {
        matches!(self.sessions_of(), SessionsOf::SiteAccess { .. })
    }

    /// Whether its requests are for a SiteAccess, if its site has some.
    #[must_use]
    pub fn selects_site_accesses(&self) -> bool {
        self.is_http() || self.speaks_of_site_accesses()
    }

    /// The name of its lock file.
    #[must_use]
    pub fn lock_name(&self) -> std::path::PathBuf {
        self.lock.clone().unwrap_or_else(|| format!("{}.lock", self.name).into())
    }

    /// Whether there can be requests that both match, as far as their paths and expressions tell.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let is_below = |one: &Self, other: &Self| {
            let rest = one.path.strip_prefix(&*other.path);
            rest.is_some_and(|rest| {
                rest.is_empty() || (rest.starts_with('/') && other.protocol == GuardProtocol::Http)
            })
        };
        is_below(self, other) || is_below(other, self)
    }

    /// Whether access tokens for `other`, which has the same path, would be for it as well although
    /// nobody said so.
    pub(super) fn shares_audience(&self, other: &Self) -> bool {
        let takes_tokens = |guard: &Self| guard.authenticate.list().iter().any(Method::is_token);
        self.audience.is_none()
            && other.audience.is_none()
            && takes_tokens(self)
            && takes_tokens(other)
    }

    pub(super) fn check(&self, config: &Config, sites: &[Site]) -> Result<(), Wrong> {
        self.check_place(sites)?;
        self.check_protocol()?;
        self.check_own_host(sites)?;
        self.check_one_method()?;
        self.check_methods(config)?;
        self.check_only_with_authorization(config)?;
        self.check_upstream()?;
        self.check_rules()?;
        self.check_limits()
    }

    fn check_place(&self, sites: &[Site]) -> Result<(), Wrong> {
        if !castellan_proto::is_identifier(&self.name) {
            return wrong(&["name"], "name must be letters, digits, dots, dashes and underscores");
        }
        if let Some(name) = &self.site
            && !sites.iter().any(|site| site.name == *name)
        {
            return wrong(&["site"], format!("site {name:?} does not exist"));
        }
        if self.name.starts_with("default-") {
            return wrong(&["name"], "name must not start with \"default-\", which is reserved");
        }
        let whole = |segment: &str| {
            !segment.is_empty()
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
                && !matches!(segment, "." | "..")
        };
        let segments = self.path.strip_prefix('/').map(|rest| rest.split('/').all(whole));
        if segments != Some(true) {
            let text = format!(
                "path {:?} must consist of /segments of letters, digits and - _ . ~",
                self.path
            );
            return wrong(&["path"], text);
        }
        self.check_reach(sites)?;
        match &self.audience {
            Some(name) if name.is_empty() || name.bytes().any(|b| !b.is_ascii_graphic()) => {
                let text =
                    "audience must be a name such as \"https://api.example.org\", without spaces";
                wrong(&["audience"], text)
            }
            _ => Ok(()),
        }
    }

    /// Whether a request can reach it, as far as the sites and its path tell.
    fn check_reach(&self, sites: &[Site]) -> Result<(), Wrong> {
        let is_listed = |site: &Site| {
            let names = site.hosts.iter().map(|host| crate::wire::host::parts(host).0);
            self.host.as_ref().is_none_or(|host| names.clone().any(|name| host.matches(name)))
        };
        let mut own = sites.iter().filter(|site| self.is_at(site));
        if !own.any(|site| site.hosts.is_empty() || is_listed(site)) {
            let text = "host matches none of the hosts of its site, so that no request could reach \
                        the guard; correct it, or add a host to hosts of the site";
            return wrong(&["host"], text);
        }
        let is_left = |pattern: &super::PathExpression| {
            pattern.matches(&self.path) || (self.is_at_root() && pattern.matches("/"))
        };
        if !self.is_http() && self.pattern.as_ref().is_some_and(|pattern| !is_left(pattern)) {
            let text = "pattern does not match the path of the guard, so that no request could \
                        reach it";
            return wrong(&["pattern"], text);
        }
        if self.site_access_header.is_some() && !self.selects_site_accesses() {
            let text = "site_access_header has no effect at a guard that selects no SiteAccess; \
                        that takes protocol = \"http\", or dialect = \"ibexa\"";
            return wrong(&["site_access_header"], text);
        }
        if !self.is_http() && !self.allowed_origins.is_empty() {
            let text = "allowed_origins has no effect at a GraphQL guard, which scripts of any \
                        origin may call, without credentials of the browser; remove it";
            return wrong(&["allowed_origins"], text);
        }
        Ok(())
    }

    /// Whether it has as many methods as its dialect has at a time (`docs/contracts/ibexa.md` §3).
    fn check_one_method(&self) -> Result<(), Wrong> {
        let methods = self.authenticate.list();
        if methods.len() < 2 || !self.speaks_of_site_accesses() {
            return Ok(());
        }
        let text = "authenticate: in this dialect a guard has one method; make a guard of each, told \
                    apart by host or pattern";
        wrong(&["authenticate"], text)
    }

    fn check_methods(&self, config: &Config) -> Result<(), Wrong> {
        let way = &["authenticate"];
        let methods = self.authenticate.list();
        if methods.is_empty() {
            return wrong(way, "authenticate is empty; add a method, such as \"oauth\"");
        }
        let (decidim, people) = (self.takes_machine_users(), self.takes_jwts_of_people());
        for (at, method) in methods.iter().enumerate() {
            if methods[..at].contains(method) {
                return wrong(way, "authenticate contains a method twice");
            }
            match method {
                Method::Jwt if decidim && config.decidim.api_jwt_secret.is_none() => {
                    let text = "authenticate: \"jwt\" needs decidim.api_jwt_secret \
                                (DECIDIM_API_JWT_SECRET), which is not set";
                    return wrong(way, text);
                }
                Method::Jwt if !decidim && !people && config.jwt.secret.is_none() => {
                    let text =
                        "authenticate: \"jwt\" needs jwt.secret (JWT_SECRET), which is not set";
                    return wrong(way, text);
                }
                Method::Oauth | Method::Jwt | Method::Basic | Method::Foreign => {}
                Method::ClientAuth if methods.iter().any(Method::is_token) => {}
                Method::ClientAuth => {
                    let text = "authenticate: \"client_auth\" has no effect, as no method takes \
                                tokens, which it goes along with; add \"oauth\" or \"foreign\"";
                    return wrong(way, text);
                }
                Method::Session => self.check_sessions()?,
                // The guards have no scopes for people without an app: roles decide alone.
                Method::ClientCertificate if self.requires(Term::Person) => {}
                Method::ClientCertificate => {
                    let text = "authenticate: \"client_certificate\" needs require = [\"person\"]: \
                                what people without an app may do, their roles say";
                    return wrong(way, text);
                }
            }
        }
        self.check_certificates(config)?;
        let is_of_people = |method: &Method| match method {
            Method::Oauth | Method::Foreign | Method::Session | Method::ClientCertificate => true,
            Method::Jwt => people,
            Method::Basic => self.takes_passwords_of_people(),
            Method::ClientAuth => false,
        };
        if self.requires(Term::Person) && !methods.iter().any(is_of_people) {
            let text = "require: \"person\" has no effect, as no method of authenticate is for \
                        people; add \"oauth\" or \"foreign\", or remove it";
            return wrong(&["require"], text);
        }
        self.check_passwords()
    }

    /// Whether sessions can be taken, which it lists.
    fn check_sessions(&self) -> Result<(), Wrong> {
        match self.sessions_of() {
            SessionsOf::SiteAccess { .. } if !self.requires(Term::Person) => wrong(
                &["authenticate"],
                "authenticate: \"session\" needs require = [\"person\"] in this dialect: there is no \
                 app whose scopes would bound what people may do, so roles have to",
            ),
            SessionsOf::Pages | SessionsOf::SiteAccess { .. } => Ok(()),
            SessionsOf::Nobody => wrong(
                &["authenticate"],
                "authenticate: \"session\" needs dialect = \"decidim\" or \"ibexa\": other guards have no \
                 scopes for people without an app",
            ),
        }
    }

    fn check_certificates(&self, config: &Config) -> Result<(), Wrong> {
        let takes = self.authenticate.list().contains(&Method::ClientCertificate);
        match (takes, self.client_certificate) {
            (false, Some(_)) => wrong(
                &["client_certificate"],
                "client_certificate has no effect without \"client_certificate\" in authenticate",
            ),
            (true, None) => wrong(
                &["authenticate"],
                "authenticate: \"client_certificate\" needs client_certificate = { subject = \
                 \"email\" }, or \"cn\" or \"dn\"",
            ),
            (true, Some(_)) if !config.sees_client_certificates() => wrong(
                &["authenticate"],
                "authenticate: nobody can show a client certificate; set tls.client_certificates at a \
                 listener, or server.client_certificate_headers",
            ),
            (false, None) | (true, Some(_)) => Ok(()),
        }
    }

    fn check_upstream(&self) -> Result<(), Wrong> {
        let Some(upstream) = &self.upstream else {
            if self.session_field() != SessionField::Local {
                return wrong(&["session"], "set upstream, or session = \"local\"");
            }
            for (way, name, is_set) in [
                (&["upstream_id"], "upstream_id", self.upstream_id.is_some()),
                (&["upstream_timeout"], "upstream_timeout", self.upstream_timeout.is_some()),
                (&["schema"], "schema", self.schema.is_some()),
                (&["lock"], "lock", self.lock.is_some()),
                (&["naming"], "naming", self.naming.is_some()),
                (&["strip_headers"], "strip_headers", !self.strip_headers.is_empty()),
            ] {
                if is_set {
                    return wrong(
                        way,
                        format!(
                            "{name} has no effect without upstream; set upstream, or remove it"
                        ),
                    );
                }
            }
            return self.check_directives();
        };
        if !matches!(upstream.scheme(), "http" | "https")
            || upstream.host().is_none()
            || !upstream.username().is_empty()
            || upstream.password().is_some()
            || upstream.fragment().is_some()
        {
            let text = "upstream must be an http or https URL without a username, a password or a \
                        fragment";
            return wrong(&["upstream"], text);
        }
        let is_name = |name: &String| http::HeaderName::from_bytes(name.as_bytes()).is_ok();
        if let Some(name) = self.strip_headers.iter().find(|name| !is_name(name)) {
            return wrong(&["strip_headers"], format!("{name:?} is not a valid header name"));
        }
        let unstrippable = if self.is_http() { Self::unstrippable_over_http } else { unstrippable };
        if let Some((name, why)) =
            self.strip_headers.iter().find_map(|name| Some((name, unstrippable(name)?)))
        {
            return wrong(&["strip_headers"], format!("strip_headers: {name:?} {why}; remove it"));
        }
        if self.upstream_id.as_ref().is_some_and(|id| id.trim().is_empty()) {
            let text = "upstream_id is empty; remove it for the default, or name the API";
            return wrong(&["upstream_id"], text);
        }
        self.check_directives()
    }

    fn check_directives(&self) -> Result<(), Wrong> {
        let way = &["upstream_enforces"];
        if !self.upstream_enforces.is_empty() && self.schema.is_none() {
            let text =
                "upstream_enforces needs `schema`, as it applies to directives of an SDL file";
            return wrong(way, text);
        }
        for name in &self.upstream_enforces {
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && !name.is_empty();
            if !is_name {
                let text = format!("upstream_enforces: {name:?} is not the name of a directive");
                return wrong(way, text);
            }
            if name.eq_ignore_ascii_case("castellan") {
                let text = "upstream_enforces: castellan is what this server enforces; remove it";
                return wrong(way, text);
            }
            if castellan_gate::is_neutral_directive(name) {
                let text = format!("upstream_enforces: {name} restricts nothing; remove it");
                return wrong(way, text);
            }
        }
        Ok(())
    }

    fn check_rules(&self) -> Result<(), Wrong> {
        for name in self.scopes.iter().flat_map(|scopes| scopes.keys()) {
            if !matches!(Scope::try_from(name.clone()), Ok(Scope::Named(_))) {
                let text = format!(
                    "scopes: {name:?} is not a valid name of a scope; use a name such as \"api:read\""
                );
                return wrong(&["scopes"], text);
            }
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), Wrong> {
        let limits = &self.limits;
        for (way, value) in [
            (&["limits", "body_bytes"], limits.body_bytes),
            (&["limits", "answer_bytes"], limits.answer_bytes),
            (&["limits", "tokens"], limits.tokens),
            (&["limits", "depth"], limits.depth),
            (&["limits", "root_fields"], limits.root_fields),
        ] {
            if value == 0 {
                let text = format!("limits.{} = 0 would reject every request", way[1]);
                return wrong(way, text);
            }
        }
        Ok(())
    }
}

/// Why stripping the header `name` would change nothing.
fn unstrippable(name: &str) -> Option<&'static str> {
    const OURS: [HeaderName; 5] = [
        header::HOST,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::ACCEPT,
        header::ACCEPT_ENCODING,
    ];
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    if OURS.contains(&name) {
        return Some("is set by the guard itself and needed by the API");
    }
    let mut headers = HeaderMap::from_iter([(name, HeaderValue::from_static("x"))]);
    castellan_gate::strip_request_headers(&mut headers, &[]);
    headers.is_empty().then_some("is never forwarded anyway")
}
