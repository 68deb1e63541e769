//! Which site a request is for: determined by its host only, which is normalised already.

use std::collections::HashMap;

use axum::{
    Router,
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, Response},
};
use castellan_gate::DecisionId;

use super::{
    guard_table::GuardTable,
    refusal::{Refusal, Refused, Words},
};
use crate::{guards::Guard, wire::host};

/// Gives the nonce of the moment (RFC 9449 §8).
pub type Nonce = Box<dyn Fn() -> String + Send + Sync>;

/// What one site answers.
pub struct SiteRoutes {
    /// Its name, in lines of the log.
    pub name: String,
    /// What a request's host must be; with a port, exactly, without one at any. Empty: every host.
    pub hosts: Vec<String>,
    /// Whether the world reaches it over https.
    pub https: bool,
    /// Where the world reaches it: a scheme and an authority.
    pub origin: String,
    /// How long browsers are to use https only, where TLS is ours.
    pub hsts: Option<HeaderValue>,
    /// What the next proof of possession must carry, if proofs need a nonce.
    pub nonce: Option<Nonce>,
    /// Its guards, in the order of the file.
    pub guards: Vec<Guard>,
    /// Everything else behind it.
    pub routes: Router,
    /// Paths that any origin may call, without credentials of the browser.
    pub open: Vec<String>,
    /// Paths that origins may call which the app names that it is about; their handlers say so.
    pub by_client: &'static [&'static str],
    /// Headers that requests of other origins may carry there, besides those that are read.
    pub cors_headers: Vec<HeaderName>,
    /// How it words refusals of requests that reach no route; without it, as problem documents.
    pub words: Option<Words>,
}

impl SiteRoutes {
    /// A site of `routes` and nothing else, for every host.
    #[must_use]
    pub fn of(routes: Router) -> Self {
        Self {
            name: "default".to_owned(),
            hosts: Vec::new(),
            https: false,
            origin: String::new(),
            hsts: None,
            nonce: None,
            guards: Vec::new(),
            routes,
            open: Vec::new(),
            by_client: &[],
            cors_headers: Vec::new(),
            words: None,
        }
    }

    /// Where `request` would have reached it by https: at the host of the request if it is one of the
    /// site's, with the port of its public URL.
    pub(super) fn https_origin<B>(&self, request: &Request<B>) -> String {
        let authority = self.origin.split_once("://").map_or(&*self.origin, |(_, rest)| rest);
        let port = &authority[host::parts(authority).0.len()..];
        let asked = host::authority(request.headers(), request.uri());
        let host = asked.map(|host| host::parts(host).0.to_ascii_lowercase());
        let is_it = |listed: &&String| host.as_deref() == Some(host::parts(listed).0);
        // The public URL has its own port; another host may be listed with one.
        let own = host.as_deref() == Some(host::parts(authority).0);
        match self.hosts.iter().find(is_it).filter(|_| !own) {
            Some(listed) if host::parts(listed).1.is_some() => format!("https://{listed}"),
            Some(listed) => format!("https://{listed}{port}"),
            None => format!("https://{authority}"),
        }
    }
}

/// One site, as requests find it.
pub(super) struct Answered {
    pub(super) routes: SiteRoutes,
    guards: GuardTable<Guard>,
    /// Hosts that are those of guards alone.
    own_hosts: Vec<String>,
}

impl Answered {
    fn new(routes: SiteRoutes) -> Self {
        let mut guards = GuardTable::new();
        for guard in &routes.guards {
            guards.add(&guard.config, guard.clone());
        }
        let own = routes.guards.iter().filter(|guard| guard.config.own_host);
        let own_hosts = own.filter_map(|guard| guard.config.host.as_ref()?.only()).collect();
        Self { routes, guards, own_hosts }
    }

    /// Whether a request is for a host of guards alone: nothing of ours is there, as what comes from the
    /// APIs behind them runs in browsers (`docs/rules.md` rule 37).
    pub(super) fn is_of_guards<B>(&self, request: &Request<B>) -> bool {
        if self.own_hosts.is_empty() {
            return false;
        }
        let asked = host::authority(request.headers(), request.uri()).unwrap_or_default();
        self.own_hosts.iter().any(|own| own.eq_ignore_ascii_case(host::parts(asked).0))
    }

