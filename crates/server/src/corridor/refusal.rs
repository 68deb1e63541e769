//! Requests that come no further than the corridor, in the words of who would have answered: a guard
//! in those of its dialect, everything else as the site words it.

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use castellan_gate::DecisionId;
use serde_json::json;

use crate::wire::guard_refusal::GuardRefusal;

/// Why a request comes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// The kind of refusal in a word.
    pub code: &'static str,
    /// The same in a sentence, which holds nothing of the request.
    pub text: Cow<'static, str>,
}

/// A request that comes no further.
#[derive(Clone, Copy)]
pub struct Refused<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What the log calls it.
    pub id: DecisionId,
}

/// How a site words a refusal of a request at a path that is no guard's.
pub type Words = Box<dyn Fn(&Refusal, &Refused<'_>) -> Response<Body> + Send + Sync>;

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, text: text.into() }
    }

    /// At a host of a guard's own, whatever is not the guard's.
    pub(super) fn nothing_here() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Nothing is at this path of this host.")
    }

    /// As a problem document (RFC 9457).
    #[must_use]
    pub fn problem(&self) -> Response<Body> {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.text,
            "code": self.code,
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        for (name, value) in [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// The same as guards have it.
    pub(super) fn at_guard(&self) -> GuardRefusal {
        match self.status {
            StatusCode::FORBIDDEN => GuardRefusal::InTheClear(self.text.clone()),
            StatusCode::REQUEST_TIMEOUT => GuardRefusal::TimedOut,
            StatusCode::NOT_FOUND => GuardRefusal::NotFound,
            _ => GuardRefusal::BadRequest(self.text.clone()),
        }
    }
}
