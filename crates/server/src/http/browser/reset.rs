//! `/auth/reset-password`: a new password through a link that an administrator issued.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::sign_in::reset::{RESET_PATH, ResetError, ResetForm};
use castellan_proto::Secret;

use super::{cookies, forgot::FORGOT_PATH, localized::LocalizedApp, problems, respond};
use crate::{
    pages::{Link, ResetPage},
    wire::{
        error::Refusal,
        extract::{Form, Query},
        request::cookie,
    },
};

/// Shows the form. The token goes from the address into a cookie of this page first, so that it stays
/// neither in the browser's history nor in what is copied from its address bar.
pub(crate) async fn show(app: LocalizedApp, Query(params): Query, headers: HeaderMap) -> Response {
    let named = params.get("token");
    let kept = cookie(&headers, cookies::RESET);
    let token = named.or(kept).unwrap_or_default();
    let response = match app.issuer().check_reset(token).await {
        Ok(()) if named.is_some() => {
            let mut response = respond::see_other(RESET_PATH);
            cookies::set_reset(&app, &mut response, token);
            response
        }
        Ok(()) => form(&app, token, StatusCode::OK, None),
        Err(problem) => refused(&app, token, problem),
    };
    without_referrer(response)
}

/// The form comes back. It has the token in it, which no other site knows; a page that sends no
/// referrer has no origin to name either (Fetch §3.2).
pub(crate) async fn submit(app: LocalizedApp, headers: HeaderMap, Form(params): Form) -> Response {
    if !cookies::is_same_origin_or_silent(&app, &headers) {
        return cookies::cross_site();
    }
    let secret = |name: &str| params.secret(name).unwrap_or_else(|| Secret::new(String::new()));
    let token = params.get("token").unwrap_or_default();
    let filled = ResetForm {
        token: token.to_owned(),
        password: secret("password"),
        again: secret("password_again"),
    };
    let response = match app.issuer().reset_password(&filled).await {
        Ok(()) => {
            let t = app.texts();
            let onward = Link { address: "/account", label: t.common.sign_in };
            let is_set = &t.password.is_set;
            let mut response = respond::message_with(&app, StatusCode::OK, is_set, onward);
            cookies::set_reset(&app, &mut response, "");
            response
        }
        Err(problem) => refused(&app, token, problem),
    };
    without_referrer(response)
}

/// One page for every link that cannot be used, or the form again.
fn refused(app: &LocalizedApp, token: &str, problem: ResetError) -> Response {
    match problem {
        ResetError::Token(error) => Refusal::from(error).into_response(),
        ResetError::Spent => {
            let t = app.texts();
            let onward = if app.issuer().mails_reset_links() {
                Link { address: FORGOT_PATH, label: t.password.ask_again }
            } else {
                Link { address: "/account", label: t.common.to_account }
            };
            let spent = &t.password.link_spent;
            let mut response = respond::message_with(app, StatusCode::GONE, spent, onward);
            cookies::set_reset(app, &mut response, "");
            response
        }
        problem => {
            let problem = problems::of_reset(&problem, app.texts());
            form(app, token, StatusCode::UNPROCESSABLE_ENTITY, Some(&problem))
        }
    }
}

fn form(app: &LocalizedApp, token: &str, status: StatusCode, problem: Option<&str>) -> Response {
    let password_min_length = app.issuer().settings().secrets.password_min_length;
    let page = ResetPage { frame: app.frame(), token, password_min_length, problem };
    respond::html_with_script(status, &page, None)
}

fn without_referrer(mut response: Response) -> Response {
    let policy = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(header::REFERRER_POLICY, policy);
    response
}
