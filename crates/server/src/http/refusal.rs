//! How requests are refused that reach no route: in the words of what is at their path.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{
    browser::{localized::LocalizedApp, respond},
    scim,
};
use crate::{
    app::App,
    corridor::{Refusal, Refused},
    wire::error::no_store,
};

/// The paths whose errors are those of RFC 6749 §5.2; RFC 7591 §3.2.2 has them as well.
const OAUTH: [&str; 3] = ["/auth", "/oauth", "/register"];

/// The answer to `request`.
pub(crate) fn word(app: &App, refusal: &Refusal, request: &Refused<'_>) -> Response {
    let Refused { path, headers, id } = *request;
    if respond::reads_html(headers) {
        let app = LocalizedApp::of(app, headers, Some(id));
        let title = app.texts().errors.refused;
        return respond::message(&app, refusal.status, (title, refusal.text.as_ref()));
    }
    let is_below = |area: &&str| {
        path.strip_prefix(*area).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if OAUTH.iter().any(is_below) {
        let body = json!({"error": "invalid_request", "error_description": refusal.text});
        return no_store((refusal.status, Json(body)).into_response());
    }
    if is_below(&scim::BASE) {
        return scim::refuse(refusal.status, &refusal.text);
    }
    refusal.problem()
}
