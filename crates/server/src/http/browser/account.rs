//! `/account`: where a person is signed in, what they let in and how they take it back, and their
//! password.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    error::OAuthError,
    records::{Account, Device},
    request::params::Params,
    session::browser::SignedIn,
    sign_in::new_password::{ChangeError, ChangeForm},
};
use castellan_proto::Secret;

use super::{
    cookies::{self, Visitor},
    localized::LocalizedApp,
    problems, respond,
};
use crate::{
    app::App,
    pages::{AccountPage, App as AppRow, Passkey as PasskeyRow, Session as SessionRow},
    texts::Texts,
    wire::{error::Refusal, extract::Form},
};

/// The account page; without a session, the sign-in page.
pub(crate) async fn show(app: LocalizedApp, visitor: Visitor) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else {
        return Ok(respond::see_other("/auth/login"));
    };
    page(&app, &person, StatusCode::OK, Problem::default()).await
}

/// What is wrong with a form of the page, in words for a person.
#[derive(Clone, Copy, Default)]
pub(super) struct Problem<'a> {
    /// With the one that changes the password.
    pub(super) password: Option<&'a str>,
    /// With those about passkeys.
    pub(super) passkeys: Option<&'a str>,
}

impl<'a> Problem<'a> {
    fn of_password(text: &'a str) -> Self {
        Self { password: Some(text), ..Self::default() }
    }
}

/// The page of `person`.
pub(super) async fn page(
    app: &LocalizedApp,
    person: &SignedIn,
    status: StatusCode,
    problem: Problem<'_>,
) -> Result<Response, Refusal> {
    let agreed = app.issuer().agreed(&person.account_id).await.map_err(OAuthError::from)?;
    let texts = app.texts();
    let since: Vec<_> = agreed.iter().map(|one| texts.day(one.since.0)).collect();
    let abilities: Vec<Vec<String>> = agreed
        .iter()
        .map(|one| {
            let claims = one.claims.iter().map(|claim| texts.scopes.claim(claim));
            one.scopes.iter().cloned().chain(claims).collect()
        })
        .collect();
    let apps: Vec<_> = agreed
        .iter()
        .zip(&abilities)
        .zip(&since)
        .map(|((one, scopes), since)| AppRow {
            client_id: &one.client_id,
            name: &one.client_name,
            scopes,
            since,
        })
        .collect();
    let sessions = app.issuer().own_sessions(person).await.map_err(OAuthError::from)?;
    let days: Vec<_> =
        sessions.iter().map(|one| (texts.day(one.since.0), texts.day(one.used.0))).collect();
    let sessions: Vec<_> = sessions
        .iter()
        .zip(&days)
        .map(|(one, (since, used))| SessionRow {
            sid: &one.sid,
            is_this: one.is_this,
            since,
            used,
            apps: &one.apps,
        })
        .collect();
    let made = own_passkeys(&person.account, texts);
    let passkeys: Vec<_> = made.iter().map(|(one, since)| passkey_row(one, since)).collect();
    let shown = AccountPage {
        frame: app.frame(),
        account_name: &person.account.display_name(),
        user_name: &person.account.user_name,
        csrf: &app.issuer().csrf_token(&person.session),
        password_min_length: person
            .account
            .password
            .as_ref()
            .map(|_| app.issuer().settings().secrets.password_min_length),
        problem: problem.password,
        passkeys: app.issuer().settings().passkeys.as_ref().map(|_| &*passkeys),
        passkey_problem: problem.passkeys,
        apps: &apps,
        sessions: &sessions,
    };
    Ok(respond::html_with_script(status, &shown, None))
}

/// The passkeys of `account`, and the day on which each was made.
fn own_passkeys<'a>(account: &'a Account, texts: &Texts) -> Vec<(&'a Device, String)> {
    let devices = account.attached.devices.iter().filter(|one| one.passkey.is_some());
    devices.map(|one| (one, texts.day(one.created.0))).collect()
}

fn passkey_row<'a>(one: &'a Device, since: &'a str) -> PasskeyRow<'a> {
    PasskeyRow { device: &one.device_id, name: one.alias.as_deref().unwrap_or_default(), since }
}

/// Changes the password. The browser in which the person has just proved the current one is signed in
/// anew, and no other is any more.
pub(crate) async fn change_password(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else {
        return Ok(respond::see_other("/auth/login"));
    };
    if !is_own_form(&app, &person, &headers, &params) {
        return Ok(cookies::cross_site());
    }
    let secret = |name: &str| params.secret(name).unwrap_or_else(|| Secret::new(String::new()));
    let form = ChangeForm {
        current: secret("current_password"),
        new: secret("password"),
        again: secret("password_again"),
    };
    let changed = app.issuer().change_password(&person.account_id, &form, &visitor.browser).await;
    let account = match changed {
        Ok(account) => account,
        Err(ChangeError::Token(OAuthError::Throttled(seconds))) => {
            let problem = (app.texts().common.throttled)(seconds);
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = page(&app, &person, status, Problem::of_password(&problem)).await?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return Ok(response);
        }
        Err(ChangeError::Token(error)) => return Err(error.into()),
        Err(problem) => {
            let problem = problems::of_change(&problem, app.texts());
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return page(&app, &person, status, Problem::of_password(&problem)).await;
        }
    };
    let again = app.issuer().sign_in_again(account, &visitor.browser, person.amr).await;
    let (cookie, _) = again.map_err(OAuthError::from)?;
    let changed = &app.texts().account.password_changed;
    let mut response = respond::message(&app, StatusCode::OK, changed);
    visitor.set_session(&app, &mut response, &cookie);
    Ok(response)
}

/// Ends one of the person's other sessions, or all of them. One that is over, or another person's,
/// changes nothing.
pub(crate) async fn end_sessions(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else {
        return Ok(respond::see_other("/auth/login"));
    };
    if !is_own_form(&app, &person, &headers, &params) {
        return Ok(cookies::cross_site());
    }
    if params.get("others") == Some("true") {
        app.issuer().end_other_sessions(&person).await.map_err(OAuthError::from)?;
    } else {
        let sid = params.get("session").ok_or(OAuthError::Missing("session"))?;
        let ended = app.issuer().close_browser_session(&person.account_id, sid).await;
        ended.map_err(OAuthError::from)?;
    }
    Ok(respond::see_other("/account").into_response())
}

/// Whether the form is one of this site that was drawn for this session.
pub(super) fn is_own_form(
    app: &LocalizedApp,
    person: &SignedIn,
    headers: &HeaderMap,
    params: &Params,
) -> bool {
    let token = params.get("csrf").unwrap_or_default();
    cookies::is_same_origin(app, headers) && app.issuer().csrf_matches(&person.session, token)
}

/// Takes back what was agreed to for one app.
pub(crate) async fn withdraw(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else {
        return Ok(respond::see_other("/auth/login"));
    };
    if !is_own_form(&app, &person, &headers, &params) {
        return Ok(cookies::cross_site());
    }
    let client = params.get("client_id").ok_or(OAuthError::Missing("client_id"))?;
    app.issuer().withdraw(&person.account_id, client).await.map_err(OAuthError::from)?;
    Ok(respond::see_other("/account").into_response())
}

pub(crate) async fn signed_in(app: &App, visitor: &Visitor) -> Result<Option<SignedIn>, Refusal> {
    Ok(app.issuer().signed_in(&visitor.browser).await.map_err(OAuthError::from)?)
}
