//! Why an operation was not done.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::rights::NotAuthorized;
use serde_json::json;

use super::content::MOST;

/// Why an operation was not done, as an `OperationOutcome` (`docs/contracts/aidbox.md` §7).
pub(in crate::http) enum Outcome {
    /// No token was sent.
    Anonymous,
    /// The token is not valid.
    Unauthorized,
    /// Id and secret of a client prove nothing.
    UnknownClient,
    Forbidden,
    NotFound,
    /// It was deleted.
    Gone,
    /// What is there does not have this method.
    Method,
    Bad(String),
    /// The data source, or Castellan, does not do that.
    Unsupported(String),
    Invalid(String),
    Conflict(String),
    /// `If-Match` or `If-None-Match` does not hold.
    Precondition(String),
    /// What to send in its place.
    MediaType(&'static str),
    TooLarge,
    /// Too many guesses at a secret; seconds until the next one.
    TooMany(u64),
    Broken,
}

impl Outcome {
    /// Our own fault: it goes to the log and nowhere else.
    pub(in crate::http) fn broken(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a request for a resource failed");
        Self::Broken
    }

    /// Status, id, code and text.
    fn parts(self) -> (StatusCode, &'static str, &'static str, String) {
        match self {
            Self::Anonymous | Self::Unauthorized => {
                let text = "Invalid or expired token".to_owned();
                (StatusCode::UNAUTHORIZED, "unauthorized", "login", text)
            }
            Self::UnknownClient => {
                let text = "Invalid client credentials".to_owned();
                (StatusCode::UNAUTHORIZED, "unauthorized", "login", text)
            }
            Self::Forbidden => {
                (StatusCode::FORBIDDEN, "forbidden", "forbidden", "Forbidden".to_owned())
            }
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "not-found", "not-found", "Not found".to_owned())
            }
            Self::Gone => (StatusCode::GONE, "deleted", "deleted", "It was deleted".to_owned()),
            Self::Method => {
                let text = "A history can only be read".to_owned();
                (StatusCode::METHOD_NOT_ALLOWED, "not-supported", "not-supported", text)
            }
            Self::Bad(text) => (StatusCode::BAD_REQUEST, "invalid", "invalid", text),
            Self::Unsupported(text) => {
                (StatusCode::BAD_REQUEST, "not-supported", "not-supported", text)
            }
            Self::Invalid(text) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "invalid", text),
            Self::Conflict(text) => (StatusCode::CONFLICT, "conflict", "conflict", text),
            Self::Precondition(text) => {
                (StatusCode::PRECONDITION_FAILED, "conflict", "conflict", text)
            }
            Self::MediaType(text) => {
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                (status, "not-supported", "not-supported", text.to_owned())
            }
            Self::TooLarge => {
                let text = format!("A document must not exceed {MOST} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, "too-long", "too-long", text)
            }
            Self::TooMany(seconds) => {
                let text = format!("Too many attempts; try again in {seconds} s");
                (StatusCode::TOO_MANY_REQUESTS, "throttled", "throttled", text)
            }
            Self::Broken => {
                let text = "Something went wrong on the server; try again".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, "exception", "exception", text)
            }
        }
    }
}

impl From<NotAuthorized> for Outcome {
    fn from(refused: NotAuthorized) -> Self {
        match refused {
            NotAuthorized::Audience => Self::Unauthorized,
            NotAuthorized::Forbidden | NotAuthorized::Person => Self::Forbidden,
        }
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        // RFC 6750 §3.1: a challenge to a request without a token names no error.
        let challenge = match self {
            Self::Anonymous => "Bearer realm=\"castellan\"",
            Self::UnknownClient => "Basic realm=\"castellan\", charset=\"UTF-8\"",
            _ => "Bearer error=\"invalid_token\"",
        };
        let pause = if let Self::TooMany(seconds) = self { Some(seconds) } else { None };
        let (status, id, code, text) = self.parts();
        let mut body = json!({
            "resourceType": "OperationOutcome",
            "id": id,
            "issue": [{"severity": "fatal", "code": code, "diagnostics": text}],
        });
        if status == StatusCode::FORBIDDEN {
            body["text"] = json!({"status": "generated", "div": "Forbidden"});
        }
        let mut response = (status, axum::Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = pause {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }
}
