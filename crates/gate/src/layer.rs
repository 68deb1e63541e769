//! The layer: one request's way through the gate, on one screen.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::WWW_AUTHENTICATE, request::Parts};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service};

use crate::{
    DecisionId, GuardSchema, Recorder, RequestVerdict, Rules, Verifier,
    context::{Attestor, Behind, BoxError, Pending, ReplyBody, RequestContext, Shared, behind},
    credential::{Scheme, challenge, find_caller, since},
    forward,
    media::Wanted,
    plan::Plan,
    request::{is_csrf_unsafe, read_envelope},
    response::{RequestRefusal, unknown_caller},
    tally::Tally,
};

/// Wraps any service that answers GraphQL in the decision. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

/// The documents that a gate keeps read.
#[derive(Clone, Copy, Debug)]
pub struct CachedDocuments {
    /// How many there are.
    pub count: u64,
    /// How many bytes of memory they take.
    pub bytes: u64,
}

impl Gate {
    /// A gate that decides by `schema` and `rules` and asks `verifier` who calls.
    #[must_use]
    pub fn new(schema: Arc<GuardSchema>, rules: Rules, verifier: Arc<dyn Verifier>) -> Self {
        let shared = Shared::new(schema, rules, verifier);
        Self { shared: Arc::new(shared) }
    }

    /// The documents that are kept read.
    #[must_use]
    pub fn cached_documents(&self) -> CachedDocuments {
        let documents = &self.shared.documents;
        documents.run_pending_tasks();
        CachedDocuments { count: documents.entry_count(), bytes: documents.weighted_size() }
    }

    /// Reports denials to `recorder`, and attests callers to the upstream with `attestor`. Headers
    /// named in `strip` are removed, besides those that are always removed.
    #[must_use]
    pub fn with(
        self,
        recorder: Arc<dyn Recorder>,
        attestor: Option<Arc<dyn Attestor>>,
        strip: Vec<String>,
    ) -> Self {
        let Shared { schema, rules, verifier, documents, pruned, .. } = &*self.shared;
        let shared = Shared {
            schema: Arc::clone(schema),
            rules: rules.clone(),
            verifier: Arc::clone(verifier),
            recorder: Some(recorder),
            attestor,
            strip,
            documents: documents.clone(),
            pruned: pruned.clone(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { shared: Arc::clone(&self.shared), inner }
    }
}

/// A service behind a [`Gate`]. It never fails: whatever goes wrong is an answer.
#[derive(Clone)]
pub struct Gated<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Gated<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
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
            let mut tally = Tally::of(shared.recorder.as_deref());
            let response = pass(&shared, behind, parts, body, &mut tally).await;
            tally.close(response.status());
            Ok(response)
        })
    }
}

/// Caller → envelope → document → decision → enforcement → upstream → answer.
async fn pass<B>(
    shared: &Shared,
    behind: Behind,
    parts: Parts,
    body: B,
    tally: &mut Tally<'_>,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<BoxError>,
{
    let id = parts.extensions.get::<DecisionId>().copied().unwrap_or_else(DecisionId::generate);
    let wanted = Wanted::of(&parts.headers);
    // This comes first, because some callers must receive no other answer.
    let since = since(&*shared.verifier, &parts);
    let presented = match find_caller(&*shared.verifier, &parts).await {
        Ok(presented) => presented,
        Err(refusal) => return refusal.into_response(wanted.unwrap_or(Wanted::Any), &id),
    };
    let challenge = challenge(&presented, &*shared.verifier);
    let is_challenged = presented.scheme != Scheme::Connection;
    let caller = presented.caller;
    if shared.rules.known_callers_only && caller.identity().is_none() {
        tally.decide(RequestVerdict::Denied);
        shared.record_unknown(&id, &caller);
        let wanted = wanted.unwrap_or(Wanted::Any);
        let bearer = || is_challenged.then_some(HeaderValue::from_static("Bearer"));
        let challenge = challenge.or_else(bearer);
        return unknown_caller(&shared.rules, &caller, challenge, wanted, &id);
    }
    let Some(wanted) = wanted else {
        let message =
            "Responses are sent as application/graphql-response+json or application/json.";
        return RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, message, "NOT_ACCEPTABLE")
            .into_response(Wanted::Json, &id);
    };
    let refused = |refusal: RequestRefusal| refusal.into_response(wanted, &id);
    let (envelope, sent) = match read_envelope(&shared.rules, &parts, body).await {
        Ok(read) => read,
        Err(refusal) => return refused(refusal),
    };
    let csrf_unsafe = is_csrf_unsafe(sent, &parts).then_some(sent);
    let hidden = shared.rules.hides_schema_from(&caller);
    let mut response = match Plan::make(shared, csrf_unsafe, &envelope, &caller, &parts) {
        Err(refusal) if hidden && refusal.graphql => refused(RequestRefusal::of_hidden()),
        Ok(plan) if hidden && plan.denies() => {
            tally.decide(RequestVerdict::Denied);
            plan.record(shared, &id, &caller);
            refused(RequestRefusal::of_hidden())
        }
        Ok(plan) => {
            plan.record(shared, &id, &caller);
            let context = RequestContext { shared, id: &id, wanted, caller: &caller, since };
            let (response, verdict) =
                forward::answer(&context, behind, parts, &envelope, plan).await;
            tally.decide(verdict);
            response
        }
        Err(refusal) => refused(refusal),
    };
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
