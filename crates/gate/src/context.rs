//! What the steps of a request share: the guard's settings and caches, and the service behind.

use std::{error::Error, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use castellan_proto::Digest;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use moka::{Equivalent, sync::Cache};
use tower::{Service, ServiceExt as _};

use crate::{
    Caller, DecisionId, Denial, Document, GuardSchema, Reason, Recorder, Rules, Verifier,
    decide::unknown,
    document::{prune::Pruned, selection::Span},
    media::Wanted,
    upstream_failure::UpstreamFailure,
};

/// The body of an answer: the upstream's, streamed, or one of our own.
pub type ReplyBody = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The service behind the gate, to be asked once or not at all.
pub(crate) type Behind<B = Full<Bytes>> =
    Box<dyn FnOnce(Request<B>) -> Pending<Result<Response<ReplyBody>, BoxError>> + Send>;

/// `service` as what stands behind a gate.
pub(crate) fn behind<S, B, R>(service: S) -> Behind<B>
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    Box::new(move |request| {
        Box::pin(async move {
            match service.oneshot(request).await {
                Ok(answer) => Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync())),
                Err(error) => Err(error.into()),
            }
        })
    })
}

/// Who the caller is, as the [`Attestor`] says it.
pub(crate) const IDENTITY: HeaderName = HeaderName::from_static("castellan-identity");

/// Attests the caller's identity to the service behind the gate (`docs/rules.md` rule 39).
pub trait Attestor: Send + Sync {
    /// The value of `Castellan-Identity` for `caller`; `None` if it cannot be made, and then the
    /// request is not sent.
    fn attest(&self, caller: &Caller) -> Option<HeaderValue>;
}

/// What all requests of one guard share.
pub(crate) struct Shared {
    pub(crate) schema: Arc<GuardSchema>,
    pub(crate) rules: Rules,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    pub(crate) attestor: Option<Arc<dyn Attestor>>,
    pub(crate) strip: Vec<String>,
    pub(crate) documents: Cache<DocumentKey, Arc<Document>>,
    pub(crate) pruned: Cache<(Digest, Vec<Span>), Arc<Pruned>>,
}

/// What a document that was read is found by: all of its text, and the operation that was asked for.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct DocumentKey {
    name: Option<Box<str>>,
    text: Box<str>,
}

/// The same, borrowed from a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DocumentName<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) text: &'a str,
}

impl DocumentKey {
    fn borrowed(&self) -> DocumentName<'_> {
        DocumentName { name: self.name.as_deref(), text: &self.text }
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.name.as_ref().map_or(0, |name| name.len())
    }
}

impl From<DocumentName<'_>> for DocumentKey {
    fn from(of: DocumentName<'_>) -> Self {
        Self { name: of.name.map(Into::into), text: of.text.into() }
    }
}

impl Equivalent<DocumentKey> for DocumentName<'_> {
    fn equivalent(&self, key: &DocumentKey) -> bool {
        *self == key.borrowed()
    }
}

impl Shared {
    /// With empty caches and without a recorder.
    pub(crate) fn new(schema: Arc<GuardSchema>, rules: Rules, verifier: Arc<dyn Verifier>) -> Self {
        Self {
            schema,
            rules,
            verifier,
            recorder: None,
            attestor: None,
            strip: Vec::new(),
            documents: cache(DOCUMENTS, |key: &DocumentKey, document: &Arc<Document>| {
                key.bytes() + document.bytes
            }),
            pruned: cache(PRUNED, |(_, removed): &(Digest, Vec<Span>), pruned: &Arc<Pruned>| {
                512 + std::mem::size_of_val(&**removed) + pruned.bytes()
            }),
        }
    }

    /// Keeps `document`, unless it would take the place of too many others.
    pub(crate) fn keep(&self, key: DocumentKey, document: &Arc<Document>) {
        if document.bytes as u64 <= DOCUMENTS / PART {
            self.documents.insert(key, Arc::clone(document));
            // By itself the cache checks its size once in 64 insertions, however large they are.
            self.documents.run_pending_tasks();
        }
    }

    /// Caches what is left of a document without `gone`, under the same limit.
    pub(crate) fn keep_pruned(&self, key: (Digest, Vec<Span>), pruned: &Arc<Pruned>) {
        if pruned.bytes() as u64 <= PRUNED / PART {
            self.pruned.insert(key, Arc::clone(pruned));
            self.pruned.run_pending_tasks();
        }
    }

    /// Reports a caller who was refused as a whole to the recorder.
    pub(crate) fn record_unknown(&self, id: &DecisionId, caller: &Caller) {
        if let Some(recorder) = &self.recorder {
            let denial = Denial {
                id: id.as_str().to_owned(),
                caller: caller.into(),
                rules: self.schema.hash().text(),
                unknown: Some(unknown(caller).unwrap_or(Reason::NoCredential)),
                ..Denial::default()
            };
            recorder.denied(denial.bounded());
        }
    }
}

/// What stays the same for one request on its way to the service behind and back.
pub(crate) struct RequestContext<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) id: &'a DecisionId,
    pub(crate) wanted: Wanted,
    pub(crate) caller: &'a Caller,
    /// What [`Verifier::moment`] was before the caller was found.
    pub(crate) since: u64,
}

impl RequestContext<'_> {
    /// Tells that the API did not answer as it should.
    pub(crate) fn tell(&self, failure: &UpstreamFailure<'_>) {
        tell(self.shared.recorder.as_ref(), failure);
    }
}

/// Tells `recorder` that the API did not answer as it should; without one, the log.
pub(crate) fn tell(recorder: Option<&Arc<dyn Recorder>>, failure: &UpstreamFailure<'_>) {
    match recorder {
        Some(recorder) => recorder.upstream_failed(failure),
        None => failure.log(),
    }
}

/// Bytes of memory that documents take that are kept read, per guard.
const DOCUMENTS: u64 = 32 * 1024 * 1024;
/// The same of what is left of documents without what is denied.
const PRUNED: u64 = 8 * 1024 * 1024;
/// A document that takes more than this part of its cache is not kept.
const PART: u64 = 8;

/// A cache of at most `most` bytes, as `weigh` counts them.
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
