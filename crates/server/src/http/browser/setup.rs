//! `/auth/setup`: the first administrator.

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use castellan_issuer::sign_in::setup::{SetupError, SetupForm};
use castellan_proto::Secret;

use super::{
    account::signed_in,
    cookies::{self, Visitor},
    localized::LocalizedApp,
    problems, respond,
};
use crate::pages::{SetupPage, WelcomePage};
use crate::wire::{
    error::Refusal,
    extract::{Form, Query},
};

/// Where the first administrator reads what to do next.
pub(crate) const WELCOME_PATH: &str = "/account/welcome";

/// The end of first setup, for administrators.
pub(crate) async fn welcome(app: LocalizedApp, visitor: Visitor) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else {
        return Ok(respond::see_other("/auth/login"));
    };
    if !person.account.is_administrator() {
        return Ok(respond::see_other("/account"));
    }
    Ok(respond::html(StatusCode::OK, &WelcomePage { frame: app.frame() }, None))
}

/// Shows the set-up form.
pub(crate) async fn show(app: LocalizedApp, Query(params): Query) -> Response {
    let token = params.get("token").unwrap_or_default();
    match app.issuer().check_setup(token).await {
        Ok(()) => form(&app, token, "admin", StatusCode::OK, None),
        Err(problem) => refused(&app, token, "admin", problem),
    }
}

/// The form comes back.
pub(crate) async fn submit(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Response {
    if !cookies::is_same_origin(&app, &headers) {
        return cookies::cross_site();
    }
    let secret = |name: &str| params.secret(name).unwrap_or_else(|| Secret::new(String::new()));
    let (token, name) = (params.get("token"), params.get("username"));
    let (token, name) = (token.unwrap_or_default(), name.unwrap_or_default());
    let filled = SetupForm {
        token: token.to_owned(),
        user_name: name.to_owned(),
        password: secret("password"),
        again: secret("password_again"),
    };
    match app.issuer().set_up(filled, &visitor.browser).await {
        Ok((cookie, _)) => {
            let mut response = respond::see_other(WELCOME_PATH);
            visitor.set_session(&app, &mut response, &cookie);
            response
        }
        Err(problem) => refused(&app, token, name, problem),
    }
}

fn refused(app: &LocalizedApp, token: &str, name: &str, problem: SetupError) -> Response {
    let status = match problem {
        SetupError::Token(error) => return Refusal::from(error).into_response(),
        SetupError::Spent => StatusCode::GONE,
        SetupError::Crowd => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    form(app, token, name, status, Some(&problems::of_setup(&problem, app.texts())))
}

fn form(
    app: &LocalizedApp,
    token: &str,
    user_name: &str,
    status: StatusCode,
    problem: Option<&str>,
) -> Response {
    let password_min_length = app.issuer().settings().secrets.password_min_length;
    let page = SetupPage { frame: app.frame(), token, user_name, password_min_length, problem };
    respond::html_with_script(status, &page, None)
}
