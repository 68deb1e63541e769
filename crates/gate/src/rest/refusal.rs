//! Refusals as values. The gate words them as problem details (RFC 9457); a host of the gate may
//! find the value among the extensions of the response, and word it otherwise.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use crate::{
    DecisionId,
    context::ReplyBody,
    response::{RequestRefusal, set_common_headers},
};

/// What a service behind the gate fails with if the body of the request did not come to its end: 408,
/// where any other error is 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body of the request did not come to its end")]
pub struct RequestStopped;

/// What a service behind the gate fails with if the body of the request is not framed as HTTP
/// requires, such as by a chunk whose size is no number (RFC 9112 §7.1): 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body of the request is malformed")]
pub struct RequestMalformed;

/// Why a request was not answered by the service behind the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestRefusal {
    /// The status of the response.
    pub status: StatusCode,
    /// The kind of refusal in a word; the text of each is stable.
    pub code: Cow<'static, str>,
    /// The same in a sentence, which holds nothing of the request.
    pub detail: Cow<'static, str>,
    /// The values of `WWW-Authenticate`.
    pub challenges: Vec<HeaderValue>,
    /// The value of `Allow`.
    pub allow: Option<HeaderValue>,
    /// After how many seconds it may do.
    pub retry_after: Option<u64>,
}

impl RestRefusal {
    /// One without headers of its own.
    #[must_use]
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            challenges: Vec::new(),
            allow: None,
            retry_after: None,
        }
    }

    pub(super) fn bad_gateway(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "upstream", detail)
    }

    /// As a response of the decision `id`, with itself among the extensions.
    #[must_use]
    pub fn into_response(self, id: &DecisionId) -> Response<ReplyBody> {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "decision": id.as_str(),
        });
        let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for challenge in &self.challenges {
            headers.append(header::WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(allow) = &self.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        set_common_headers(headers, id);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<RequestRefusal> for RestRefusal {
    fn from(refusal: RequestRefusal) -> Self {
        let error = refusal.errors.first();
        let text = |pointer: &str| {
            let found = error.and_then(|error| error.pointer(pointer)).and_then(|one| one.as_str());
            found.unwrap_or_default().to_owned()
        };
        let waits = matches!(
            refusal.status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        Self {
            code: text("/extensions/code").to_ascii_lowercase().into(),
            detail: text("/message").into(),
            retry_after: waits.then_some(refusal.retry_after),
            ..Self::new(refusal.status, "", "")
        }
    }
}
