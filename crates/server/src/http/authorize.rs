//! `/auth/authorize` (RFC 6749 §3.1): by GET, and by POST as OIDC Core §3.1.2.1 has it.

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use castellan_issuer::{
    authorize::AuthorizeError, error::TokenError, flow::FlowError, params::Params,
};
use castellan_proto::ErrorCode;

use super::{browser::Visitor, page, refusal::Refusal, wire};
use crate::app::App;

/// The parameters are in the query.
pub(super) async fn get(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let params = wire::query(query.as_deref());
    begin(&app, &visitor, params, &headers).await
}

/// The parameters are in the body.
pub(super) async fn post(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    form: Result<wire::Form, Refusal>,
) -> Response {
    let params = form.map(|wire::Form(params)| params).map_err(|_| TokenError::Unreadable);
    begin(&app, &visitor, params, &headers).await
}

async fn begin(
    app: &App,
    visitor: &Visitor,
    params: Result<Params, TokenError>,
    headers: &HeaderMap,
) -> Response {
    let step = match params {
        Ok(params) => app.issuer().begin(&params, &visitor.browser).await,
        // Which of two values is meant cannot be told, so neither can where to answer.
        Err(error) => Err(FlowError::Authorize(AuthorizeError::Page {
            code: ErrorCode::InvalidRequest,
            text: error.to_string(),
        })),
    };
    let mut response = page::next(step, app, headers);
    visitor.remember(app, &mut response);
    response
}
