//! `/auth/reset-password`: a new password through a link that an administrator issued.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::sign_in::reset::{RESET_PATH, ResetError, ResetForm};
use castellan_proto::Secret;

use super::{cookies, respond};
use crate::{
    app::App,
    pages::ResetPage,
    wire::{
        error::Refusal,
        extract::{Form, Query},
        request::cookie,
    },
};

/// Shows the form. The token goes from the address into a cookie of this page first, so that it stays
/// neither in the browser's history nor in what is copied from its address bar.
pub(crate) async fn show(
    State(app): State<App>,
    Query(params): Query,
    headers: HeaderMap,
) -> Response {
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
pub(crate) async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    Form(params): Form,
) -> Response {
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
            let text = "You were signed out everywhere. Sign in with your new password.";
            let mut response = respond::message(&app, StatusCode::OK, "Your password is set", text);
            cookies::set_reset(&app, &mut response, "");
            response
        }
        Err(problem) => refused(&app, token, problem),
    };
    without_referrer(response)
}

/// One page for every link that cannot be used, or the form again.
fn refused(app: &App, token: &str, problem: ResetError) -> Response {
    match problem {
        ResetError::Token(error) => Refusal::from(error).into_response(),
        ResetError::Spent => {
            let text = problem.to_string();
            let mut response =
                respond::message(app, StatusCode::GONE, "This link is not valid", &text);
            cookies::set_reset(app, &mut response, "");
            response
        }
        problem => form(app, token, StatusCode::UNPROCESSABLE_ENTITY, Some(&problem.to_string())),
    }
}

fn form(app: &App, token: &str, status: StatusCode, problem: Option<&str>) -> Response {
    let password_min_length = app.issuer().settings().secrets.password_min_length;
    let site = &app.title();
    let page = ResetPage { site, token, password_min_length, problem };
    respond::html(status, &page, None)
}

fn without_referrer(mut response: Response) -> Response {
    let policy = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(header::REFERRER_POLICY, policy);
    response
}
