//! The token endpoint and those beside it: read the wire, call one verb, write the answer.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    refusal::{Refusal, no_store},
    wire::ClientRequest,
};
use crate::app::App;

/// `POST /auth/token` (RFC 6749 §3.2).
pub(super) async fn token(
    State(app): State<App>,
    ClientRequest { params, basic }: ClientRequest,
) -> Result<Response, Refusal> {
    let answer = app.issuer().token(&params, basic).await?;
    Ok(no_store(Json(answer).into_response()))
}

/// `POST /auth/revoke` (RFC 7009 §2). A token of another client's is not told apart from none.
pub(super) async fn revoke(
    State(app): State<App>,
    ClientRequest { params, basic }: ClientRequest,
) -> Result<Response, Refusal> {
    app.issuer().revoke(&params, basic).await?;
    Ok(no_store(Json(json!({})).into_response()))
}

/// `POST /auth/introspect` (RFC 7662 §2).
pub(super) async fn introspect(
    State(app): State<App>,
    ClientRequest { params, basic }: ClientRequest,
) -> Result<Response, Refusal> {
    let answer = app.issuer().introspect(&params, basic).await?;
    Ok(no_store(Json(answer).into_response()))
}
