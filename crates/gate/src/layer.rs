//! The layer: one request's way through the gate, on one screen.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use apollo_compiler::{introspection::check_max_depth, response::JsonMap, validation::Valid};
use bytes::Bytes;
use castellan_proto::Digest;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use moka::sync::Cache;
use serde_json::{Map, Value, json};
use tower::{Layer, Service, ServiceExt as _};

use crate::{
    Caller, Credential, DecisionId, Denial, DeniedField, Document, DocumentError, Envelope,
    GuardSchema, OnDeny, Reason, Recorder, Root, Rules, Verdict, Verifier,
    decide::decide,
    document::{Place, Selected, Span},
    enforce::{Pruned, blank},
    headers::{strip_request_headers, strip_response_headers},
    local, media,
    media::Wanted,
    reply::{RequestRefusal, dress, json_response, words},
    weave::{Gap, Upstream, weave},
};

/// The body of an answer: the upstream's, streamed, or one of our own.
pub type ReplyBody = UnsyncBoxBody<Bytes, BoxError>;
type BoxError = Box<dyn Error + Send + Sync>;

/// Says who the caller is to what stands behind the gate (`design.md` rule 39).
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

struct Shared {
    schema: Arc<GuardSchema>,
    rules: Rules,
    verifier: Arc<dyn Verifier>,
    recorder: Option<Arc<dyn Recorder>>,
    attestor: Option<Arc<dyn Attestor>>,
    strip: Vec<String>,
    documents: Cache<Digest, Arc<Document>>,
    pruned: Cache<(Digest, Vec<Span>), Arc<Pruned>>,
}

/// Bytes of documents that are kept read, per guard.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

impl Gate {
    /// A gate that decides by `schema` and `rules` and asks `verifier` who calls.
    #[must_use]
    pub fn new(schema: Arc<GuardSchema>, rules: Rules, verifier: Arc<dyn Verifier>) -> Self {
        let weight = |length: usize| u32::try_from(length * 8 + 512).unwrap_or(u32::MAX);
        let shared = Shared {
            schema,
            rules,
            verifier,
            recorder: None,
            attestor: None,
            strip: Vec::new(),
            documents: Cache::builder()
                .max_capacity(CACHE_BYTES)
                .weigher(move |_, document: &Arc<Document>| weight(document.text.len()))
                .build(),
            pruned: Cache::builder()
                .max_capacity(CACHE_BYTES)
                .weigher(move |_, pruned: &Arc<Pruned>| weight(pruned.text.len()))
                .build(),
        };
        Self { shared: Arc::new(shared) }
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The service behind is waited for only when a request is sent on.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (shared, inner) = (Arc::clone(&self.shared), self.inner.clone());
        Box::pin(async move { Ok(pass(&shared, inner, request).await) })
    }
}

