//! The layer: one request's way through the gate, on one screen.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty};
use tower::{Layer, Service};

use super::{
    body::RequestBody,
    forward::Allowed,
    judge::{judge, with_scope},
    map::{Found, Operation, RestMap},
    refusal::RestRefusal,
    shared::{Behind, RestSettings, RestShared},
    websocket::{self, Handshake},
};
use crate::{
    Attestor, Caller, DecisionId, Reason, Recorder, RequestVerdict, Rules, Verifier,
    context::{BoxError, Pending, ReplyBody, behind},
    credential::{challenge, find_caller, since},
    decide::unknown,
    request::has_access_token,
    response::set_common_headers,
    tally::Tally,
};

/// Wraps any HTTP service in the decision. Cheap to clone.
#[derive(Clone)]
pub struct RestGate {
    shared: Arc<RestShared>,
}

/// The caller of a request, as the credential shows it. The host of the gate may find it first, with
/// [`present`], and put it among the request's extensions: then it is not looked for again.
#[derive(Clone, Debug)]
pub struct Presented {
    /// Who calls.
    pub caller: Caller,
    /// The challenge, if the credential is not valid.
    pub challenge: Option<HeaderValue>,
    /// What [`Verifier::moment`] was before the caller was found.
    pub since: u64,
}

/// Finds who sent the request with the head `parts`: by one credential at most, read by one strict
/// parser (`docs/security-cases.md` row 32).
///
/// # Errors
/// [`RestRefusal`] if there are several, or if that cannot be told now.
pub async fn present(verifier: &dyn Verifier, parts: &Parts) -> Result<Presented, RestRefusal> {
    let query = parts.uri.query().unwrap_or_default();
    // It would be passed on with the query (RFC 6750 §2.3).
    if has_access_token(query) {
        let detail = "Send the credential in the header Authorization, and not in the URL.";
        return Err(RestRefusal::new(StatusCode::BAD_REQUEST, "invalid_request", detail));
    }
    let since = since(verifier, parts);
    let presented = find_caller(verifier, parts).await?;
    let challenge = challenge(&presented, verifier);
    Ok(Presented { caller: presented.caller, challenge, since })
}

impl RestGate {
    /// A gate that decides by `map` and `rules` and asks `verifier` who calls.
    #[must_use]
    pub fn new(
        map: Arc<RestMap>,
        rules: Rules,
        verifier: Arc<dyn Verifier>,
        settings: RestSettings,
    ) -> Self {
        let (recorder, attestor) = (None, None);
        let shared = RestShared { map, rules, verifier, recorder, attestor, settings };
        Self { shared: Arc::new(shared) }
    }

