//! To the service behind and back: nothing is held, everything comes as it comes.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
    request::Parts, uri::PathAndQuery,
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::{
    body::RequestBody,
    headers::{
        ask_for_trailers, is_inert, keep_private, other_cookies, strip_request_trailers,
        strip_response_headers, strip_response_trailers, strip_rest_request_headers,
        takes_trailers,
    },
    refusal::{RequestMalformed, RequestStopped, RestRefusal},
    shared::{Behind, RestShared},
    websocket::{self, Handshake, Opened},
};
use crate::{
    Caller, CredentialEnded, DecisionId, Shown, UpstreamUnavailable,
    context::{BoxError, IDENTITY, ReplyBody, tell},
    under_way::Watch,
    upstream_failure::UpstreamFailure,
};

/// What one decided request is sent on with.
pub(super) struct Allowed<'a> {
    pub(super) shared: &'a Arc<RestShared>,
    pub(super) id: &'a DecisionId,
    pub(super) caller: &'a Caller,
    /// Everybody may do it.
    pub(super) is_public: bool,
    /// What [`crate::Verifier::moment`] was before the caller was found.
    pub(super) since: u64,
}

impl Allowed<'_> {
    /// Sends the request to `path`, which is below the guard's, and passes the response on.
    pub(super) async fn forward<B>(
        &self,
        behind: Behind,
        (mut parts, path, handshake): (Parts, String, Option<Handshake>),
        body: B,
    ) -> Result<Response<ReplyBody>, RestRefusal>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let method = parts.method.clone();
        if matches!(method, Method::GET | Method::HEAD)
            && !body.is_end_stream()
            && body.size_hint().exact().is_none()
        {
            // Clients of HTTP/1.1 send such a body in chunks, which many APIs do not expect after a GET
            // and would take for the next request.
            let detail = "The body of a GET has to state its length by Content-Length.";
            return Err(RestRefusal::new(StatusCode::LENGTH_REQUIRED, "length_required", detail));
        }
        let shown = self.caller.identity().map(|_| Shown::take(&mut parts, self.since));
        let (up, down) = match shown {
            Some(shown) if !body.is_end_stream() => {
                let (up, down) = shown.for_both();
                (Some(up), Some(down))
            }
            shown => (None, shown),
        };
        let opens = handshake.is_some();
        let mut request = self.request(parts, &path, body, self.watch(up))?;
        if let Some(handshake) = handshake {
            handshake.write(request.headers_mut());
        }
        let response = behind(request).await.map_err(|error| self.no_response(&*error))?;
        if opens && websocket::is_open(&response) {
            return Ok(self.open(response, self.watch(down)));
        }
        self.pass_on(&method, response, self.watch(down))
    }

    /// The answer that opens a WebSocket.
    fn open(&self, mut response: Response<ReplyBody>, watch: Watch) -> Response<ReplyBody> {
        let headers = response.headers_mut();
        strip_response_headers(headers, &self.shared.settings);
        websocket::say_open(headers);
        headers.insert(DecisionId::HEADER, self.id.value());
        response.extensions_mut().insert(Opened::new(watch.into_ended()));
        response
    }

    /// The cookies of the service behind, where they pass.
    fn cookies(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let settings = &self.shared.settings;
        if settings.shares_host { None } else { other_cookies(headers, &settings.our_cookies) }
    }

    fn watch(&self, shown: Option<Shown>) -> Watch {
        Watch::new(&self.shared.verifier, self.caller, shown)
    }

    #[expect(clippy::result_large_err, reason = "the other half is larger, and comes once")]
    fn request<B>(
        &self,
        mut parts: Parts,
        path: &str,
        body: B,
        watch: Watch,
    ) -> Result<Request<RequestBody>, RestRefusal>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let target = match parts.uri.query() {
            Some(query) => format!("{}{path}?{query}", self.shared.settings.base),
            None => format!("{}{path}", self.shared.settings.base),
        };
        let target = if target.starts_with('/') { target } else { format!("/{target}") };
        // It was part of a target that could be read.
        parts.uri = PathAndQuery::try_from(target).map(Uri::from).unwrap_or_default();
        parts.version = Version::default();
        let wants_trailers = takes_trailers(&parts.headers);
        let also = &self.shared.settings.strip;
        let cookies = self.cookies(&parts.headers);
        strip_rest_request_headers(&mut parts.headers, also);
        parts.headers.extend(cookies.map(|cookies| (header::COOKIE, cookies)));
        if wants_trailers {
            ask_for_trailers(&mut parts.headers);
        }
        parts.headers.insert(DecisionId::HEADER, self.id.value());
        if let Some(attestor) = &self.shared.attestor {
            let identity = attestor.attest(self.caller).ok_or_else(|| RestRefusal {
                retry_after: Some(1),
                ..RestRefusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "The identity of the caller cannot be passed to the API at the moment.",
                )
            })?;
            parts.headers.insert(IDENTITY, identity);
        }
        let shared = Arc::clone(self.shared);
        let filter = move |trailers: &mut HeaderMap| {
            strip_request_trailers(trailers, &shared.settings.strip);
        };
        let body = Filtered { body: body.map_err(Into::into).boxed_unsync(), filter, watch };
        Ok(Request::from_parts(parts, RequestBody::new(body)))
    }

    fn no_response(&self, error: &(dyn Error + Send + Sync + 'static)) -> RestRefusal {
        // Not asked at all, and said already by whoever did not: this may come by thousands.
        if let Some(UpstreamUnavailable { retry_after }) = error.downcast_ref() {
            return RestRefusal {
                retry_after: Some(retry_after.as_secs().max(1)),
                ..RestRefusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "upstream_unavailable",
                    "The API behind this guard is unavailable at the moment.",
                )
            };
        }
        if error.is::<RequestStopped>() {
            let detail = "The body of the request did not come to its end.";
            return RestRefusal::new(StatusCode::REQUEST_TIMEOUT, "request_stopped", detail);
        }
        if error.is::<RequestMalformed>() {
            let detail = "The body of the request is not framed as HTTP requires.";
            return RestRefusal::new(StatusCode::BAD_REQUEST, "malformed_body", detail);
        }
        if error.is::<CredentialEnded>() {
            let detail = "The credential ended before the body of the request did.";
            return RestRefusal {
                challenges: self.shared.settings.challenges.clone(),
                ..RestRefusal::new(StatusCode::UNAUTHORIZED, "credential_ended", detail)
            };
        }
        let failure = UpstreamFailure::without_answer(self.id, error);
        tell(self.shared.recorder.as_ref(), &failure);
        RestRefusal::bad_gateway("The API behind this guard did not respond.")
    }

    /// The response as it comes, with what may cross the gate.
    #[expect(clippy::result_large_err, reason = "the other half is larger, and comes once")]
    fn pass_on(
        &self,
        method: &Method,
        mut response: Response<ReplyBody>,
        watch: Watch,
    ) -> Result<Response<ReplyBody>, RestRefusal> {
        let shares_host = self.shared.settings.shares_host;
        let told = |problem| {
            let (status, headers) = (response.status(), response.headers());
            let failure = UpstreamFailure::of_answer(self.id, status, headers, problem);
            tell(self.shared.recorder.as_ref(), &failure);
        };
        if response.status().is_informational() {
            told("the API changed to a protocol that nobody asked for");
            return Err(RestRefusal::bad_gateway(
                "The API behind this guard changed to a protocol that nobody asked for.",
            ));
        }
        if shares_host && !is_inert(response.headers()) {
            told("a browser could run the response, which shares the host of the sign-in pages");
            return Err(RestRefusal::bad_gateway(
                "The API behind this guard sent a media type that a browser could run, which is not \
                 passed on from the host of the sign-in pages.",
            ));
        }
        // The body says itself how long it is, unless there is none.
        let has_none = *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
        let length = response.headers().get(header::CONTENT_LENGTH).filter(|_| has_none).cloned();
        let headers = response.headers_mut();
        strip_response_headers(headers, &self.shared.settings);
        headers.extend(length.map(|length| (header::CONTENT_LENGTH, length)));
        if !self.is_public {
            keep_private(headers);
        }
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        if shares_host {
            let policy = HeaderValue::from_static("default-src 'none'; sandbox");
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(DecisionId::HEADER, self.id.value());
        let shared = Arc::clone(self.shared);
        let filter =
            move |trailers: &mut HeaderMap| strip_response_trailers(trailers, &shared.settings);
        Ok(response.map(|body| Filtered { body, filter, watch }.boxed_unsync()))
    }
}

/// A body whose trailers are looked at before they pass, and which ends with the caller's credential.
struct Filtered<F> {
    body: ReplyBody,
    filter: F,
    watch: Watch,
}

impl<F: FnMut(&mut HeaderMap) + Unpin> Body for Filtered<F> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, filter, watch } = &mut *self;
        let frame = ready!(watch.poll_frame(body, context));
        let Some(Ok(mut frame)) = frame else { return Poll::Ready(frame) };
        if let Some(trailers) = frame.trailers_mut() {
            filter(trailers);
            if trailers.is_empty() {
                return Poll::Ready(None);
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
