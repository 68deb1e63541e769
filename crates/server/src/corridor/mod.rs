//! The corridor that every request passes: access log, normalised path, site, credentials over
//! plain HTTP, cross-origin rules, and then a route of Castellan or a guard. No step can be
//! skipped.

mod access_log;
mod certificate_headers;
mod client_ip;
mod cors;
mod guard_table;
mod https;
mod normalise;
mod plaintext;
mod refusal;
mod site;
mod trace;

use std::{net::IpAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use castellan_gate::DecisionId;
use ipnet::IpNet;
use tower::ServiceExt as _;

use crate::{
    background::audit,
    config::CertificateHeaders,
    guards::Guard,
    metrics::Refusals,
    observers::Observers,
    traces::Traces,
    wire::{cors::OwnOriginOnly, request},
};
use access_log::{AccessLogEntry, Observed};
use cors::RequestHeaders;
use site::Sites;
use trace::Trace;

pub(crate) use normalise::LengthBesideCoding;
pub use refusal::{Refusal, Refused, Words};
pub use site::{Nonce, SiteRoutes};

/// How long a request may take to arrive and to be answered; a streamed answer may take longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What some path or other takes.
const METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// The sites, behind the steps that they all share. Cheap to clone.
#[derive(Clone)]
pub struct Corridor {
    /// Replaced as a whole; a request in progress keeps the version that it started with.
    here: Arc<ArcSwap<Here>>,
    /// What counts requests that come no further, if anything is counted.
    refusals: Option<Arc<Refusals>>,
    /// What records requests, if anything is recorded.
    traces: Option<Arc<Traces>>,
}

struct Here {
    sites: Sites,
    believed: Believed,
}

/// Whom is believed about the connection before its own.
#[derive(Clone, Debug, Default)]
pub struct Believed {
    /// From where a request came, and whether by https.
    pub proxies: Vec<IpNet>,
    /// With which client certificate.
    pub certificates: Option<CertificateHeaders>,
}

impl Here {
    fn new(sites: Vec<SiteRoutes>, believed: Believed) -> Arc<Self> {
        Arc::new(Self { sites: Sites::new(sites), believed })
    }
}

impl Corridor {
    /// A corridor to `sites`, in which those are `believed`.
    #[must_use]
    pub fn new(sites: Vec<SiteRoutes>, believed: Believed) -> Self {
        let here = Arc::new(ArcSwap::new(Here::new(sites, believed)));
        Self { here, refusals: None, traces: None }
    }

    /// The same, observed by `observers`; its sites have these `names`.
    pub(crate) fn observed_by<'a>(
        self,
        observers: &Observers,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let refusals = observers.metrics.as_ref().map(|metrics| metrics.refusals(names));
        Self { refusals: refusals.map(Arc::new), traces: observers.traces.clone(), ..self }
    }

    /// From the next request on: to `sites`, where those are `believed`.
    pub fn replace(&self, sites: Vec<SiteRoutes>, believed: Believed) {
        self.here.store(Here::new(sites, believed));
    }

    /// Whether `peer` is a proxy that is believed from where a request came.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.here.load().believed.proxies.iter().any(|net| net.contains(&peer))
    }

    /// Takes one request, which arrived over a connection from `peer`, through the corridor.
    pub async fn walk<B>(&self, mut request: Request<B>, peer: IpAddr) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let here = self.here.load_full();
        // Born before anything can go wrong, so that whatever happens has a name.
        // Whoever asks every few seconds whether the server is well is no part of anything.
        let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
        let traces = self.traces.as_deref().filter(|_| !is_probe);
        let (trace, span) = Trace::of(request.headers(), traces);
        let Believed { proxies, certificates } = &here.believed;
        certificate_headers::take(&mut request, peer, certificates.as_ref());
        let source = client_ip::of(request.headers(), peer, proxies);
        let address = source.map(|source| source.0);
        match source {
            Some(source) => drop(request.extensions_mut().insert(source)),
            None => drop(request.extensions_mut().insert(request::UnknownBehind(peer))),
        }
        // Around all that answers it, so that no record and no line of the log lacks it. On the heap,
        // because each layer around it would move all of it.
        let observed = Observed { span: span.clone(), refusals: self.refusals.as_deref() };
        let answered = Box::pin(here.answer(request, peer, &trace, observed));
        match span {
            Some(span) => span.within(audit::of_request(trace.ids, address, answered)).await,
            None => audit::of_request(trace.ids, address, answered).await,
        }
    }
}

