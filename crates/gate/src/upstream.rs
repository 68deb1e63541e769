//! To the service behind and back: headers, and what counts as an answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header, request::Parts,
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};

use crate::{
    AnswerMemory, DecisionId, Shown,
    answer_memory::{HeldAnswer, HeldBody},
    context::{Behind, BoxError, IDENTITY, ReplyBody, RequestContext},
    headers::{strip_request_headers, strip_response_headers},
    merge::Upstream,
    response::{RequestRefusal, set_common_headers},
    under_way::Watch,
    upstream_failure::UpstreamFailure,
};

/// What a service behind the gate fails with if it did not ask its API at all, because too many
/// requests wait there or it has failed of late: 503 with `Retry-After`, where any other error is
/// 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API is not called at the moment")]
pub struct UpstreamUnavailable {
    /// When it may be.
    pub retry_after: Duration,
}

/// The request as it is sent on: our body, our headers, and what is left of the caller's.
pub(crate) fn request(
    context: &RequestContext<'_>,
    mut parts: Parts,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, RequestRefusal> {
    strip_request_headers(&mut parts.headers, &context.shared.strip);
    let headers = &mut parts.headers;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = "application/graphql-response+json, application/json;q=0.9";
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    // What the gate may have to read (RFC 9110 §12.5.3), and what every caller can.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(DecisionId::HEADER, context.id.value());
    if let Some(attestor) = &context.shared.attestor {
        let identity = attestor.attest(context.caller).ok_or_else(|| {
            let message = "The identity of the caller cannot be passed to the API at the moment.";
            RequestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "UNAVAILABLE")
        })?;
        headers.insert(IDENTITY, identity);
    }
    parts.method = http::Method::POST;
    parts.version = Version::default();
    if parts.uri.authority().is_some() || parts.uri.query().is_some() {
        parts.uri = parts.uri.path().parse().unwrap_or_default();
    }
    Ok(Request::from_parts(parts, Full::from(body)))
}

/// Asks the service behind.
pub(crate) async fn send(
    context: &RequestContext<'_>,
    behind: Behind,
    request: Request<Full<Bytes>>,
) -> Result<Response<ReplyBody>, RequestRefusal> {
    let response = behind(request).await.map_err(|error| {
        // Not asked at all, and said already by whoever did not: this may come by thousands.
        if let Some(UpstreamUnavailable { retry_after }) = error.downcast_ref() {
            return RequestRefusal {
                retry_after: retry_after.as_secs().max(1),
                ..RequestRefusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The API behind this guard is unavailable at the moment.",
                    "UPSTREAM_UNAVAILABLE",
                )
            };
        }
        context.tell(&UpstreamFailure::without_answer(context.id, &*error));
        bad_gateway("The API behind this guard did not respond.")
    })?;
    let status = response.status();
    let told = |problem| {
        let headers = response.headers();
        context.tell(&UpstreamFailure::of_answer(context.id, status, headers, problem));
    };
    if !is_final(status) {
        told("the status of the response is not valid for GraphQL");
        return Err(bad_gateway(&format!(
            "The API behind this guard responded with status {}, which is not valid for GraphQL.",
            status.as_u16()
        )));
    }
    if let Some(coding) = coding(response.headers()) {
        told("the response has a content coding that was not asked for");
        return Err(bad_gateway(&format!(
            "The API behind this guard sent a response with the content coding {coding}, although \
             it was asked for one without."
        )));
    }
    if !is_graphql(response.headers()) {
        told("the media type of the response is not that of GraphQL");
        return Err(no_graphql());
    }
    Ok(response)
}

/// The answer of the service behind as it comes, under our headers.
pub(crate) fn stream(
    context: &RequestContext<'_>,
    response: Response<ReplyBody>,
    shown: Option<Shown>,
) -> Response<ReplyBody> {
    let watch = Watch::new(&context.shared.verifier, context.caller, shown);
    // Trailers would be headers that nobody has looked at.
    let mut response = response.map(|body| DataOnly { body, watch }.boxed_unsync());
    let headers = response.headers_mut();
    strip_response_headers(headers);
    headers.insert(header::CONTENT_TYPE, context.wanted.content_type());
    // It says `identity` at most, which is for requests alone.
    headers.remove(header::CONTENT_ENCODING);
    // Whatever the upstream says: it does not know that the answer depends on the caller.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_common_headers(headers, context.id);
    response
}

