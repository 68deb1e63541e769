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

use crate::{
    app::App,
    pages::{
        CONTINUE, FormPostPage, MARK, MessagePage, Onward, Page, SIGNED_OUT, STYLESHEET,
        SignedOutPage, WithheldPage,
    },
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

/// A page that only says something.
pub(crate) fn message(app: &App, status: StatusCode, title: &str, text: &str) -> Response {
    let site = &app.title();
    let page = MessagePage { site, title, text, detail: None, reference: None };
    html(status, &page, None)
}

/// What a step of a flow came to.
pub(crate) fn next(step: Result<Next, FlowError>, app: &App, headers: &HeaderMap) -> Response {
    match step {
        Ok(Next::Login(flow)) => see_other(&format!("/auth/login?flow={flow}")),
        Ok(Next::SecondFactor(flow)) => see_other(&format!("/auth/second-factor?flow={flow}")),
        Ok(Next::Consent(flow)) => see_other(&format!("/auth/consent?flow={flow}")),
        Ok(Next::Home) => see_other("/account"),
        Ok(Next::Go(uri)) => found(&uri),
        Ok(Next::Post(action, fields)) => carry(app, &action, &fields),
        Ok(Next::Device(Answer::Allow)) => message(
            app,
            StatusCode::OK,
            "Your device is connected",
            "You can go back to it and close this window.",
        ),
        Ok(Next::Device(_)) => message(
            app,
            StatusCode::OK,
            "Access denied",
            "Your device was not given access. You can close this window.",
        ),
        Err(error) => refused(error, app, headers),
    }
}

/// What a step that went no further shows, and to whom.
pub(crate) fn refused(error: FlowError, app: &App, headers: &HeaderMap) -> Response {
    match error {
        // A wrong code gets its form again from the handler that reads it; nothing else has one.
        FlowError::Expired | FlowError::WrongCode => message(
            app,
            StatusCode::BAD_REQUEST,
            "This sign-in has expired",
            "It was started too long ago or in another browser, or it is already complete. Go \
             back to the app and start again.",
        ),
        FlowError::Token(OAuthError::Throttled(seconds)) if reads_html(headers) => {
            let text = format!(
                "Too many sign-ins have been started from your network. Try again in {seconds} s."
            );
            let mut response =
                message(app, StatusCode::TOO_MANY_REQUESTS, "Too many sign-ins", &text);
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
fn withheld(code: ErrorCode, text: &str, back: &Back, app: &App, headers: &HeaderMap) -> Response {
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
    let (site, host) = (&app.title(), &host(address));
    let page = WithheldPage { site, host, detail: &text, address, fields };
    let also = fields.and_then(|_| form_target(address));
    html(StatusCode::BAD_REQUEST, &page, also.as_deref())
}

/// A form that carries `fields` to an app by itself.
fn carry(app: &App, action: &str, fields: &[(String, String)]) -> Response {
    let (site, host) = (&app.title(), &host(action));
    let page = FormPostPage { site, action, host, fields };
    let mut response = html(StatusCode::OK, &page, form_target(action).as_deref());
    // Only Castellan's own short script.
    allow(&mut response, "script-src 'self'");
    response
}

/// Lets apps load `frames`, and the page continue to `back`, if there is one.
pub(crate) fn signed_out(app: &App, frames: &[String], back: Option<&str>) -> Response {
    let onward = back.map(|uri| (uri, host(uri)));
    let onward = onward.as_ref().map(|(uri, host)| Onward { uri, host });
    let may_go_on = onward.is_some();
    let site = &app.title();
    let page = SignedOutPage { site, frames, onward };
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
fn host(uri: &str) -> String {
    let url = url::Url::parse(uri).ok();
    url.as_ref().and_then(url::Url::host_str).unwrap_or("an app on this device").to_owned()
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
fn not_redirected(code: ErrorCode, text: &str, app: &App, headers: &HeaderMap) -> Response {
    let mut response = not_redirected_page(code, text, app, headers);
    response.extensions_mut().insert(code);
    response
}

fn not_redirected_page(code: ErrorCode, text: &str, app: &App, headers: &HeaderMap) -> Response {
    if !reads_html(headers) {
        let body =
            Json(json!({"error": code.as_str(), "error_description": error_description(text)}));
        return no_store((StatusCode::BAD_REQUEST, body).into_response());
    }
    let site = &app.title();
    let page = MessagePage {
        site,
        title: "This request is not valid",
        text: "The app that sent you here made an invalid request. Nothing was shared with it. \
               Please report this to its developers.",
        detail: Some(text),
        reference: None,
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

/// Sends the stylesheet.
pub(crate) async fn stylesheet() -> Response {
    asset("text/css; charset=utf-8", STYLESHEET)
}

/// What sends the form that carries an answer to an app.
pub(crate) async fn continue_script() -> Response {
    asset("text/javascript; charset=utf-8", CONTINUE)
}

/// Sends the script of the page after sign-out.
pub(crate) async fn signed_out_script() -> Response {
    asset("text/javascript; charset=utf-8", SIGNED_OUT)
}

/// Sends the logo.
pub(crate) async fn mark() -> Response {
    asset("image/svg+xml", MARK)
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    ];
    (headers, text).into_response()
}

/// Answers every other path.
pub(crate) async fn not_found(State(app): State<App>, request: Request) -> Response {
    if reads_html(request.headers()) {
        let text = "There is no page at this address.";
        return message(&app, StatusCode::NOT_FOUND, "Not found", text);
    }
    let body = Json(json!({"error": "not_found", "error_description": "there is nothing here"}));
    (StatusCode::NOT_FOUND, body).into_response()
}
