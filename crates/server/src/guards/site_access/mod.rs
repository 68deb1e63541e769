//! Which SiteAccess a request is for (`docs/contracts/ibexa.md` §7.1). It is no tenant: accounts are
//! those of the site, and one account is the same person at all of its SiteAccesses.

mod matcher;

use std::{collections::HashMap, sync::Arc};

use crate::{
    config::{GuardConfig, Loaded, ONLY_SITE_ACCESS, Site, SiteAccessConfig, SiteAccessSession},
    wire::host,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts};
use castellan_gate::Caller;
use castellan_issuer::{Issuer, store::StoreError};
use matcher::{Matcher, Seen};

/// The header by which clients select a SiteAccess.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-siteaccess");

/// In the extensions of a request at a guard: the SiteAccess that it is for.
#[derive(Clone)]
pub(crate) struct AtSiteAccess(pub(crate) Arc<SiteAccess>);

/// One SiteAccess.
pub(crate) struct SiteAccess {
    pub(crate) name: Arc<str>,
    /// Whether JWTs of people count at GraphQL guards (§4.4).
    pub(crate) graphql_jwt: bool,
    /// What is set for its session cookie.
    pub(crate) session: SiteAccessSession,
}

impl SiteAccess {
    fn new(config: &SiteAccessConfig) -> Arc<Self> {
        Arc::new(Self {
            name: config.name.as_str().into(),
            graphql_jwt: config.graphql_jwt,
            session: config.session.clone(),
        })
    }
}

/// A request that names a SiteAccess that its site does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", text(.0.as_deref()))]
pub(crate) struct UnknownSiteAccess(Option<String>);

fn text(name: Option<&str>) -> String {
    let name = name.map_or_else(String::new, |name| format!(" '{name}'"));
    format!("Invalid SiteAccess{name}, matched by X-Siteaccess request header.")
}

/// The SiteAccesses of one site, and what selects them.
pub(crate) struct SiteAccesses {
    named: HashMap<Arc<str>, Arc<SiteAccess>>,
    /// The one of requests that nothing else selects one for.
    default: Arc<SiteAccess>,
    environment: Option<Arc<SiteAccess>>,
    matchers: Vec<Matcher>,
    /// The port of a request that names none.
    port: u16,
    /// Whether the site has some of its own, and not only [`ONLY_SITE_ACCESS`].
    are_configured: bool,
}

/// What a guard lets select a SiteAccess, besides the host.
#[derive(Clone, Copy)]
struct Selectors {
    /// [`HEADER`].
    header: bool,
    /// The path.
    path: bool,
}

/// The SiteAccesses of a site, as one of its guards asks for them.
pub(crate) struct GuardSiteAccesses {
    issuer: Issuer,
    all: Arc<SiteAccesses>,
    by: Selectors,
    /// Whether requests of the guard are for one.
    are_asked_for: bool,
}

impl GuardSiteAccesses {
    /// Those of the site of `issuer` at a guard. Paths of a REST API begin with its own prefix, and
    /// select none (`docs/contracts/ibexa.md` §7.1).
    pub(crate) fn of(config: &GuardConfig, issuer: &Issuer, all: &Arc<SiteAccesses>) -> Self {
        let header = config.site_access_header.unwrap_or(true);
        let by = Selectors { header, path: !config.is_http() };
        let are_asked_for = config.speaks_of_site_accesses()
            || (config.selects_site_accesses() && all.are_configured);
        Self { issuer: issuer.clone(), all: Arc::clone(all), by, are_asked_for }
    }

    /// Whether requests of the guard are for a SiteAccess.
    pub(crate) fn are_asked_for(&self) -> bool {
        self.are_asked_for
    }

