//! `/auth/forgot-password`: a link by mail that sets a new password, where mail is configured.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::error::OAuthError;

use super::{
    cookies::{self, Visitor},
    respond,
};
use crate::{
    app::App,
    pages::ForgotPage,
    wire::{error::Refusal, extract::Form},
};

/// Where people ask for a link.
pub(crate) const FORGOT_PATH: &str = "/auth/forgot-password";

/// The form.
pub(crate) async fn show(State(app): State<App>) -> Response {
    if !app.issuer().mails_reset_links() {
        return not_offered(&app);
    }
    form(&app, StatusCode::OK, None)
}

/// The form comes back. The answer is the same for every name, and does not wait for the mail.
pub(crate) async fn submit(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Response {
    if !cookies::is_same_origin(&app, &headers) {
        return cookies::cross_site();
    }
    if !app.issuer().mails_reset_links() {
        return not_offered(&app);
    }
    let name = params.get("username").unwrap_or_default().trim();
    if name.is_empty() {
        let problem = "Enter your username or e-mail.";
        return form(&app, StatusCode::UNPROCESSABLE_ENTITY, Some(problem));
    }
    match app.issuer().forgot_password(name, &visitor.browser).await {
        Ok(()) => {
            let text = "If we know you by this name and have your e-mail address, a link is on its \
                        way to you. It is valid for 15 minutes. If nothing arrives, look into your \
                        spam folder, or ask your administrator.";
            respond::message(&app, StatusCode::OK, "Look into your mailbox", text)
        }
        Err(OAuthError::Throttled(seconds)) => {
            let problem = format!("Too many attempts. Try again in {seconds} s.");
            let mut response = form(&app, StatusCode::TOO_MANY_REQUESTS, Some(&problem));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Err(error) => Refusal::from(error).into_response(),
    }
}

fn not_offered(app: &App) -> Response {
    let text = "This server sends no mail. Ask your administrator for a new password.";
    respond::message(app, StatusCode::NOT_FOUND, "Links are not sent", text)
}

fn form(app: &App, status: StatusCode, problem: Option<&str>) -> Response {
    let site = &app.title();
    respond::html(status, &ForgotPage { site, problem }, None)
}
