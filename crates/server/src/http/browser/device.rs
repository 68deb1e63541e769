//! `/auth/device`: where devices begin by POST (RFC 8628 §3.1), and where people type in what a device
//! shows (§3.3).

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{authorization::next::FlowError, error::OAuthError};

use super::{
    cookies::{self, Visitor},
    localized::LocalizedApp,
    respond,
};
use crate::{
    app::App,
    pages::DevicePage,
    wire::{
        error::{Refusal, no_store},
        extract::{self, ClientRequest, Form},
    },
};

/// Starts a device flow.
pub(crate) async fn begin(
    State(app): State<App>,
    ClientRequest { params, basic, .. }: ClientRequest,
) -> Result<Response, Refusal> {
    let answer = app.issuer().begin_device(&params, basic).await?;
    Ok(no_store(Json(answer).into_response()))
}

/// The form. A code in the query fills it in; the person still has to send it, so that no link
/// connects a device by itself.
pub(crate) async fn show(
    app: LocalizedApp,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let params = extract::query(query.as_deref()).unwrap_or_default();
    let shown = params.get("user_code").map(shown).unwrap_or_default();
    let mut response = form(&app, &shown, StatusCode::OK, None);
    visitor.remember(&app, &mut response);
    response
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
    let code = params.get("user_code").unwrap_or_default();
    let mut response = match app.issuer().enter_user_code(code, &visitor.browser).await {
        Err(FlowError::Token(OAuthError::Throttled(seconds))) => later(&app, seconds),
        Err(FlowError::WrongCode) => wrong_code(&app),
        step => respond::next(step, &app, &headers),
    };
    visitor.remember(&app, &mut response);
    response
}

/// The form again: nothing reveals whether a code was valid once.
fn wrong_code(app: &LocalizedApp) -> Response {
    form(app, "", StatusCode::BAD_REQUEST, Some(app.texts().device.no_device))
}

fn later(app: &LocalizedApp, seconds: u64) -> Response {
    let problem = (app.texts().common.throttled)(seconds);
    let mut response = form(app, "", StatusCode::TOO_MANY_REQUESTS, Some(&problem));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn form(
    app: &LocalizedApp,
    user_code: &str,
    status: StatusCode,
    problem: Option<&str>,
) -> Response {
    respond::html(status, &DevicePage { frame: app.frame(), user_code, problem }, None)
}

/// What came with the address, as the device shows it, in no more characters than codes have.
fn shown(code: &str) -> String {
    const LONGEST: usize = 16;
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(LONGEST).collect();
    hyphenated(&code.to_ascii_uppercase())
}

/// A user code as devices show it.
pub(crate) fn hyphenated(code: &str) -> String {
    match code.split_at_checked(code.len() / 2) {
        Some(("", "")) => String::new(),
        Some((first, second)) => format!("{first}-{second}"),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    /// What is no code asks nobody whether their device shows it.
    #[test]
    fn a_code_of_an_address_is_shown_as_devices_show_it() {
        for (code, expected) in [
            ("rzcglhxt", "RZCG-LHXT"),
            ("RZCG-LHXT", "RZCG-LHXT"),
            ("", ""),
            (" -\u{e9}<>", ""),
            ("abcdefghijklmnopqrst", "ABCDEFGH-IJKLMNOP"),
        ] {
            assert_eq!(shown(code), expected, "{code}");
        }
    }
}
