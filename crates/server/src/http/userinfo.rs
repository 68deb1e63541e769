//! `/auth/userinfo` (OIDC Core §5.3).

use axum::{
    Json,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use castellan_issuer::{error::TokenError, params::Repeated};

use super::{
    bearer,
    refusal::{Refusal, no_store},
    wire,
};
use crate::{app::App, origins};

/// `GET` and `POST`.
pub(super) async fn get(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match answer(&app, query.as_deref(), &headers).await {
        Ok(response) => response,
        // A script must learn that its token is over, and no app is known to ask.
        Err(refusal) => origins::allow_any(&headers, refusal.into_response()),
    }
}

async fn answer(app: &App, query: Option<&str>, headers: &HeaderMap) -> Result<Response, Refusal> {
    let token = bearer::token(headers)?;
    // A second credential: which is meant cannot be told (RFC 6750 §2).
    let name = "access_token";
    if wire::query(query)?.get(name).is_some() {
        return Err(TokenError::from(Repeated(name.to_owned())).into());
    }
    let (client, claims) = app.issuer().userinfo(token).await?;
    let response = no_store(Json(claims).into_response());
    Ok(origins::allow(app.issuer(), headers, Some(&client), response).await)
}