/// Asks the service behind and holds its answer, to be merged.
pub(crate) async fn hold(
    context: &RequestContext<'_>,
    behind: Behind,
    request: Request<Full<Bytes>>,
) -> Result<Upstream, RequestRefusal> {
    let memory = request.extensions().get::<AnswerMemory>().cloned();
    if memory.as_ref().is_some_and(AnswerMemory::is_full) {
        let message = "Too many responses are waiting to be read by their clients.";
        return Err(RequestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "UNAVAILABLE"));
    }
    let (head, body) = send(context, behind, request).await?.into_parts();
    let most = context.shared.rules.limits.answer_bytes;
    let mut memory = HeldAnswer::new(memory);
    let told = |problem| {
        let (status, headers) = (head.status, &head.headers);
        context.tell(&UpstreamFailure::of_answer(context.id, status, headers, problem));
    };
    let Some(body) = all_of(body, most, &mut memory).await else {
        told(TOO_LARGE);
        return Err(too_large());
    };
    let read = Upstream::read(head.status, &body, memory);
    read.ok_or_else(|| {
        told(NO_GRAPHQL);
        no_graphql()
    })
}

/// What is told of an answer that is not passed on.
pub(crate) const TOO_LARGE: &str = "the response was cut off, or is too large to process";
pub(crate) const NO_GRAPHQL: &str = "the body of the response is not that of a GraphQL response";

/// What the API sent is no answer, or could be read in two ways.
pub(crate) fn no_graphql() -> RequestRefusal {
    bad_gateway("The API behind this guard did not send a GraphQL response.")
}

/// All of `body`; `None` if it breaks off, is longer than `limit` bytes, or there is no memory left.
async fn all_of(mut body: ReplyBody, limit: usize, held: &mut HeldAnswer) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            if data.len() > limit - out.len() || !held.grow(data.len()) {
                return None;
            }
            out.extend_from_slice(&data);
        }
    }
    Some(out)
}

/// The answer that is made of what is `held`: it takes as much memory until the caller has taken it.
pub(crate) fn held_answer(response: Response<ReplyBody>, held: HeldAnswer) -> Response<ReplyBody> {
    response.map(|body| HeldBody { body, _held: held }.boxed_unsync())
}

pub(crate) fn too_large() -> RequestRefusal {
    bad_gateway("The response of the API was cut off, or is too large to process.")
}

fn bad_gateway(message: &str) -> RequestRefusal {
    RequestRefusal::new(StatusCode::BAD_GATEWAY, message, "UPSTREAM")
}

/// Whether `status` is that of an answer: nothing is to follow, and nobody is sent elsewhere. What
/// the API says by any other would be a word between it and the gate that the caller cannot use:
/// a redirect to an address behind the gate, a protocol that the gate does not speak.
///
/// Nor does the gate ask for a part of anything: what the API says is a part is not the answer.
fn is_final(status: StatusCode) -> bool {
    let is_whole = status != StatusCode::PARTIAL_CONTENT;
    (status.is_success() && is_whole) || status.is_client_error() || status.is_server_error()
}

/// Maximum characters of a content coding that a message quotes.
const CODING: usize = 32;

/// The content coding of a response (RFC 9110 §8.4), without characters that a message may not
/// contain; `None` if there is none.
fn coding(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let coded = |one: &&str| !one.is_empty() && !one.eq_ignore_ascii_case("identity");
    let codings: Vec<_> = lines
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(',').map(str::trim))
        .filter(coded)
        .collect();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-_.+, ".contains(*c);
    let told = codings.join(", ").chars().filter(is_plain).take(CODING).collect();
    (!codings.is_empty()).then_some(told)
}

/// Whether an answer is of a media type that the issuer's origin may pass on (`docs/rules.md` rule
/// 37).
fn is_graphql(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json")
        || name.eq_ignore_ascii_case("application/graphql-response+json")
}

/// A body without what is no data.
struct DataOnly {
    body: ReplyBody,
    watch: Watch,
}

impl Body for DataOnly {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, watch } = &mut *self;
        let frame = ready!(watch.poll_frame(body, context));
        Poll::Ready(frame.filter(|frame| frame.as_ref().map_or(true, Frame::is_data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
