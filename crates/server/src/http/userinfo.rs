//! `/auth/userinfo` (OIDC Core §5.3).

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    bearer,
    refusal::{Refusal, no_store},
};
use crate::app::App;

/// `GET` and `POST`.
pub(super) async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refusal> {
    let claims = app.issuer().userinfo(bearer::token(&headers)?).await?;
    Ok(no_store(Json(claims).into_response()))
}