    /// The answer to `request`, which comes no further: in the words of what would have answered it.
    pub(super) fn refuse<B>(
        &self,
        refusal: &Refusal,
        request: &Request<B>,
        id: DecisionId,
    ) -> Response<Body> {
        if let Some(guard) = self.guard(request) {
            return guard.refuse_early(&refusal.at_guard(), request.headers(), id);
        }
        match &self.routes.words {
            Some(words) => {
                let (path, headers) = (request.uri().path(), request.headers());
                words(refusal, &Refused { path, headers, id })
            }
            None => refusal.problem(),
        }
    }

    /// The guard that handles `request`. At `/`, a request that asks for nothing is left to the route
    /// that redirects it.
    pub(super) fn guard<B>(&self, request: &Request<B>) -> Option<&Guard> {
        let uri = request.uri();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let asks = uri.query().is_some_and(|query| !query.is_empty());
        if uri.path() == "/" && reads && !asks {
            return None;
        }
        self.guards.find(request.headers(), uri)
    }
}

/// Every site, by host.
pub(super) struct Sites {
    sites: Vec<Answered>,
    by_host: HashMap<String, usize>,
}

impl Sites {
    pub(super) fn new(sites: Vec<SiteRoutes>) -> Self {
        let named = |(at, site_routes): (usize, &SiteRoutes)| {
            site_routes.hosts.iter().map(move |host| (host.clone(), at)).collect::<Vec<_>>()
        };
        let by_host = sites.iter().enumerate().flat_map(named).collect();
        Self { sites: sites.into_iter().map(Answered::new).collect(), by_host }
    }

    /// The site that `request` is for; none if no site answers to its host.
    pub(super) fn of<B>(&self, request: &Request<B>) -> Option<&Answered> {
        if let [only] = &*self.sites
            && only.routes.hosts.is_empty()
        {
            return Some(only);
        }
        // Monitoring of a machine uses its address as the host.
        if matches!(request.uri().path(), "/healthz" | "/readyz") {
            return self.sites.first();
        }
        let host = host::authority(request.headers(), request.uri())?.to_ascii_lowercase();
        let found = self.by_host.get(&host).or_else(|| self.by_host.get(host::parts(&host).0));
        found.and_then(|at| self.sites.get(*at))
    }

    /// The first site with a host of that name at any port.
    pub(super) fn named<B>(&self, request: &Request<B>) -> Option<&Answered> {
        let asked = host::authority(request.headers(), request.uri())?.to_ascii_lowercase();
        let name = host::parts(&asked).0;
        let has =
            |site: &&Answered| site.routes.hosts.iter().any(|listed| host::parts(listed).0 == name);
        self.sites.iter().find(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site_routes(hosts: &[&str]) -> SiteRoutes {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        SiteRoutes { hosts, ..SiteRoutes::of(Router::new()) }
    }

    #[test]
    fn a_host_leads_to_one_site_or_to_none() {
        let sites = Sites::new(vec![
            site_routes(&["a.test", "[::1]"]),
            site_routes(&["b.test", "a.test:81"]),
        ]);
        let of = |host: &str| {
            let request = Request::builder().uri("/").header("host", host).body(()).unwrap();
            sites.of(&request).map(|site| site.routes.hosts[0].clone())
        };
        assert_eq!(of("a.test").as_deref(), Some("a.test"));
        assert_eq!(of("A.TEST:8080").as_deref(), Some("a.test"));
        assert_eq!(of("a.test:81").as_deref(), Some("b.test"));
        assert_eq!(of("b.test:81").as_deref(), Some("b.test"));
        assert_eq!(of("[::1]:8080").as_deref(), Some("a.test"));
        let named = |host: &str| {
            let request = Request::builder().uri("/").header("host", host).body(()).unwrap();
            let found = sites.named(&request);
            found.map(|site| (site.routes.hosts[0].clone(), site.routes.https_origin(&request)))
        };
        let found = |site: &str, origin: &str| Some((site.to_owned(), origin.to_owned()));
        assert_eq!(named("A.test:80"), found("a.test", "https://a.test"));
        assert_eq!(named("c.test"), None);
        for nobody in ["c.test", "a.test.", "xa.test", "a.test:81x", "", ":", "[::1"] {
            assert_eq!(of(nobody), None, "{nobody}");
        }
    }
}
