//! What clients find out by themselves (RFC 8414, RFC 7517).

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::app::App;

/// Both metadata documents, which are one.
pub(crate) async fn metadata(State(app): State<App>) -> Response {
    cached(app.issuer().metadata())
}

/// Answers `/.well-known/smart-configuration`.
pub(crate) async fn smart(State(app): State<App>) -> Response {
    cached(app.issuer().smart_configuration())
}

/// Answers `/.well-known/jwks.json`.
pub(crate) async fn jwks(State(app): State<App>) -> Response {
    cached(app.issuer().keyring().jwks(app.issuer().now()))
}

/// The keys of `Castellan-Identity`, for APIs behind guards.
pub(crate) async fn identity_jwks(State(app): State<App>) -> Response {
    cached(app.issuer().keyring().identity_jwks(app.issuer().now()))
}

/// For as long as a new key waits before it signs (`docs/rules.md` rule 45).
fn cached(body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    let value = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
