//! Answers that a person reads.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
};
use castellan_issuer::{
    authorization::{
        next::{Answer, FlowError, Next},
        request::{AuthorizeError, Back},
    },
    error::OAuthError,
};
use castellan_proto::{ErrorCode, error_description};
use serde_json::json;

use super::localized::LocalizedApp;
use crate::{
    app::App,
    pages::{FormPostPage, Link, MessagePage, Onward, Page, SignedOutPage, WithheldPage},
    texts::{Said, Texts},
    wire::error::{Refusal, no_store},
};

/// Sends `page`. Forms on it may lead to `also`, the origin of a checked redirect URI, because
/// browsers apply `form-action` to the redirect after a form too.
pub(crate) fn html(status: StatusCode, page: &impl Page, also: Option<&str>) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'{}",
        also.map(|origin| format!(" {origin}")).unwrap_or_default()
    );
    let mut response = no_store((status, page.html()).into_response());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = HeaderValue::from_str(&policy)
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    let opener = HeaderValue::from_static("same-origin");
    headers.insert("cross-origin-opener-policy", opener);
    response
}

/// Where a form may lead: the origin of a redirect URI, or its scheme for a native app's.
pub(crate) fn form_target(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    match url.scheme() {
        "http" | "https" => Some(url.origin().ascii_serialization()),
        scheme => Some(format!("{scheme}:")),
    }
}

/// Reads how pages look before one is shown. If that cannot be read, they look as before: nothing
/// depends on it.
pub(crate) async fn with_theme(
    State(app): State<App>,
    request: Request,
    next: middleware::Next,
) -> Response {
    if let Err(error) = app.read_theme().await {
        tracing::warn!(%error, "the AuthConfig of the site could not be read");
    }
    next.run(request).await
}

/// The same for a page on which a password is typed, and whose short script shows it.
pub(crate) fn html_with_script(
    status: StatusCode,
    page: &impl Page,
    also: Option<&str>,
) -> Response {
    let mut response = html(status, page, also);
    allow(&mut response, "script-src 'self'");
    response
}

/// A title, and what it means.
pub(crate) struct Message<'a> {
    title: &'a str,
    text: &'a str,
}

impl From<&'static Said> for Message<'static> {
    fn from(said: &'static Said) -> Self {
        Self { title: said.title, text: said.text }
    }
}

impl<'a> From<(&'a str, &'a str)> for Message<'a> {
    fn from((title, text): (&'a str, &'a str)) -> Self {
        Self { title, text }
    }
}

/// A page that only says something, and leads to the account.
pub(crate) fn message<'a>(
    app: &LocalizedApp,
    status: StatusCode,
    said: impl Into<Message<'a>>,
) -> Response {
    let onward = Link { address: "/account", label: app.texts().common.to_account };
    message_with(app, status, said, onward)
}

/// A page that only says something, and leads `onward`. If it went wrong, it has what a person quotes
/// who asks for help.
pub(crate) fn message_with<'a>(
    app: &LocalizedApp,
    status: StatusCode,
    said: impl Into<Message<'a>>,
    onward: Link<'_>,
) -> Response {
    let Message { title, text } = said.into();
    let reference = app.reference().filter(|_| !status.is_success());
    let page = MessagePage {
        frame: app.frame(),
        title,
        text,
        detail: None,
        reference: reference.as_deref(),
        onward,
    };
    html(status, &page, None)
}

/// What a step of a flow came to.
pub(crate) fn next(
    step: Result<Next, FlowError>,
    app: &LocalizedApp,
    headers: &HeaderMap,
) -> Response {
    match step {
        Ok(Next::Login(flow)) => see_other(&format!("/auth/login?flow={flow}")),
        Ok(Next::SecondFactor(flow)) => see_other(&format!("/auth/second-factor?flow={flow}")),
        Ok(Next::Consent(flow)) => see_other(&format!("/auth/consent?flow={flow}")),
        Ok(Next::Home) => see_other("/account"),
        Ok(Next::Go(uri)) => found(&uri),
        Ok(Next::Post(action, fields)) => carry(app, &action, &fields),
        Ok(Next::Device(Answer::Allow)) => {
            message(app, StatusCode::OK, &app.texts().device.connected)
        }
        Ok(Next::Device(_)) => message(app, StatusCode::OK, &app.texts().device.denied),
        Err(error) => refused(error, app, headers),
    }
}