/// Envelope → caller → document → decision → enforcement → upstream → answer.
async fn pass<S, B, R>(shared: &Shared, inner: S, request: Request<B>) -> Response<ReplyBody>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Send,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let id = parts.extensions.get::<DecisionId>().cloned().unwrap_or_else(DecisionId::generate);
    let Some(wanted) = Wanted::of(&parts.headers) else {
        let message = "Answers are application/graphql-response+json or application/json.";
        return RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, message, "NOT_ACCEPTABLE")
            .into_response(Wanted::Json, &id);
    };
    let refused = |refusal: RequestRefusal| refusal.into_response(wanted, &id);
    let envelope = match read_envelope(shared, &parts, body).await {
        Ok(envelope) => envelope,
        Err(refusal) => return refused(refusal),
    };
    let caller = match find_caller(shared, &parts).await {
        Ok(caller) => caller,
        Err(refusal) => return refused(refusal),
    };
    let plan = match Plan::make(shared, &parts.method, &envelope, &caller) {
        Ok(plan) => plan,
        Err(refusal) => return refused(refusal),
    };
    plan.record(shared, &id, &caller);
    let crossing = Crossing { shared, id: &id, wanted, caller: &caller };
    let mut response = crossing.answer(inner, parts, &envelope, plan).await;
    if let Caller::Anonymous(Some(_)) = caller {
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

async fn read_envelope<B>(
    shared: &Shared,
    parts: &http::request::Parts,
    body: B,
) -> Result<Envelope, RequestRefusal>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<BoxError>,
{
    let bad = |message: &str, code| RequestRefusal::new(StatusCode::BAD_REQUEST, message, code);
    if parts.headers.contains_key(header::UPGRADE) {
        return Err(bad("Subscriptions over sockets are not served here.", "UPGRADE_REFUSED"));
    }
    match parts.method {
        Method::GET => Envelope::from_pairs(pairs(parts.uri.query().unwrap_or_default())),
        Method::POST => {
            if !media::is_json(&parts.headers) {
                let message = "Send one JSON object as application/json in UTF-8, uncompressed; \
                               forms, multipart and plain text are not read here.";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                return Err(RequestRefusal::new(status, message, "UNSUPPORTED_MEDIA_TYPE"));
            }
            let limit = shared.rules.limits.body_bytes;
            let bytes = match Limited::new(body, limit).collect().await {
                Ok(collected) => collected.to_bytes(),
                Err(error) if error.is::<LengthLimitError>() => {
                    let message = format!("The body is larger than {limit} bytes.");
                    let status = StatusCode::PAYLOAD_TOO_LARGE;
                    return Err(RequestRefusal::new(status, &message, "TOO_LARGE"));
                }
                Err(_) => return Err(bad("The body broke off.", "BAD_REQUEST")),
            };
            Envelope::from_json(&bytes)
        }
        _ => {
            let message = "Send GraphQL by POST; queries also by GET.";
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(RequestRefusal::new(status, message, "METHOD_NOT_ALLOWED"));
        }
    }
    .map_err(|error| bad(&error.to_string(), "BAD_REQUEST"))
}

/// Decoded pairs of a URL query, `+` read as a blank.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name), percent_decode(value))
    })
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match (byte, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

const X_JWT_AUD: HeaderName = HeaderName::from_static("x-jwt-aud");

/// Who calls. One credential at most, read by one strict parser (`security-cases.md` row 32).
async fn find_caller(
    shared: &Shared,
    parts: &http::request::Parts,
) -> Result<Caller, RequestRefusal> {
    let several = || {
        let message = "Send one credential, in one Authorization header.";
        RequestRefusal::new(StatusCode::BAD_REQUEST, message, "SEVERAL_CREDENTIALS")
    };
    let query = parts.uri.query().unwrap_or_default();
    let in_query = pairs(query).any(|(name, _)| name == "access_token");
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (headers.next(), headers.next());
    if second.is_some() || (in_query && first.is_some()) {
        return Err(several());
    }
    let Some(value) = first else {
        // A token in the URL is no credential, but it was meant as one.
        return Ok(if in_query { Caller::invalid() } else { Caller::NOBODY });
    };
    if value.is_empty() {
        return Ok(Caller::NOBODY);
    }
    let Some(bearer) = value.to_str().ok().and_then(bearer_token) else {
        return Ok(Caller::invalid());
    };
    let mut audiences = parts.headers.get_all(X_JWT_AUD).iter();
    let audience = match (audiences.next(), audiences.next()) {
        (None, _) => None,
        (Some(value), None) => match value.to_str() {
            Ok(text) => Some(text),
            Err(_) => return Ok(Caller::invalid()),
        },
        (Some(_), Some(_)) => return Err(several()),
    };
    shared.verifier.verify(&Credential { bearer, audience }).await.map_err(|unavailable| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        RequestRefusal::new(status, &unavailable.to_string(), "UNAVAILABLE")
    })
}

/// The token of an `Authorization` value: the scheme in any case, blanks, one `b64token`
/// (RFC 6750 §2.1).
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(inside))
        .then_some(token)
}

/// What is to be done with one request.
struct Plan {
    document: Arc<Document>,
    key: Digest,
    variables: Valid<JsonMap>,
    verdicts: Vec<Verdict>,
}

