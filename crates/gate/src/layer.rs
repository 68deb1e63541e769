//! The layer: one request's way through the gate, on one screen.

use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use castellan_proto::Digest;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode, header::WWW_AUTHENTICATE,
    request::Parts,
};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use moka::sync::Cache;
use tower::{Layer, Service, ServiceExt as _};

use crate::{
    Caller, DecisionId, Denial, Document, GuardSchema, Recorder, Rules, Verifier,
    document::{Span, prune::Pruned},
    forward::Forward,
    media::Wanted,
    plan::Plan,
    request::{find_caller, is_csrf_unsafe, read_envelope},
    response::{self, RequestRefusal},
};

/// The body of an answer: the upstream's, streamed, or one of our own.
pub type ReplyBody = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The service behind the gate, to be asked once or not at all.
pub(crate) type Behind =
    Box<dyn FnOnce(Request<Full<Bytes>>) -> Pending<Result<Response<ReplyBody>, BoxError>> + Send>;

/// Who the caller is, as the [`Attestor`] says it.
pub(crate) const IDENTITY: HeaderName = HeaderName::from_static("castellan-identity");

/// Says who the caller is to what stands behind the gate (`docs/rules.md` rule 39).
pub trait Attestor: Send + Sync {
    /// The value of `Castellan-Identity` for `caller`; `None` if it cannot be made, and then the
    /// request is not sent.
    fn attest(&self, caller: &Caller) -> Option<HeaderValue>;
}

/// Wraps any service that answers GraphQL in the decision. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

/// What all requests of one guard share.
pub(crate) struct Shared {
    pub(crate) schema: Arc<GuardSchema>,
    pub(crate) rules: Rules,
    verifier: Arc<dyn Verifier>,
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    pub(crate) attestor: Option<Arc<dyn Attestor>>,
    pub(crate) strip: Vec<String>,
    pub(crate) documents: Cache<Digest, Arc<Document>>,
    pub(crate) pruned: Cache<(Digest, Vec<Span>), Arc<Pruned>>,
}

impl Shared {
    /// Keeps `document`, unless it would take the place of too many others.
    pub(crate) fn keep(&self, key: Digest, document: &Arc<Document>) {
        if document.bytes as u64 <= DOCUMENTS / PART {
            self.documents.insert(key, Arc::clone(document));
            // By itself the cache looks at its size once in 64 insertions, however large.
            self.documents.run_pending_tasks();
        }
    }

    /// Keeps what is left of a document without what is `gone`, likewise.
    pub(crate) fn keep_pruned(&self, key: (Digest, Vec<Span>), pruned: &Arc<Pruned>) {
        if pruned.bytes() as u64 <= PRUNED / PART {
            self.pruned.insert(key, Arc::clone(pruned));
            self.pruned.run_pending_tasks();
        }
    }

    /// Tells the recorder of a caller who was refused as a whole.
    fn record_unknown(&self, id: &DecisionId, caller: &Caller) {
        if let Some(recorder) = &self.recorder {
            let denial = Denial {
                id: id.as_str().to_owned(),
                caller: caller.into(),
                rules: self.schema.hash().text(),
                ..Denial::default()
            };
            recorder.denied(denial.bounded());
        }
    }
}

/// Bytes of memory that documents take that are kept read, per guard.
const DOCUMENTS: u64 = 32 * 1024 * 1024;
/// The same of what is left of documents without what is denied.
const PRUNED: u64 = 8 * 1024 * 1024;
/// A document that takes more than this part of its cache is not kept.
const PART: u64 = 8;

/// A cache of at most so many bytes, as `weigh` finds them.
fn cache<K, V>(most: u64, weigh: impl Fn(&K, &V) -> usize + Send + Sync + 'static) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .max_capacity(most)
        .weigher(move |key, value| u32::try_from(weigh(key, value)).unwrap_or(u32::MAX))
        .build()
}

impl Gate {
    /// A gate that decides by `schema` and `rules` and asks `verifier` who calls.
    #[must_use]
    pub fn new(schema: Arc<GuardSchema>, rules: Rules, verifier: Arc<dyn Verifier>) -> Self {
        let shared = Shared {
            schema,
            rules,
            verifier,
            recorder: None,
            attestor: None,
            strip: Vec::new(),
            documents: cache(DOCUMENTS, |_, document: &Arc<Document>| document.bytes),
            pruned: cache(PRUNED, |(_, removed): &(Digest, Vec<Span>), pruned: &Arc<Pruned>| {
                512 + std::mem::size_of_val(&**removed) + pruned.bytes()
            }),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many documents are kept read, and how many bytes of memory that takes.
    #[must_use]
    pub fn cached_documents(&self) -> (u64, u64) {
        let documents = &self.shared.documents;
        documents.run_pending_tasks();
        (documents.entry_count(), documents.weighted_size())
    }

    /// Tells denials to `recorder`, and callers to the upstream by `attestor`. Headers named in
    /// `strip` never cross the gate, besides those that never do.
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
        let (shared, inner) = (Arc::clone(&self.shared), self.inner.clone());
        let behind: Behind = Box::new(move |request| {
            Box::pin(async move {
                match inner.oneshot(request).await {
                    Ok(answer) => Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync())),
                    Err(error) => Err(error.into()),
                }
            })
        });
        let (parts, body) = request.into_parts();
        Box::pin(async move { Ok(pass(&shared, behind, parts, body).await) })
    }
}

/// Caller → envelope → document → decision → enforcement → upstream → answer.
async fn pass<B>(shared: &Shared, behind: Behind, parts: Parts, body: B) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<BoxError>,
{
    let id = parts.extensions.get::<DecisionId>().copied().unwrap_or_else(DecisionId::generate);
    let wanted = Wanted::of(&parts.headers);
    // Before anything else is said: to some, nothing else is.
    let arrival = match find_caller(&*shared.verifier, &parts).await {
        Ok(arrival) => arrival,
        Err(refusal) => return refusal.into_response(wanted.unwrap_or(Wanted::Any), &id),
    };
    let challenge = response::challenge(&arrival, shared.verifier.proof_algorithms());
    let caller = arrival.caller;
    if shared.rules.known_callers_only && caller.identity().is_none() {
        shared.record_unknown(&id, &caller);
        let wanted = wanted.unwrap_or(Wanted::Any);
        return response::unknown_caller(&shared.rules, &caller, challenge, wanted, &id);
    }
    let Some(wanted) = wanted else {
        let message = "Answers are application/graphql-response+json or application/json.";
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
    let mut response = match Plan::make(shared, csrf_unsafe, &envelope, &caller) {
        Err(refusal) if hidden && refusal.graphql => refused(RequestRefusal::of_hidden()),
        Ok(plan) if hidden && plan.denies() => {
            plan.record(shared, &id, &caller);
            refused(RequestRefusal::of_hidden())
        }
        Ok(plan) => {
            plan.record(shared, &id, &caller);
            let forward = Forward { shared, id: &id, wanted, caller: &caller };
            forward.answer(behind, parts, &envelope, plan).await
        }
        Err(refusal) => refused(refusal),
    };
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
