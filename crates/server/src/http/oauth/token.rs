//! The token endpoint and those beside it: read the wire, call one verb, write the answer.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::error::OAuthError;
use serde_json::json;

use crate::wire::{
    error::{Refusal, no_store},
    extract::ClientRequest,
    request::wants,
};
use crate::{app::App, wire::cors};

/// `POST /auth/token` (RFC 6749 §3.2).
pub(crate) async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    request: ClientRequest,
) -> Response {
    let client = request.client();
    let url = app.at("/auth/token");
    let proof = request.proof(&url);
    let answer = app.issuer().token(&request.params, request.basic.clone(), proof.as_ref()).await;
    let response = answer.map(|answer| no_store(Json(answer).into_response()));
    readable(&app, &headers, client, response).await
}

/// `POST /auth/revoke` (RFC 7009 §2). The response does not reveal whether a token belongs to
/// another client or does not exist.
pub(crate) async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    request: ClientRequest,
) -> Response {
    let client = request.client();
    let answer = app.issuer().revoke(&request.params, request.basic).await;
    let response = answer.map(|_| no_store(Json(json!({})).into_response()));
    readable(&app, &headers, client, response).await
}

/// `POST /auth/par` (RFC 9126 §2).
pub(crate) async fn push(
    State(app): State<App>,
    request: ClientRequest,
) -> Result<Response, Refusal> {
    let url = app.at("/auth/par");
    let (proof, basic) = (request.proof(&url), request.basic.clone());
    let pushed = app.issuer().push_authorization(&request.params, basic, proof.as_ref()).await?;
    let body = json!({"request_uri": pushed.request_uri, "expires_in": pushed.expires_in});
    Ok(no_store((StatusCode::CREATED, Json(body)).into_response()))
}

/// `POST /auth/introspect` (RFC 7662 §2); signed for those who ask for that type (RFC 9701 §4).
pub(crate) async fn introspect(
    State(app): State<App>,
    headers: HeaderMap,
    ClientRequest { params, basic, .. }: ClientRequest,
) -> Result<Response, Refusal> {
    let signed = wants(&headers, SIGNED);
    if signed > 0.0 && signed >= wants(&headers, "application/json") {
        let jwt = app.issuer().introspect_signed(&params, basic).await?;
        return Ok(no_store(([(header::CONTENT_TYPE, SIGNED)], jwt).into_response()));
    }
    let answer = app.issuer().introspect(&params, basic).await?;
    Ok(no_store(Json(answer).into_response()))
}

/// The type of a signed introspection answer (RFC 9701 §5).
const SIGNED: &str = "application/token-introspection+jwt";

/// The response, success or error, made readable for scripts of the app's origins.
async fn readable(
    app: &App,
    headers: &HeaderMap,
    client: Option<String>,
    response: Result<Response, OAuthError>,
) -> Response {
    let response = response.unwrap_or_else(|error| Refusal::from(error).into_response());
    cors::allow(app.issuer(), headers, client.as_deref(), response).await
}