    /// Whether the answers of the guard depend on [`HEADER`].
    pub(crate) fn are_named_by_clients(&self) -> bool {
        self.are_asked_for && self.by.header
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<SiteAccess>> {
        self.all.named.values()
    }

    /// The SiteAccess that a request is for. What is behind the guard is told that one, and nothing
    /// that the client said besides.
    ///
    /// # Errors
    /// [`UnknownSiteAccess`] if the request names one that the site does not have.
    pub(crate) fn select(&self, parts: &mut Parts) -> Result<Arc<SiteAccess>, UnknownSiteAccess> {
        if !self.are_asked_for {
            return Ok(Arc::clone(&self.all.default));
        }
        let selected = self.all.resolve(&parts.headers, &parts.uri, self.by)?;
        forget_named(&mut parts.headers);
        let name = HeaderValue::from_str(&selected.name);
        parts.headers.extend(name.ok().map(|name| (HEADER, name)));
        Ok(Arc::clone(selected))
    }

    /// Whether `caller` has the permission `user/login` at `site_access` (§7.3). Whoever is no person
    /// is asked about as somebody who is not signed in.
    ///
    /// # Errors
    /// [`StoreError`] if the roles have to be read and the store fails.
    pub(crate) async fn may_sign_in(
        &self,
        site_access: &SiteAccess,
        caller: &Caller,
    ) -> Result<bool, StoreError> {
        if !self.are_asked_for {
            return Ok(true);
        }
        let person = caller.identity().and_then(|identity| identity.person.as_ref());
        let person = person.map(|person| (&*person.id, &*person.groups));
        self.issuer.may_sign_in_at(&site_access.name, person).await
    }
}

/// Whether `name` is one that servers take for [`HEADER`] (`docs/security-cases.md` row 29).
fn is_header(name: &str) -> bool {
    name.replace('_', "-").eq_ignore_ascii_case(HEADER.as_str())
}

/// Removes what the client said, in every spelling, and keeps `Connection` from having removed what is
/// said in its place.
fn forget_named(headers: &mut HeaderMap) {
    let spellings: Vec<_> =
        headers.keys().filter(|name| is_header(name.as_str())).cloned().collect();
    for name in spellings {
        headers.remove(name);
    }
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let words = lines.flat_map(|line| line.split(',')).map(str::trim);
    let others: Vec<_> = words.filter(|word| !word.is_empty() && !is_header(word)).collect();
    let others = HeaderValue::from_str(&others.join(", "));
    headers.remove(header::CONNECTION);
    let others = others.ok().filter(|others| !others.is_empty());
    headers.extend(others.map(|others| (header::CONNECTION, others)));
}

impl Default for SiteAccesses {
    /// [`ONLY_SITE_ACCESS`] alone.
    fn default() -> Self {
        let only = SiteAccess::new(&SiteAccessConfig::plain(ONLY_SITE_ACCESS));
        Self {
            named: [(Arc::clone(&only.name), Arc::clone(&only))].into(),
            default: only,
            environment: None,
            matchers: Vec::new(),
            port: 80,
            are_configured: false,
        }
    }
}

impl SiteAccesses {
    /// Those of `site`.
    pub(crate) fn of(loaded: &Loaded, site: &Site) -> Self {
        let configs = loaded.site_accesses(site);
        if configs.is_empty() {
            return Self::default();
        }
        let all: Vec<_> = configs.iter().map(|config| SiteAccess::new(config)).collect();
        let default = configs.iter().position(|config| config.default).unwrap_or_default();
        let default = Arc::clone(&all[default]);
        let named: HashMap<_, _> =
            all.into_iter().map(|one| (Arc::clone(&one.name), one)).collect();
        let variable = loaded.site_access_of_environment(site);
        Self {
            environment: variable.and_then(|name| named.get(name)).cloned(),
            default,
            named,
            matchers: loaded.config.site_access_match.iter().map(Matcher::new).collect(),
            port: if site.issuer.is_https() { 443 } else { 80 },
            are_configured: true,
        }
    }