impl Plan {
    fn make(
        shared: &Shared,
        method: &Method,
        envelope: &Envelope,
        caller: &Caller,
    ) -> Result<Self, RequestRefusal> {
        let name = envelope.operation_name.as_deref();
        let key =
            Digest::of(format!("{}\0{}", name.unwrap_or_default(), envelope.query).as_bytes());
        let schema = &*shared.schema;
        let document = match shared.documents.get(&key) {
            Some(document) => document,
            None => {
                let read = Document::read(schema, &envelope.query, name, &shared.rules.limits);
                let document = Arc::new(read.map_err(refuse_document)?);
                shared.documents.insert(key, Arc::clone(&document));
                document
            }
        };
        match document.root() {
            Root::Mutation if *method == Method::GET => {
                let message = "A mutation cannot be sent by GET.";
                let status = StatusCode::METHOD_NOT_ALLOWED;
                return Err(RequestRefusal::new(status, message, "MUTATION_OVER_GET"));
            }
            Root::Subscription => {
                let message = "Subscriptions are not served over plain HTTP.";
                let error =
                    json!({"message": message, "extensions": {"code": "SUBSCRIPTION_REFUSED"}});
                return Err(RequestRefusal::of_document(vec![error]));
            }
            _ => {}
        }
        let variables = document.coerce(schema, &envelope.variables).map_err(refuse_document)?;
        let verdicts: Vec<Verdict> = document
            .selected()
            .iter()
            .map(|selected| match selected.ask(schema) {
                Some(ask) => decide(ask, caller, &shared.rules),
                // Validation knows the field and the table does not: never run unchecked.
                None => Verdict::Deny(Reason::TokenScope),
            })
            .collect();
        let plan = Self { document, key, variables, verdicts };
        plan.check_introspection()?;
        Ok(plan)
    }

    fn check_introspection(&self) -> Result<(), RequestRefusal> {
        let asks = self.document.selected().iter().any(|one| one.field.starts_with("__s"));
        let Some(operation) = self.document.operation().filter(|_| asks) else { return Ok(()) };
        check_max_depth(&self.document.executable, operation).map_err(|error| {
            let sources = &self.document.executable.sources;
            refuse_document(DocumentError::Invalid(vec![error.to_graphql_error(sources)]))
        })
    }

    /// Selections with their verdicts.
    fn decided(&self) -> impl Iterator<Item = (&Selected, Verdict)> {
        self.document.selected().iter().zip(self.verdicts.iter().copied())
    }

    /// Denied selections that would run, one for each path.
    fn denied(&self) -> Vec<(&Selected, Reason)> {
        let mut seen = BTreeSet::new();
        self.decided()
            .filter_map(|(selected, verdict)| match verdict {
                Verdict::Deny(reason) => Some((selected, reason)),
                _ => None,
            })
            .filter(|(selected, _)| selected.place.runs(&self.variables))
            .filter(|(selected, _)| seen.insert(&selected.path))
            .collect()
    }

    /// What is not sent on: all that is denied, whether it would run or not, and what is ours.
    fn gone(&self) -> BTreeSet<Span> {
        self.decided()
            .filter(|(_, verdict)| *verdict != Verdict::Allow)
            .map(|(selected, _)| selected.place.span)
            .collect()
    }

    fn record(&self, shared: &Shared, id: &DecisionId, caller: &Caller) {
        let denied = self.denied();
        let Some(recorder) = shared.recorder.as_ref().filter(|_| !denied.is_empty()) else {
            return;
        };
        let fields = denied.into_iter().map(|(selected, reason)| DeniedField {
            path: selected.path.join("."),
            field: format!("{}.{}", selected.root.as_str(), selected.field),
            demand: shared
                .schema
                .entry(selected.root, &selected.field)
                .map(|entry| entry.demand.clone()),
            reason,
        });
        recorder.denied(Denial {
            id: id.0.clone(),
            operation: self.document.root().as_str().to_owned(),
            caller: caller.into(),
            document: Digest::of(self.document.text.as_bytes()).text(),
            rules: shared.schema.hash().text(),
            fields: fields.collect(),
        });
    }
}

fn refuse_document(error: DocumentError) -> RequestRefusal {
    match error {
        DocumentError::Invalid(errors) => RequestRefusal::of_document(
            errors.iter().map(|error| serde_json::to_value(error).unwrap_or_default()).collect(),
        ),
        DocumentError::TooLarge(message) => RequestRefusal::of_document(vec![
            json!({"message": message, "extensions": {"code": "LIMIT_EXCEEDED"}}),
        ]),
    }
}

/// One decided request on its way over.
struct Crossing<'a> {
    shared: &'a Shared,
    id: &'a DecisionId,
    wanted: Wanted,
    caller: &'a Caller,
}