    /// Reports denials to `recorder`, and attests callers to the upstream with `attestor`.
    #[must_use]
    pub fn with(self, recorder: Arc<dyn Recorder>, attestor: Option<Arc<dyn Attestor>>) -> Self {
        let RestShared { map, rules, verifier, settings, .. } = &*self.shared;
        let shared = RestShared {
            map: Arc::clone(map),
            rules: rules.clone(),
            verifier: Arc::clone(verifier),
            recorder: Some(recorder),
            attestor,
            settings: settings.clone(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl<S> Layer<S> for RestGate {
    type Service = RestGated<S>;

    fn layer(&self, inner: S) -> RestGated<S> {
        RestGated { shared: Arc::clone(&self.shared), inner }
    }
}

/// A service behind a [`RestGate`]. It never fails: whatever goes wrong is an answer.
#[derive(Clone)]
pub struct RestGated<S> {
    shared: Arc<RestShared>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RestGated<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<ReplyBody>;
    type Error = Infallible;
    type Future = Pending<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The service behind is waited for only when a request is sent on.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (shared, behind) = (Arc::clone(&self.shared), behind(self.inner.clone()));
        let (parts, body) = request.into_parts();
        Box::pin(async move {
            let id = parts.extensions.get::<DecisionId>().copied();
            let id = id.unwrap_or_else(DecisionId::generate);
            let mut tally = Tally::of(shared.recorder.as_deref());
            let passed = pass(&shared, behind, (parts, body), &id, &mut tally).await;
            let response = passed.unwrap_or_else(|refusal| refusal.into_response(&id));
            tally.close(response.status());
            Ok(response)
        })
    }
}

/// Caller → operation → decision → upstream → answer.
async fn pass<B>(
    shared: &Arc<RestShared>,
    behind: Behind,
    (mut parts, body): (Parts, B),
    id: &DecisionId,
    tally: &mut Tally<'_>,
) -> Result<Response<ReplyBody>, RestRefusal>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let path = shared.below(parts.uri.path())?.to_owned();
    let handshake = shared.handshake(&parts)?;
    let found = shared.map.find(&parts.method, &path).map_err(|_| {
        let detail = "The path can be read in more than one way.";
        RestRefusal::new(StatusCode::BAD_REQUEST, "ambiguous_path", detail)
    })?;
    if let Some(allow) = shared.told_methods(&parts.method, &found) {
        tally.decide(RequestVerdict::Allowed);
        return Ok(options(&allow, id));
    }
    let presented = match parts.extensions.remove::<Presented>() {
        Some(presented) => presented,
        None => present(&*shared.verifier, &parts).await?,
    };
    if shared.rules.known_callers_only && presented.caller.identity().is_none() {
        tally.decide(RequestVerdict::Denied);
        return Err(shared.unknown_caller(id, &presented));
    }
    let (operation, values) = match found {
        Found::Operation(operation, values) => (operation, values),
        Found::OtherMethods(allowed) => {
            let detail = "This path does not take this method.";
            let mut refusal =
                RestRefusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
            refusal.allow = HeaderValue::from_str(&allowed.text()).ok();
            return Err(refusal);
        }
        Found::Nothing => return Err(not_found()),
    };
    let caller = &presented.caller;
    let judgement = judge(operation, &values, caller, &shared.rules, &parts);
    if let Some(denial) = judgement.denial(operation, (id, caller), &parts, shared.map.hash())
        && let Some(recorder) = &shared.recorder
    {
        recorder.denied(denial);
    }
    let challenges = shared.challenges(&presented, Some(operation));
    if let Some(mut refusal) = judgement.refusal(operation, &shared.rules, &challenges) {
        tally.decide(RequestVerdict::Denied);
        if let Some(detail) = shared.problem(caller) {
            refusal.detail = detail.into();
        }
        return Err(refusal);
    }
    tally.decide(RequestVerdict::Allowed);
    let is_public = judgement.is_public;
    if let (Some(identity), Some(recorder), false) =
        (caller.identity(), &shared.recorder, is_public)
    {
        recorder.used(identity, &mut std::iter::once(&operation.required));
    }
    let allowed = Allowed { shared, id, caller, is_public, since: presented.since };
    let mut response = allowed.forward(behind, (parts, path, handshake), body).await?;
    if let Some(challenge) = presented.challenge.filter(|one| shared.takes(one)) {
        response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
    }
    Ok(response)
}

impl RestShared {
    /// What comes after the path of the guard.
    #[expect(clippy::result_large_err, reason = "it is handed on, and made once")]
    fn below<'a>(&self, path: &'a str) -> Result<&'a str, RestRefusal> {
        let rest = path.strip_prefix(&*self.settings.path);
        rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).ok_or_else(not_found)
    }

    /// The methods of a path, if a request with `method` asks for them and no operation answers that.
    fn told_methods(&self, method: &Method, found: &Found<'_>) -> Option<String> {
        match found {
            _ if *method != Method::OPTIONS => None,
            Found::OtherMethods(allowed) => Some(allowed.text()),
            Found::Nothing => self.settings.options_everywhere.then(|| "OPTIONS".to_owned()),
            Found::Operation(..) => None,
        }
    }

    /// What opens a WebSocket, if the request does. No other protocol is changed to.
    #[expect(clippy::result_large_err, reason = "it is handed on, and made once")]
    fn handshake(&self, parts: &Parts) -> Result<Option<Handshake>, RestRefusal> {
        if !websocket::is_asked_for(parts) {
            return Ok(None);
        }
        if self.settings.websocket {
            return Handshake::read(parts).map(Some);
        }
        let detail = "This guard changes to no other protocol.";
        Err(RestRefusal::new(StatusCode::BAD_REQUEST, "upgrade_refused", detail))
    }

    /// The challenges to a caller who showed nothing valid.
    fn challenges(&self, shown: &Presented, operation: Option<&Operation>) -> Vec<HeaderValue> {
        match (&shown.challenge, operation) {
            (Some(challenge), _) if self.takes(challenge) => vec![challenge.clone()],
            // After a credential in another scheme too: how to show one is said as if there were none.
            (Some(_), _) | (None, None) => self.settings.challenges.clone(),
            (None, Some(operation)) => {
                let scope = operation.required.as_str();
                self.settings.challenges.iter().map(|one| with_scope(one, scope)).collect()
            }
        }
    }

    /// What is wrong with the credential of `caller`, if it is not valid or missing.
    fn problem(&self, caller: &Caller) -> Option<&'static str> {
        match unknown(caller)? {
            Reason::NoCredential => self.settings.missing,
            Reason::CredentialExpired => Some(self.settings.expired),
            _ => Some(self.settings.invalid),
        }
    }

    /// Whether credentials in the scheme of `challenge` are taken.
    fn takes(&self, challenge: &HeaderValue) -> bool {
        let scheme = |value: &HeaderValue| {
            let name = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
            // A token is asked for with a proof where tokens are taken at all (RFC 9449 §7.1).
            if name == b"DPoP" { b"Bearer".to_vec() } else { name.to_vec() }
        };
        self.settings.challenges.iter().any(|one| scheme(one) == scheme(challenge))
    }

    fn unknown_caller(&self, id: &DecisionId, shown: &Presented) -> RestRefusal {
        if let Some(recorder) = &self.recorder {
            recorder.denied(crate::Denial {
                id: id.as_str().to_owned(),
                caller: (&shown.caller).into(),
                rules: self.map.hash().text(),
                unknown: Some(unknown(&shown.caller).unwrap_or(Reason::NoCredential)),
                ..crate::Denial::default()
            });
        }
        let detail = self.problem(&shown.caller).unwrap_or("Sign in to use this API.");
        let mut refusal = RestRefusal::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail);
        refusal.challenges = self.challenges(shown, None);
        refusal
    }
}

fn not_found() -> RestRefusal {
    RestRefusal::new(StatusCode::NOT_FOUND, "not_found", "There is no such operation.")
}

/// The answer to `OPTIONS`, which says which methods a path takes (RFC 9110 §9.3.7).
fn options(allow: &str, id: &DecisionId) -> Response<ReplyBody> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(allow).ok().map(|allow| (header::ALLOW, allow)));
    set_common_headers(headers, id);
    response
}
