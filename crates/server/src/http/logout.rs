//! `/auth/logout`: signing out of this browser.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use castellan_issuer::error::TokenError;

use super::{
    account::signed_in,
    browser::{self, Visitor},
    page,
    refusal::Refusal,
    wire::Form,
};
use crate::{app::App, pages::LogoutPage};

/// The question.
pub(super) async fn ask(State(app): State<App>, visitor: Visitor) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else { return Ok(signed_out(&app)) };
    let shown = LogoutPage {
        site: app.title(),
        account_name: &person.account.display_name(),
        csrf: &app.issuer().csrf_token(&person.session),
        hidden: &[],
    };
    Ok(page::html(StatusCode::OK, &shown, None))
}

/// The answer.
pub(super) async fn submit(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else { return Ok(signed_out(&app)) };
    let token = params.get("csrf").unwrap_or_default();
    if !browser::is_same_origin(&app, &headers)
        || !app.issuer().csrf_matches(&person.session, token)
    {
        return Ok(browser::cross_site());
    }
    app.issuer().sign_out(&visitor.browser).await.map_err(TokenError::from)?;
    let mut response = signed_out(&app);
    browser::clear_session(&app, &mut response);
    Ok(response)
}

fn signed_out(app: &App) -> Response {
    page::message(app, StatusCode::OK, "You are signed out", "You can close this window.")
}