/// What a step that went no further shows, and to whom.
pub(crate) fn refused(error: FlowError, app: &LocalizedApp, headers: &HeaderMap) -> Response {
    match error {
        // A wrong code gets its form again from the handler that reads it; nothing else has one.
        FlowError::Expired | FlowError::WrongCode => {
            message(app, StatusCode::BAD_REQUEST, &app.texts().errors.expired)
        }
        FlowError::Token(OAuthError::Throttled(seconds)) if reads_html(headers) => {
            let t = &app.texts().errors;
            let text = (t.too_many_sign_ins_text)(seconds);
            let said = (t.too_many_sign_ins, &*text);
            let mut response = message(app, StatusCode::TOO_MANY_REQUESTS, said);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        FlowError::Token(error) => Refusal::from(error).into_response(),
        FlowError::Authorize(AuthorizeError::Store(error)) => {
            Refusal::from(OAuthError::from(error)).into_response()
        }
        FlowError::Authorize(AuthorizeError::Client { code, text, back }) => {
            let text = error_description(&text);
            let pairs = [("error", code.as_str()), ("error_description", &*text)];
            next(Ok(app.issuer().answer(&back, &pairs)), app, headers)
        }
        FlowError::Authorize(AuthorizeError::Page { code, text }) => {
            not_redirected(code, &text, app, headers)
        }
        FlowError::Withheld { code, text, back } => withheld(code, &text, &back, app, headers),
    }
}

/// An error for an app whose addresses nobody vouches for: the browser goes there if its person says so.
fn withheld(
    code: ErrorCode,
    text: &str,
    back: &Back,
    app: &LocalizedApp,
    headers: &HeaderMap,
) -> Response {
    if !reads_html(headers) {
        return not_redirected(code, text, app, headers);
    }
    let text = error_description(text);
    let pairs = [("error", code.as_str()), ("error_description", &*text)];
    let answer = app.issuer().answer(back, &pairs);
    let (address, fields) = match &answer {
        Next::Post(action, fields) => (&**action, Some(&**fields)),
        Next::Go(uri) => (&**uri, None),
        _ => return not_redirected(code, &text, app, headers),
    };
    let host = &host(address, app.texts());
    let page = WithheldPage { frame: app.frame(), host, detail: &text, address, fields };
    let also = fields.and_then(|_| form_target(address));
    html(StatusCode::BAD_REQUEST, &page, also.as_deref())
}

/// A form that carries `fields` to an app by itself.
fn carry(app: &LocalizedApp, action: &str, fields: &[(String, String)]) -> Response {
    let host = &host(action, app.texts());
    let page = FormPostPage { frame: app.frame(), action, host, fields };
    let mut response = html(StatusCode::OK, &page, form_target(action).as_deref());
    // Only Castellan's own short script.
    allow(&mut response, "script-src 'self'");
    response
}

/// Lets apps load `frames`, and the page continue to `back`, if there is one.
pub(crate) fn signed_out(app: &LocalizedApp, frames: &[String], back: Option<&str>) -> Response {
    let onward = back.map(|uri| (uri, host(uri, app.texts())));
    let onward = onward.as_ref().map(|(uri, host)| Onward { uri, host });
    let may_go_on = onward.is_some();
    let page = SignedOutPage { frame: app.frame(), frames, onward };
    let mut response = html(StatusCode::OK, &page, None);
    let origins: BTreeSet<_> = frames.iter().filter_map(|frame| form_target(frame)).collect();
    let origins: Vec<_> = origins.iter().map(|origin| format!(" {origin}")).collect();
    allow(&mut response, &format!("frame-src{}", origins.concat()));
    if may_go_on {
        allow(&mut response, "script-src 'self'");
    }
    response
}

/// The host of `uri`, for the person.
pub(super) fn host(uri: &str, texts: &Texts) -> String {
    let url = url::Url::parse(uri).ok();
    url.as_ref().and_then(url::Url::host_str).unwrap_or(texts.common.app_on_device).to_owned()
}

/// Opens the policy of a page for one thing more.
fn allow(response: &mut Response, directive: &str) {
    let headers = response.headers_mut();
    if let Some(policy) = headers.get(header::CONTENT_SECURITY_POLICY) {
        let more = [policy.as_bytes(), b"; ", directive.as_bytes()].concat();
        if let Ok(policy) = HeaderValue::from_bytes(&more) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}

/// An error that goes nowhere: HTML for people, JSON for everybody else
/// (`docs/contracts/aidbox.md` §4.5). Which error it was goes along, for dialects with other
/// statuses.
fn not_redirected(
    code: ErrorCode,
    text: &str,
    app: &LocalizedApp,
    headers: &HeaderMap,
) -> Response {
    let mut response = not_redirected_page(code, text, app, headers);
    response.extensions_mut().insert(code);
    response
}

fn not_redirected_page(
    code: ErrorCode,
    text: &str,
    app: &LocalizedApp,
    headers: &HeaderMap,
) -> Response {
    if !reads_html(headers) {
        let body =
            Json(json!({"error": code.as_str(), "error_description": error_description(text)}));
        return no_store((StatusCode::BAD_REQUEST, body).into_response());
    }
    let t = app.texts();
    let reference = app.reference();
    let page = MessagePage {
        frame: app.frame(),
        title: t.errors.invalid.title,
        text: t.errors.invalid.text,
        detail: Some(text),
        reference: reference.as_deref(),
        onward: Link { address: "/account", label: t.common.to_account },
    };
    html(StatusCode::BAD_REQUEST, &page, None)
}

/// Whether the request comes from a person's browser.
pub(crate) fn reads_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.unwrap_or_default().contains("text/html")
}

/// 302, as the contracts have it for answers to a client.
pub(crate) fn found(uri: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(uri) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = no_store(StatusCode::FOUND.into_response());
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// 303, within our own pages.
pub(crate) fn see_other(path: &str) -> Response {
    no_store(Redirect::to(path).into_response())
}

/// `/`: where a person goes from here.
pub(crate) async fn home() -> Response {
    see_other("/account")
}

/// Answers every other path.
pub(crate) async fn not_found(app: LocalizedApp, headers: HeaderMap) -> Response {
    if reads_html(&headers) {
        return message(&app, StatusCode::NOT_FOUND, &app.texts().errors.not_found);
    }
    let body = Json(json!({"error": "not_found", "error_description": "there is nothing here"}));
    (StatusCode::NOT_FOUND, body).into_response()
}
