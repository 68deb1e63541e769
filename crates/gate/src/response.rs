//! Answers that the gate gives itself.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::{
    Caller, DecisionId, Reason, Rules, context::ReplyBody, decide::unknown, media::Wanted,
    rules::ErrorText,
};

/// A refusal of the request as a whole: nothing was decided, nothing ran.
pub(crate) struct RequestRefusal {
    pub(crate) status: StatusCode,
    pub(crate) errors: Vec<Value>,
    /// A well-formed request that GraphQL refuses: 200 for clients that ask for plain JSON.
    pub(crate) graphql: bool,
    /// With 503 and 429: after how many seconds it may do.
    pub(crate) retry_after: u64,
}

impl RequestRefusal {
    /// One error with `message` and `code`.
    pub(crate) fn new(status: StatusCode, message: &str, code: &str) -> Self {
        let errors = vec![json!({"message": message, "extensions": {"code": code}})];
        Self { status, errors, graphql: false, retry_after: 1 }
    }

    /// 400 for a request that cannot be read.
    pub(crate) fn bad_request(message: &str, code: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, code)
    }

    /// The refusal of a document.
    pub(crate) const fn of_document(errors: Vec<Value>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, errors, graphql: true, retry_after: 1 }
    }

    /// One answer for every document that a caller who may not see the schema cannot have: not
    /// valid, or with a field that is denied.
    pub(crate) fn of_hidden() -> Self {
        let message = "The document is not valid for the schema that this caller may see.";
        let code = "GRAPHQL_VALIDATION_FAILED";
        Self { graphql: true, ..Self::new(StatusCode::BAD_REQUEST, message, code) }
    }

    pub(crate) fn into_response(mut self, wanted: Wanted, id: &DecisionId) -> Response<ReplyBody> {
        for error in &mut self.errors {
            if let Some(members) = error.as_object_mut() {
                let extensions = members.entry("extensions").or_insert_with(|| json!({}));
                if let Some(extensions) = extensions.as_object_mut() {
                    extensions.insert("decision".to_owned(), json!(id.as_str()));
                }
            }
        }
        let status =
            if self.graphql && wanted == Wanted::Json { StatusCode::OK } else { self.status };
        let mut response = json_response(status, &json!({"errors": self.errors}), wanted, id);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            let wait = HeaderValue::from(self.retry_after);
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

/// 401 for unknown callers at guards that admit only known ones.
pub(crate) fn unknown_caller(
    rules: &Rules,
    caller: &Caller,
    challenge: Option<HeaderValue>,
    wanted: Wanted,
    id: &DecisionId,
) -> Response<ReplyBody> {
    let reason = unknown(caller).unwrap_or(Reason::NoCredential);
    let status = StatusCode::UNAUTHORIZED;
    let mut response = if let Some(body) = rules.wording.refused {
        let body = serde_json::from_str(body).unwrap_or_default();
        json_response(status, &body, Wanted::Json, id)
    } else {
        let ErrorText { message, code } = words(rules, reason);
        RequestRefusal::new(status, message, code).into_response(wanted, id)
    };
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// An answer with `body`, safe on any origin.
pub(crate) fn json_response(
    status: StatusCode,
    body: &Value,
    wanted: Wanted,
    id: &DecisionId,
) -> Response<ReplyBody> {
    text_response(status, body.to_string(), wanted, id)
}

/// The same with a body that is JSON already.
pub(crate) fn text_response(
    status: StatusCode,
    body: String,
    wanted: Wanted,
    id: &DecisionId,
) -> Response<ReplyBody> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, wanted.content_type());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_common_headers(headers, id);
    response
}

/// The headers that every answer of a guard carries.
pub(crate) fn set_common_headers(headers: &mut http::HeaderMap, id: &DecisionId) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(DecisionId::HEADER, id.value());
}

/// The message and `extensions.code` for `reason`, in the words of the guard.
pub(crate) const fn words(rules: &Rules, reason: Reason) -> ErrorText {
    match reason {
        Reason::NoCredential => rules.wording.no_credential,
        Reason::CredentialExpired => rules.wording.expired,
        Reason::CredentialInvalid => rules.wording.invalid,
        Reason::TokenScope
        | Reason::ClientScope
        | Reason::PersonScope
        | Reason::RequiredScope
        | Reason::Policy => rules.wording.insufficient,
        Reason::IntrospectionClosed => {
            ErrorText::new("Introspection is not allowed here.", "INTROSPECTION_CLOSED")
        }
        Reason::NotMeant => ErrorText::new("Missing or invalid CSRF token", "CSRF"),
        Reason::OtherUser => ErrorText::new("Expectation failed. User changed.", "OTHER_USER"),
        Reason::LoginNotPermitted => {
            ErrorText::new("You may not sign in here.", "LOGIN_NOT_PERMITTED")
        }
    }
}
