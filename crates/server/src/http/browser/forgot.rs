//! `/auth/forgot-password`: a link by mail that sets a new password, where mail is configured.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{error::OAuthError, sign_in::reset::RESET_SECONDS};

use super::{
    cookies::{self, Visitor},
    localized::LocalizedApp,
    respond,
};
use crate::{
    pages::ForgotPage,
    wire::{error::Refusal, extract::Form},
};

/// Where people ask for a link.
pub(crate) const FORGOT_PATH: &str = "/auth/forgot-password";

/// The form.
pub(crate) async fn show(app: LocalizedApp) -> Response {
    if !app.issuer().mails_reset_links() {
        return not_offered(&app);
    }
    form(&app, StatusCode::OK, None)
}

/// The form comes back. The answer is the same for every name, and does not wait for the mail.
pub(crate) async fn submit(
    app: LocalizedApp,
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
        let problem = app.texts().password.enter_name;
        return form(&app, StatusCode::UNPROCESSABLE_ENTITY, Some(problem));
    }
    match app.issuer().forgot_password(name, app.language().tag(), &visitor.browser).await {
        Ok(()) => {
            let t = &app.texts().password;
            let text = (t.link_sent)(RESET_SECONDS / 60);
            respond::message(&app, StatusCode::OK, (t.link_sent_title, &*text))
        }
        Err(OAuthError::Throttled(seconds)) => {
            let problem = (app.texts().common.throttled)(seconds);
            let mut response = form(&app, StatusCode::TOO_MANY_REQUESTS, Some(&problem));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Err(error) => Refusal::from(error).into_response(),
    }
}

fn not_offered(app: &LocalizedApp) -> Response {
    respond::message(app, StatusCode::NOT_FOUND, &app.texts().password.no_mail)
}

fn form(app: &LocalizedApp, status: StatusCode, problem: Option<&str>) -> Response {
    respond::html(status, &ForgotPage { frame: app.frame(), problem }, None)
}
