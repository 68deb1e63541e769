//! Guards of APIs over HTTP that are not GraphQL: `protocol = "http"`.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode},
};
use castellan_gate::{
    Attestor, DecisionId, Recorder, RequestVerdict,
    rest::{RestGate, RestGated, RestMap, RestRefusal, RestSettings},
};
use castellan_proto::Lifetime;
use tower::{Layer as _, ServiceExt as _};

use super::{
    Guard, Inner, rules,
    surface::Gated,
    upstream,
    websocket::{self, Lasting, Opening},
};
use crate::config::{GuardConfig, Method};

/// How long a whole response may take unless the guard says otherwise: as long as each part of it
/// comes in time, a large one takes what it takes.
const LONGEST: Duration = Duration::from_hours(24);

const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

impl Inner {
    /// The gate that decides by `map`.
    pub(super) fn http_gate(
        &self,
        map: Arc<RestMap>,
        recorder: Arc<dyn Recorder>,
        attestor: Option<Arc<dyn Attestor>>,
    ) -> RestGated<upstream::Upstream> {
        let config = &self.config;
        let path = config.upstream.as_ref().map_or("", |url| url.path());
        let plain = RestSettings::default();
        let settings = RestSettings {
            path: config.path.clone(),
            base: path.trim_end_matches('/').to_owned(),
            strip: config.strip_headers.clone(),
            shares_host: !config.own_host,
            our_cookies: self.admission.our_cookies(),
            options_everywhere: config.speaks_of_site_accesses(),
            websocket: config.websocket,
            challenges: challenges(config),
            ..plain
        };
        let settings = match config.credential_problems() {
            Some([missing, expired, invalid]) => {
                RestSettings { missing: Some(missing), expired, invalid, ..settings }
            }
            None => settings,
        };
        let verifier = Arc::clone(&self.credentials) as _;
        let gate = RestGate::new(map, rules(config), verifier, settings).with(recorder, attestor);
        let longest = config.upstream_timeout.map_or(LONGEST, Lifetime::get);
        let upstream = config.upstream.as_ref();
        let upstream = upstream::Upstream::new(self.api.clone(), upstream, longest);
        gate.layer(upstream.observed_by(self.observers.clone()))
    }
}

impl Guard {
    /// Whether bodies pass it as they come, in either direction, so that a request may take long.
    pub(crate) fn streams(&self) -> bool {
        self.config.is_http()
    }

    /// Answers one request to an API that is not GraphQL.
    pub(super) async fn answer_http<B>(&self, mut request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let id = request.extensions().get::<DecisionId>().copied();
        let id = id.unwrap_or_else(DecisionId::generate);
        let opening = (self.config.websocket && websocket::is_asked_for(request.headers()))
            .then(|| Opening::take(request.extensions_mut()))
            .flatten();
        let admission = &self.inner.admission;
        let wording = admission.wording(request.headers());
        let request = match admission.admit(request.map(Body::new)).await {
            Ok(request) => request,
            Err(response) => {
                self.inner.observers.before_gate(response.status());
                return response;
            }
        };
        let response = match self.pass(request).await {
            Ok(response) => response,
            Err(refusal) => {
                self.inner.observers.verdict(RequestVerdict::Unavailable);
                refusal.into_response(&id).map(Body::new)
            }
        };
        let response = admission.reword(response, &wording, id);
        match opening {
            Some(opening) => opening.carry(response, Lasting::of(&self.config, LONGEST)),
            None => response,
        }
    }

    async fn pass(&self, request: Request<Body>) -> Result<Response<Body>, RestRefusal> {
        let Some(Gated::Http(gated)) = self.inner.state.load().gated.clone() else {
            return Err(self.closed_refusal());
        };
        match self.inner.observers.gate(gated.oneshot(request)).await {
            Ok(response) => Ok(response.map(Body::new)),
            Err(never) => match never {},
        }
    }

    /// What everybody is told while it is closed: the kind of reason, and nothing from inside.
    fn closed_refusal(&self) -> RestRefusal {
        let kind = self.trouble().map_or("file_unusable", |trouble| trouble.kind);
        let detail = "This guard is closed because what it decides by cannot be used; the log of \
                      the server says why.";
        let refusal = RestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail);
        RestRefusal { retry_after: Some(2), ..refusal }
    }
}

/// How callers are told to authenticate who did not.
pub(super) fn challenges(config: &GuardConfig) -> Vec<HeaderValue> {
    let methods = config.authenticate.list();
    let bearer = methods.iter().any(Method::is_token).then_some(BEARER);
    let basic = config.basic_challenge();
    bearer.into_iter().chain(basic).collect()
}