    /// The SiteAccess of a request with these headers and this target.
    ///
    /// # Errors
    /// [`UnknownSiteAccess`] if the request names one that the site does not have.
    fn resolve(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        by: Selectors,
    ) -> Result<&Arc<SiteAccess>, UnknownSiteAccess> {
        if let Some(value) = headers.get(HEADER).filter(|_| by.header) {
            let name = value.to_str().unwrap_or_default();
            // What could be no name of any is not repeated.
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let shown = !name.is_empty() && name.len() <= 64 && name.bytes().all(is_name);
            let unknown = || UnknownSiteAccess(shown.then(|| name.to_owned()));
            return self.named.get(name).ok_or_else(unknown);
        }
        if let Some(environment) = &self.environment {
            return Ok(environment);
        }
        if self.named.len() == 1 {
            return Ok(&self.default);
        }
        let (name, port) = host::parts(host::authority(headers, uri).unwrap_or_default());
        let name = name.to_ascii_lowercase();
        let path = by.path.then_some(uri.path());
        let seen = Seen { host: &name, port: port.unwrap_or(self.port), path };
        let selected = self
            .matchers
            .iter()
            .find_map(|matcher| matcher.find(&seen).and_then(|name| self.named.get(&*name)));
        Ok(selected.unwrap_or(&self.default))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn site_accesses() -> SiteAccesses {
        let all = ["site", "admin", "restapi"];
        let all = all.map(|name| SiteAccess::new(&SiteAccessConfig::plain(name)));
        let matchers = "
            [[site_access_match]]
            HostElement = 2
            [[site_access_match]]
            'Map\\Host' = { 'admin.example.com' = 'admin' }
            [[site_access_match]]
            'Map\\URI' = { admin = 'admin' }
        ";
        let config: crate::config::Config = toml::from_str(matchers).unwrap();
        SiteAccesses {
            default: Arc::clone(&all[0]),
            named: all.into_iter().map(|one| (Arc::clone(&one.name), one)).collect(),
            environment: None,
            matchers: config.site_access_match.iter().map(Matcher::new).collect(),
            port: 80,
            are_configured: true,
        }
    }

    const REST: Selectors = Selectors { header: true, path: false };

    /// The name of the SiteAccess that is selected, or the text of the problem.
    fn selected(
        all: &SiteAccesses,
        by: Selectors,
        host: &str,
        path: &str,
        named: &[&str],
    ) -> String {
        let mut request = Request::builder().uri(path).header("host", host);
        for name in named {
            request = request.header("X-SITEACCESS", *name);
        }
        let request = request.body(()).unwrap();
        match all.resolve(request.headers(), request.uri(), by) {
            Ok(one) => one.name.to_string(),
            Err(unknown) => unknown.to_string(),
        }
    }

    /// `docs/contracts/ibexa.md` §7.1 and §11, checks 22 and 24.
    #[test]
    fn ibexa_22_the_header_comes_first_and_names_a_site_access() {
        let all = site_accesses();
        let at = |host, named: &[&str]| selected(&all, REST, host, "/api/ibexa/v2/x", named);
        assert_eq!(at("x.test", &[]), "site");
        assert_eq!(at("x.test", &["restapi"]), "restapi");
        assert_eq!(at("x.test", &["restapi", "nope"]), "restapi", "the first value counts");
        assert_eq!(at("admin.example.com:8080", &["restapi"]), "restapi");
        for (name, shown) in [
            ("nope", " 'nope'"),
            ("Site", " 'Site'"),
            ("", ""),
            ("site,admin", ""),
            ("<script>", ""),
        ] {
            let expected =
                format!("Invalid SiteAccess{shown}, matched by X-Siteaccess request header.");
            assert_eq!(at("x.test", &[name]), expected);
        }
    }

    #[test]
    fn ibexa_24_a_match_of_an_undefined_name_goes_on_to_the_next_matcher() {
        let all = site_accesses();
        let at = |host| selected(&all, REST, host, "/api/ibexa/v2/x", &[]);
        // Its second label is no SiteAccess.
        assert_eq!(at("ADMIN.example.com"), "admin");
        assert_eq!(at("www.restapi.test"), "restapi");
        assert_eq!(at("admin.example.com."), "site", "another name");
        assert_eq!(at("xadmin.example.com"), "site");
    }

    /// `docs/contracts/ibexa.md` §10, item 9.
    #[test]
    fn a_guard_may_not_trust_the_header() {
        let all = site_accesses();
        let by = Selectors { header: false, path: false };
        assert_eq!(selected(&all, by, "admin.example.com", "/", &["restapi"]), "admin");
        assert_eq!(selected(&all, by, "x.test", "/", &["nope"]), "site");
    }

    #[test]
    fn paths_select_none_at_rest() {
        let all = site_accesses();
        let graphql = Selectors { header: true, path: true };
        assert_eq!(selected(&all, graphql, "x.test", "/admin/graphql", &[]), "admin");
        assert_eq!(selected(&all, REST, "x.test", "/admin/graphql", &[]), "site");
    }

    #[test]
    fn the_environment_comes_before_the_matchers() {
        let mut all = site_accesses();
        all.environment = all.named.get("restapi").cloned();
        assert_eq!(selected(&all, REST, "admin.example.com", "/", &[]), "restapi");
        assert_eq!(selected(&all, REST, "admin.example.com", "/", &["site"]), "site");
    }
}
