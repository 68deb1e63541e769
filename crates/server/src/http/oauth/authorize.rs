//! `/auth/authorize` (RFC 6749 §3.1): by GET, and by POST as OIDC Core §3.1.2.1 has it.

use axum::{extract::RawQuery, http::HeaderMap, response::Response};
use castellan_issuer::{
    authorization::{next::FlowError, request::AuthorizeError},
    error::OAuthError,
    request::params::Params,
};
use castellan_proto::ErrorCode;

use crate::{
    http::browser::{cookies::Visitor, localized::LocalizedApp, respond},
    wire::{error::Refusal, extract, request::LONGEST_QUERY},
};

/// The parameters are in the query.
pub(crate) async fn get(
    app: LocalizedApp,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let params = extract::query(query.as_deref());
    begin(&app, &visitor, params, &headers).await
}

/// The parameters in the body are moved to the query with a redirect: a browser sends no cookies
/// with a form of another site, but does with the request after the redirect. Without cookies a
/// person who is signed in would appear unknown, and the mark that a sign-in in progress depends on
/// would be replaced.
pub(crate) async fn post(
    app: LocalizedApp,
    headers: HeaderMap,
    form: Result<extract::Form, Refusal>,
) -> Response {
    let Ok(extract::Form(params)) = form else {
        return respond::refused(nowhere(OAuthError::Unreadable.to_string()), &app, &headers);
    };
    let query =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params.pairs()).finish();
    if query.len() > LONGEST_QUERY {
        let why =
            "the request is too long for a URL: use a pushed authorization request (RFC 9126)";
        return respond::refused(nowhere(why.to_owned()), &app, &headers);
    }
    respond::see_other(&format!("/auth/authorize?{query}"))
}

async fn begin(
    app: &LocalizedApp,
    visitor: &Visitor,
    params: Result<Params, OAuthError>,
    headers: &HeaderMap,
) -> Response {
    let step = match params {
        Ok(params) => app.issuer().begin(&params, &visitor.browser).await,
        // It is unknown which of two values is meant, and so where to send the response.
        Err(error) => Err(nowhere(error.to_string())),
    };
    let mut response = respond::next(step, app, headers);
    visitor.remember(app, &mut response);
    response
}

/// An error that can only be shown to the person.
fn nowhere(text: String) -> FlowError {
    FlowError::Authorize(AuthorizeError::Page { code: ErrorCode::InvalidRequest, text })
}
