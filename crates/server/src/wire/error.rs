//! The only file that turns a no into HTTP.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::error::OAuthError;
use castellan_proto::{ErrorCode, error_description};
use serde_json::json;

/// A no of the token endpoint, or of one beside it.
pub(crate) struct Refusal {
    error: OAuthError,
    /// How the token was sent, where it is not the token endpoint's no, or that of one beside it, but
    /// of where a token is used.
    at_resource: Option<Scheme>,
}

/// How a token is sent, and so how its sender is challenged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// RFC 9449 §7.1.
    Dpop,
}

impl Refusal {
    /// A no to a token that was sent by `scheme`.
    pub(crate) const fn at_resource(error: OAuthError, scheme: Scheme) -> Self {
        Self { error, at_resource: Some(scheme) }
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self { error, at_resource: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { error, at_resource } = self;
        let code = error.code();
        let ours = code == ErrorCode::ServerError;
        // Internal errors go to the log; the client learns only that there was one.
        if ours {
            tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
        }
        let body = if ours {
            json!({"error": code.as_str()})
        } else {
            json!({"error": code.as_str(), "error_description": error_description(&error.to_string())})
        };
        let mut status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST);
        if error.may_pass() {
            status = StatusCode::SERVICE_UNAVAILABLE;
        }
        if matches!(error, OAuthError::TooLarge(_)) {
            status = StatusCode::PAYLOAD_TOO_LARGE;
        }
        let mut wait = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        if let OAuthError::Throttled(seconds) = error {
            (status, wait) = (StatusCode::TOO_MANY_REQUESTS, Some(seconds));
        }
        let mut challenge = challenge(&error);
        if let Some(scheme) = at_resource
            && let Some(asks) = proof_challenge(code, scheme)
        {
            challenge = Some(asks);
            if code != ErrorCode::InsufficientScope {
                status = StatusCode::UNAUTHORIZED;
            }
        }
        let mut response = no_store((status, Json(body)).into_response());
        if let Some(challenge) = challenge {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// RFC 6749 §5.2, RFC 6750 §3.
const fn challenge(error: &OAuthError) -> Option<&'static str> {
    match error {
        OAuthError::InvalidClient { basic: true } => Some("Basic realm=\"castellan\""),
        OAuthError::TokenMissing => Some("Bearer realm=\"castellan\""),
        OAuthError::InvalidToken => Some("Bearer error=\"invalid_token\""),
        OAuthError::Insufficient(_) => {
            Some("Bearer error=\"insufficient_scope\", scope=\"openid\"")
        }
        _ => None,
    }
}

/// RFC 9449 §7.1: where a token is used, an error in a proof is a challenge, in the scheme of the
/// request.
const fn proof_challenge(code: ErrorCode, scheme: Scheme) -> Option<&'static str> {
    match (code, scheme) {
        (ErrorCode::InvalidDpopProof, _) => {
            Some("DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA PS256 RS256\"")
        }
        (ErrorCode::UseDpopNonce, _) => {
            Some("DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA PS256 RS256\"")
        }
        (ErrorCode::InvalidToken, Scheme::Dpop) => {
            Some("DPoP error=\"invalid_token\", algs=\"ES256 EdDSA PS256 RS256\"")
        }
        (ErrorCode::InsufficientScope, Scheme::Dpop) => Some(
            "DPoP error=\"insufficient_scope\", scope=\"openid\", algs=\"ES256 EdDSA PS256 RS256\"",
        ),
        _ => None,
    }
}

/// Keeps an answer with a token, or about one, out of every cache (RFC 6749 §5.1).
pub(crate) fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
