//! `/account/passkeys`: a person makes a passkey, and takes one away.
//!
//! Whoever has a passkey signs in by it, so that both ask for a fresh sign-in: a session that somebody
//! else got hold of ends, and a passkey does not.

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use castellan_issuer::{
    error::OAuthError,
    management::accounts::{AccountError, Actor},
    managers::Allowed,
    request::params::Params,
    session::browser::SignedIn,
};

use super::{
    account::{Problem, is_own_form, page, signed_in},
    cookies::{self, Visitor},
    localized::LocalizedApp,
    respond,
};
use crate::{
    pages::NewPasskeyPage,
    wire::{error::Refusal, extract::Form},
};

/// Asks the browser to make a passkey.
pub(crate) async fn begin(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Response, Refusal> {
    let person = match asked(&app, &visitor, (&headers, &params), true).await? {
        Ok(person) => person,
        Err(response) => return Ok(response),
    };
    let alias = params.get("alias").unwrap_or_default().trim();
    let begun = app.issuer().begin_passkey_of(&Actor::default(), &person.account_id, alias).await;
    let (state, options) = match begun {
        Ok(begun) => begun,
        Err(error) => return again(&app, &person, error).await,
    };
    let shown = NewPasskeyPage {
        frame: app.frame(),
        csrf: &app.issuer().csrf_token(&person.session),
        state: &state,
        options: &options.to_string(),
    };
    Ok(respond::html_with_script(StatusCode::OK, &shown, None))
}

/// Takes the passkey that the browser made.
pub(crate) async fn complete(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Response, Refusal> {
    // What began it was fresh.
    let person = match asked(&app, &visitor, (&headers, &params), false).await? {
        Ok(person) => person,
        Err(response) => return Ok(response),
    };
    let state = params.get("state").unwrap_or_default();
    let response = params.get("response").unwrap_or_default();
    match app.issuer().complete_own_passkey(&person, state, response).await {
        Ok(()) => Ok(respond::see_other("/account")),
        Err(error) => again(&app, &person, error).await,
    }
}

/// Takes a passkey away. One that is not there changes nothing.
pub(crate) async fn remove(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Response, Refusal> {
    let person = match asked(&app, &visitor, (&headers, &params), true).await? {
        Ok(person) => person,
        Err(response) => return Ok(response),
    };
    let device = params.get("device").ok_or(OAuthError::Missing("device"))?;
    let is_one = |one: &str| one == device;
    let devices = &person.account.attached.devices;
    if !devices.iter().any(|one| one.passkey.is_some() && is_one(&one.device_id)) {
        return Ok(respond::see_other("/account"));
    }
    let (nobody, id) = (Actor::default(), &person.account_id);
    match app.issuer().delete_device(&nobody, id, device, Allowed::ALL).await {
        Ok(_) => Ok(respond::see_other("/account")),
        Err(error) => again(&app, &person, error).await,
    }
}

/// The person whose form it is; otherwise, what is answered in its place. `is_grave` forms ask for a
/// fresh sign-in.
async fn asked(
    app: &LocalizedApp,
    visitor: &Visitor,
    (headers, params): (&HeaderMap, &Params),
    is_grave: bool,
) -> Result<Result<SignedIn, Response>, Refusal> {
    let Some(person) = signed_in(app, visitor).await? else {
        return Ok(Err(respond::see_other("/auth/login")));
    };
    if !is_own_form(app, &person, headers, params) {
        return Ok(Err(cookies::cross_site()));
    }
    if is_grave && !app.issuer().is_fresh(&person) {
        let next = app.issuer().begin_fresh_sign_in("/account", &visitor.browser).await;
        return Ok(Err(respond::next(next, app, headers)));
    }
    Ok(Ok(person))
}

/// The account page, with what went wrong.
async fn again(
    app: &LocalizedApp,
    person: &SignedIn,
    error: AccountError,
) -> Result<Response, Refusal> {
    let t = &app.texts().passkeys;
    let problem = match error {
        AccountError::Invalid(_) => t.bad_name_or_too_many,
        AccountError::Localized(_) => t.last_factor,
        AccountError::NotConfigured(_) => return Ok(respond::see_other("/account")),
        // None of these is about what the person did.
        AccountError::Throttled(seconds) => return Err(OAuthError::Throttled(seconds).into()),
        AccountError::Busy(busy) => return Err(OAuthError::Busy(busy).into()),
        AccountError::Store(error) => return Err(OAuthError::from(error).into()),
        _ => t.failed,
    };
    let problem = Problem { passkeys: Some(problem), ..Problem::default() };
    page(app, person, StatusCode::UNPROCESSABLE_ENTITY, problem).await
}
