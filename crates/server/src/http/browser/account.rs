//! `/account`: where a person is signed in, what they let in and how they take it back, and their
//! password.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    error::OAuthError,
    request::params::Params,
    session::browser::SignedIn,
    sign_in::new_password::{ChangeError, ChangeForm},
};
use castellan_proto::Secret;

use super::{
    cookies::{self, Visitor},
    respond, scope_text,
};
use crate::{
    app::App,
    pages::{AccountPage, App as AppRow, Session as SessionRow},
    wire::{error::Refusal, extract::Form},
};

/// The account page; without a session, the sign-in page.
pub(crate) async fn show(State(app): State<App>, visitor: Visitor) -> Result<Response, Refusal> {
    let Some(person) = signed_in(&app, &visitor).await? else {
        return Ok(respond::see_other("/auth/login"));
    };
    page(&app, &person, StatusCode::OK, None).await
}

/// The page of `person`, with what is wrong with a password that was to be changed.
async fn page(
    app: &App,
    person: &SignedIn,
    status: StatusCode,
    problem: Option<&str>,
) -> Result<Response, Refusal> {
    let agreed = app.issuer().agreed(&person.account_id).await.map_err(OAuthError::from)?;
    let since: Vec<_> = agreed.iter().map(|one| day(one.since.0)).collect();
    let abilities: Vec<Vec<String>> = agreed
        .iter()
        .map(|one| {
            let claims = one.claims.iter().map(|claim| scope_text::of_claim(claim));
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
    let days: Vec<_> = sessions.iter().map(|one| (day(one.since.0), day(one.used.0))).collect();
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
    let site = &app.title();
    let shown = AccountPage {
        site,
        account_name: &person.account.display_name(),
        user_name: &person.account.user_name,
        csrf: &app.issuer().csrf_token(&person.session),
        password_min_length: person
            .account
            .password
            .as_ref()
            .map(|_| app.issuer().settings().secrets.password_min_length),
        problem,
        apps: &apps,
        sessions: &sessions,
    };
    Ok(respond::html(status, &shown, None))
}

/// Changes the password. The browser in which the person has just proved the current one is signed in
/// anew, and no other is any more.
pub(crate) async fn change_password(
    State(app): State<App>,
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
            let problem = format!("Too many attempts. Try again in {seconds} s.");
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = page(&app, &person, status, Some(&problem)).await?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return Ok(response);
        }
        Err(ChangeError::Token(error)) => return Err(error.into()),
        Err(problem) => {
            let problem = in_words(&problem);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return page(&app, &person, status, Some(&problem)).await;
        }
    };
    let again = app.issuer().sign_in_again(account, &visitor.browser, person.amr).await;
    let (cookie, _) = again.map_err(OAuthError::from)?;
    let text = "You are still signed in here, and were signed out everywhere else.";
    let mut response = respond::message(&app, StatusCode::OK, "Your password is changed", text);
    visitor.set_session(&app, &mut response, &cookie);
    Ok(response)
}

/// `problem` as a person reads it.
fn in_words(problem: &ChangeError) -> String {
    match problem {
        ChangeError::Wrong => "The current password is wrong.".to_owned(),
        ChangeError::Same => "The new password is the current one. Choose another one.".to_owned(),
        ChangeError::Differ => "The passwords do not match.".to_owned(),
        ChangeError::Password(why) => format!("The new password {why}. Choose another one."),
        ChangeError::Token(error) => error.to_string(),
    }
}

/// Ends one of the person's other sessions, or all of them. One that is over, or another person's,
/// changes nothing.
pub(crate) async fn end_sessions(
    State(app): State<App>,
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
fn is_own_form(app: &App, person: &SignedIn, headers: &HeaderMap, params: &Params) -> bool {
    let token = params.get("csrf").unwrap_or_default();
    cookies::is_same_origin(app, headers) && app.issuer().csrf_matches(&person.session, token)
}

/// Takes back what was agreed to for one app.
pub(crate) async fn withdraw(
    State(app): State<App>,
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

/// A day as people write it, in UTC.
fn day(seconds: u64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    // Days since 1 March 0000 split into eras of 400 years (H. Hinnant's civil calendar).
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = (shifted + 2) % 12;
    let year = era * 400 + year + u64::from(month < 2);
    let month = usize::try_from(month).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"");
    format!("{day} {month} {year}")
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_read_as_people_write_them() {
        assert_eq!(day(0), "1 January 1970");
        assert_eq!(day(951_782_400), "29 February 2000");
        assert_eq!(day(1_795_392_000), "23 November 2026");
    }
}