impl Here {
    async fn answer<B>(
        &self,
        request: Request<B>,
        peer: IpAddr,
        trace: &Trace,
        observed: Observed<'_>,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let mut entry = AccessLogEntry::open(request.method(), request.uri(), observed);
        let mut response = self.respond(request, peer, trace, &mut entry).await;
        let id = trace.id;
        response.headers_mut().entry(DecisionId::HEADER).or_insert_with(|| id.value());
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            // A handler that knows better has set the header already.
            let wait = response.headers_mut().entry(header::RETRY_AFTER);
            wait.or_insert(HeaderValue::from_static("1"));
        }
        entry.close(response.status());
        response
    }

    async fn respond<'a, B>(
        &'a self,
        request: Request<B>,
        peer: IpAddr,
        trace: &Trace,
        entry: &mut AccessLogEntry<'a>,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (id, proxies) = (trace.id, &self.believed.proxies);
        if let Err(problem) = normalise::check(&request) {
            let refusal =
                Refusal::new(StatusCode::BAD_REQUEST, "ambiguous_request", problem.to_string());
            let site = self.sites.of(&request);
            entry.site = site.map(|site| &*site.routes.name);
            entry.refuse(refusal.code);
            return site
                .map_or_else(|| refusal.problem(), |one| one.refuse(&refusal, &request, id));
        }
        if normalise::asks_of_the_server(&request) {
            return [(header::ALLOW, METHODS)].into_response();
        }
        let is_redirected = https::is_redirected(&request);
        let site = self.sites.of(&request);
        // A listener that redirects has another port than the one that the site names.
        let site = site.or_else(|| self.sites.named(&request).filter(|_| is_redirected));
        let Some(site) = site else {
            let text = "No site is configured for this host.";
            let refusal = Refusal::new(StatusCode::NOT_FOUND, "no_site", text);
            entry.refuse(refusal.code);
            return refusal.problem();
        };
        let (routes, guard) = (&site.routes, site.guard(&request));
        entry.site = Some(&*routes.name);
        entry.guard = guard.map(|guard| &*guard.config);
        let by_https = plaintext::came_by_https(&request, peer, proxies);
        let mut response = if is_redirected {
            let answer = https::redirect(site, &request, id);
            if answer.status() == StatusCode::FORBIDDEN {
                entry.refuse(plaintext::CODE);
            }
            answer
        } else if routes.https
            && !plaintext::is_covered(&request, peer, proxies)
            && plaintext::has_secrets(&request, guard)
        {
            let refusal = plaintext::refusal();
            entry.refuse(refusal.code);
            site.refuse(&refusal, &request, id)
        } else if site.is_of_guards(&request) && guard.is_none_or(|guard| !guard.config.own_host) {
            let refusal = Refusal::nothing_here();
            entry.count(refusal.code);
            refusal.problem()
        } else {
            pass(&site.routes, guard, request, trace).await
        };
        https::remember(routes, by_https, &mut response);
        response
    }
}

async fn pass<B>(
    site: &SiteRoutes,
    guard: Option<&Guard>,
    request: Request<B>,
    trace: &Trace,
) -> Response<Body>
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let path = request.uri().path();
    // A REST guard is for the origins that it lists, whatever else is at its path.
    let rest = guard.filter(|guard| guard.config.is_http());
    let open = rest.is_none() && cors::is_open(path, &site.open);
    let allowed =
        if open { RequestHeaders::Any } else { RequestHeaders::Known(&site.cors_headers) };
    let by_client = rest.is_none() && site.by_client.contains(&path);
    let preflight = match rest {
        Some(guard) => {
            let origins = &guard.config.allowed_origins;
            cors::listed_preflight(&request, origins, &site.cors_headers)
        }
        None if open || by_client => cors::preflight(&request, allowed),
        None => None,
    };
    if let Some(answer) = preflight {
        return answer;
    }
    let shows_proof = request.headers().contains_key(request::DPOP);
    let origin =
        rest.and_then(|guard| cors::listed(request.headers(), &guard.config.allowed_origins));
    let mut request = request;
    request.extensions_mut().insert(trace.id);
    if guard.is_some() {
        trace.set(request.headers_mut());
    }
    let mut response = answer_in_time(site, guard, request, trace.id).await;
    // A request with a proof of possession gets the nonce for the next one (RFC 9449 §8.2).
    if let Some(nonce) = site.nonce.as_ref().filter(|_| shows_proof)
        && let Ok(nonce) = HeaderValue::from_str(&nonce())
    {
        response.headers_mut().insert("dpop-nonce", nonce);
    }
    if let Some(guard) = rest {
        let is_closed = response.extensions().get::<OwnOriginOnly>().is_some();
        let origin = origin.filter(|_| !is_closed);
        let headers = response.headers_mut();
        cors::withdraw(headers);
        cors::show_to_listed(headers, origin);
        cors::vary(headers, &guard.varies_by());
    } else if open {
        cors::allow(response.headers_mut());
    }
    if let Some(guard) = guard.filter(|_| rest.is_none()) {
        cors::vary(response.headers_mut(), &guard.varies_by());
    }
    response
}

/// The answer, or that it did not come in time.
async fn answer_in_time<B>(
    site: &SiteRoutes,
    guard: Option<&Guard>,
    request: Request<B>,
    id: DecisionId,
) -> Response<Body>
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    if guard.is_some_and(|guard| guard.config.is_http() && guard.streams()) {
        // Bodies take their time, and somebody looks at that.
        return answer(site, guard, request).await;
    }
    let answered = tokio::time::timeout(PATIENCE, answer(site, guard, request)).await;
    answered.unwrap_or_else(|_| {
        let text = "The request did not come to its end in time.";
        let refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, "timed_out", text);
        match guard {
            Some(guard) => guard.refuse(&refusal.at_guard(), &HeaderMap::new(), id),
            None => refusal.problem(),
        }
    })
}

/// By the guard whose path it is, or one of our own routes.
async fn answer<B>(site: &SiteRoutes, guard: Option<&Guard>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    if let Some(guard) = guard {
        // For the same reason.
        return Box::pin(guard.answer(request)).await;
    }
    let asks_for_methods = request.method() == Method::OPTIONS;
    match site.routes.clone().oneshot(request.map(Body::new)).await {
        Ok(response) if asks_for_methods => tell_methods(response),
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The answer to `OPTIONS` where a route says only that it does not take that: which methods it takes
/// (RFC 9110 §9.3.7).
fn tell_methods(refused: Response<Body>) -> Response<Body> {
    let allow = refused.headers().get(header::ALLOW).cloned();
    match allow.filter(|_| refused.status() == StatusCode::METHOD_NOT_ALLOWED) {
        Some(allow) => [(header::ALLOW, allow)].into_response(),
        None => refused,
    }
}