impl Crossing<'_> {
    async fn answer<S, R>(
        &self,
        inner: S,
        parts: http::request::Parts,
        envelope: &Envelope,
        plan: Plan,
    ) -> Response<ReplyBody>
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>> + Send,
        S::Error: Into<BoxError>,
        S::Future: Send,
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let denied = plan.denied();
        let root = plan.document.root();
        if !denied.is_empty()
            && root == Root::Query
            && self.shared.rules.manner.denied_query_is_null
        {
            return self.json(&json!({"data": null}));
        }
        let mut gaps: Vec<Gap> = denied
            .iter()
            .map(|(selected, reason)| self.gap(&selected.path, &selected.place, *reason))
            .collect();
        let all_or_nothing = root == Root::Mutation && self.shared.rules.on_deny == OnDeny::Reject;
        let breaks = denied.iter().any(|(selected, _)| !selected.place.nullable);
        if !denied.is_empty() && (all_or_nothing || breaks) {
            return self.nothing_runs(gaps);
        }
        let gone = plan.gone();
        let alone = plan.document.executable.operations.len() == 1;
        if gone.is_empty() && alone {
            let request = match self.request(parts, envelope.to_json()) {
                Ok(request) => request,
                Err(refusal) => return refusal.into_response(self.wanted, self.id),
            };
            return match self.send(inner, request).await {
                Ok(response) => self.stream(response),
                Err(refusal) => refusal.into_response(self.wanted, self.id),
            };
        }
        let pruned = match self.prune(&plan, gone) {
            Ok(pruned) => pruned,
            Err(refusal) => return refusal.into_response(self.wanted, self.id),
        };
        for holder in &plan.document.holders {
            if !pruned.emptied.contains(&holder.place.span) || !holder.place.runs(&plan.variables) {
                continue;
            }
            let below = plan.decided().find_map(|(selected, verdict)| match verdict {
                Verdict::Deny(reason) if selected.path.starts_with(&holder.path) => Some(reason),
                _ => None,
            });
            gaps.push(self.gap(&holder.path, &holder.place, below.unwrap_or(Reason::TokenScope)));
            if all_or_nothing || !holder.place.nullable {
                return self.nothing_runs(gaps);
            }
        }
        let upstream = if pruned.empty {
            Ok(Upstream::unasked())
        } else {
            self.ask(inner, parts, envelope, &pruned).await
        };
        match upstream {
            Ok(upstream) => self.woven(&plan, upstream, gaps),
            Err(refusal) => refusal.into_response(self.wanted, self.id),
        }
    }

    fn woven(&self, plan: &Plan, mut upstream: Upstream, gaps: Vec<Gap>) -> Response<ReplyBody> {
        let (schema, document) = (&self.shared.schema, &plan.document);
        let (local, errors) = local::answer(schema, document, &plan.variables, self.caller);
        let ours: Map<String, Value> = plan
            .decided()
            .filter(|(selected, verdict)| *verdict == Verdict::Local && selected.path.len() == 1)
            .filter_map(|(one, _)| Some((one.path[0].clone(), local.get(&one.path[0])?.clone())))
            .collect();
        let of_ours =
            |error: &Value| error["path"][0].as_str().is_some_and(|key| ours.contains_key(key));
        let errors = errors.iter().filter_map(|error| serde_json::to_value(error).ok());
        upstream.errors.extend(errors.filter(of_ours));
        let mut keys: Vec<&str> = Vec::new();
        for selected in document.selected() {
            let key = &*selected.path[0];
            if selected.path.len() == 1
                && selected.place.runs(&plan.variables)
                && !keys.contains(&key)
            {
                keys.push(key);
            }
        }
        self.json(&weave(&keys, upstream, ours, gaps))
    }

    /// The document without what is gone, read and decided once more before it counts.
    fn prune(&self, plan: &Plan, gone: BTreeSet<Span>) -> Result<Arc<Pruned>, RequestRefusal> {
        let key = (plan.key, gone.iter().copied().collect::<Vec<_>>());
        if let Some(pruned) = self.shared.pruned.get(&key) {
            return Ok(pruned);
        }
        let pruned = Arc::new(blank(&plan.document, &gone));
        if !pruned.empty {
            let (schema, rules) = (&self.shared.schema, &self.shared.rules);
            let name = plan.document.operation_name();
            let sound =
                Document::reread(schema, &pruned.text, name, &rules.limits).is_ok_and(|left| {
                    left.selected().iter().all(|selected| {
                        selected
                            .ask(schema)
                            .is_some_and(|ask| decide(ask, self.caller, rules) == Verdict::Allow)
                    })
                });
            if !sound {
                tracing::error!(
                    decision = self.id.0,
                    "a pruned document did not read back as allowed"
                );
                let message = "The request could not be reduced to what is allowed.";
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return Err(RequestRefusal::new(status, message, "INTERNAL"));
            }
            self.shared.pruned.insert(key, Arc::clone(&pruned));
        }
        Ok(pruned)
    }

    async fn ask<S, R>(
        &self,
        inner: S,
        parts: http::request::Parts,
        envelope: &Envelope,
        pruned: &Pruned,
    ) -> Result<Upstream, RequestRefusal>
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>> + Send,
        S::Error: Into<BoxError>,
        S::Future: Send,
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let kept = |name: &String| pruned.variables.contains(name);
        let variables = envelope.variables.iter().filter(|(name, _)| kept(name));
        let reduced = Envelope {
            query: pruned.text.clone(),
            operation_name: envelope.operation_name.clone(),
            variables: variables.map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        let response = self.send(inner, self.request(parts, reduced.to_json())?).await?;
        let limit = self.shared.rules.limits.answer_bytes;
        let body = Limited::new(response.into_body(), limit).collect().await.map_err(|_| {
            bad_gateway("The answer of the API broke off, or is too large to be put together.")
        })?;
        Upstream::read(&body.to_bytes())
            .ok_or_else(|| bad_gateway("The API behind this guard gave no GraphQL answer."))
    }

    /// The request as it is sent on: our body, our headers, and what is left of the caller's.
    fn request(
        &self,
        mut parts: http::request::Parts,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, RequestRefusal> {
        strip_request_headers(&mut parts.headers, &self.shared.strip);
        let headers = &mut parts.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = "application/graphql-response+json, application/json;q=0.9";
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        headers.insert(DecisionId::HEADER, self.id.value());
        if let Some(attestor) = &self.shared.attestor {
            let identity = attestor.attest(self.caller).ok_or_else(|| {
                let message = "The caller cannot be named to the API at the moment.";
                RequestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "UNAVAILABLE")
            })?;
            headers.insert(HeaderName::from_static("castellan-identity"), identity);
        }
        parts.method = Method::POST;
        parts.uri = parts.uri.path().parse().unwrap_or_default();
        Ok(Request::from_parts(parts, Full::from(body)))
    }

    async fn send<S, R>(
        &self,
        inner: S,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<R>, RequestRefusal>
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>> + Send,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let response = inner.oneshot(request).await.map_err(|error| {
            let error: BoxError = error.into();
            tracing::warn!(
                decision = self.id.0,
                error = &*error as &dyn Error,
                "no answer from upstream"
            );
            bad_gateway("The API behind this guard did not answer.")
        })?;
        if is_graphql(response.headers()) {
            Ok(response)
        } else {
            Err(bad_gateway("The API behind this guard gave no GraphQL answer."))
        }
    }

    fn stream<R>(&self, response: Response<R>) -> Response<ReplyBody>
    where
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let mut response = response.map(|body| body.map_err(Into::into).boxed_unsync());
        let headers = response.headers_mut();
        strip_response_headers(headers);
        headers.insert(header::CONTENT_TYPE, self.wanted.content_type());
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        dress(headers, self.id);
        response
    }

    fn nothing_runs(&self, gaps: Vec<Gap>) -> Response<ReplyBody> {
        let errors: Vec<Value> = gaps.into_iter().map(|gap| gap.error).collect();
        self.json(&json!({"errors": errors, "data": null}))
    }

    fn json(&self, body: &Value) -> Response<ReplyBody> {
        json_response(StatusCode::OK, body, self.wanted, self.id)
    }

    fn gap(&self, path: &[String], place: &Place, reason: Reason) -> Gap {
        let (message, code) = words(&self.shared.rules, reason);
        let error = json!({
            "message": message,
            "locations": [{"line": place.line, "column": place.column}],
            "path": path,
            "extensions": {"code": code, "reason": reason.as_str(), "decision": self.id.0},
        });
        Gap { path: path.to_vec(), error }
    }
}

fn bad_gateway(message: &str) -> RequestRefusal {
    RequestRefusal::new(StatusCode::BAD_GATEWAY, message, "UPSTREAM")
}

/// Whether an answer is of a media type that the issuer's origin may pass on (`design.md` rule 37).
fn is_graphql(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json")
        || name.eq_ignore_ascii_case("application/graphql-response+json")
}
