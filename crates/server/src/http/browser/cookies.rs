//! What a browser brings along: cookies, and where its request came from.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use castellan_issuer::{session::browser::Browser, sign_in::reset::RESET_SECONDS};
use castellan_proto::{Opaque, OpaqueKind};

use crate::{
    app::App,
    wire::request::{self, SESSION, cookie},
};

/// Seconds for which a browser is marked: as long as it is known for a sign-in.
const MARK_SECONDS: u64 = 90 * 86_400;

/// The browser behind a request, with a mark made for it if it had none.
pub(crate) struct Visitor {
    /// The cookies that the browser sent.
    pub(crate) browser: Browser,
    /// It is new here, and the answer has to set its mark.
    pub(crate) is_new: bool,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let session = cookie(&parts.headers, SESSION);
        let session = session.and_then(|text| Opaque::read(OpaqueKind::Session, text));
        let mark = cookie(&parts.headers, app.mark_cookie());
        let mark = mark.and_then(|text| Opaque::read(OpaqueKind::Browser, text));
        let is_new = mark.is_none();
        let mark = mark.unwrap_or_else(|| Opaque::generate(OpaqueKind::Browser));
        let source = request::source(&parts.extensions);
        Ok(Self { browser: Browser { session, mark: Some(mark), source }, is_new })
    }
}

impl Visitor {
    /// Sets the browser's mark if it is new here.
    pub(crate) fn remember(&self, app: &App, response: &mut Response) {
        if let (true, Some(mark)) = (self.is_new, &self.browser.mark) {
            set(app, response, app.mark_cookie(), &mark.text(), MARK_SECONDS);
        }
    }

    /// Sets the session cookie, and the mark that it is worth nothing without, which lives as long.
    /// Browsers keep it for as long as the session may last, or as the site's `AuthConfig` says.
    pub(crate) fn set_session(&self, app: &App, response: &mut Response, cookie: &Opaque) {
        let longest = app.issuer().settings().session_absolute.get().as_secs();
        let age = app.theme().cookie_max_age().map_or(longest, |age| age.min(longest));
        set(app, response, SESSION, &cookie.text(), age);
        if let Some(mark) = &self.browser.mark {
            set(app, response, app.mark_cookie(), &mark.text(), age.max(MARK_SECONDS));
        }
    }
}

/// The cookie that has the token of a link to set a new password, while its page is open.
pub(crate) const RESET: &str = "castellan_reset";

/// Sets that cookie to `token` for as long as links are valid, or takes it away if that is empty.
pub(crate) fn set_reset(app: &App, response: &mut Response, token: &str) {
    let age = if token.is_empty() { 0 } else { RESET_SECONDS };
    set(app, response, RESET, token, age);
}

/// Takes the session cookie away.
pub(crate) fn clear_session(app: &App, response: &mut Response) {
    set(app, response, SESSION, "", 0);
}

/// Host-only, out of reach of scripts, not sent along from other sites but by links
/// (`docs/rules.md` rule 36).
fn set(app: &App, response: &mut Response, name: &str, value: &str, age: u64) {
    let secure = if app.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Refuses a form that another site sent (`docs/rules.md` rule 36). Clients other than browsers
/// send neither header, and have no cookie that somebody else could use.
pub(crate) fn is_same_origin(app: &App, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    let site_agrees = site.is_none_or(|site| matches!(site, b"same-origin" | b"none"));
    site_agrees && origin.is_none_or(|origin| is_ours(app, headers, origin))
}

/// The same for a form of a page without a referrer, for which browsers send `Origin: null`.
pub(crate) fn is_same_origin_or_silent(app: &App, headers: &HeaderMap) -> bool {
    let mut named = headers.clone();
    if headers.get(header::ORIGIN).is_some_and(|origin| origin == "null") {
        named.remove(header::ORIGIN);
    }
    is_same_origin(app, &named)
}

/// Whether `origin` is that of the site: its issuer, or the host by which this request reached it.
fn is_ours(app: &App, headers: &HeaderMap, origin: &[u8]) -> bool {
    let issuer = &*app.issuer().address().issuer;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let scheme = if app.is_https() { "https" } else { "http" };
    let here = host.filter(|_| app.has_hosts()).map(|host| format!("{scheme}://{host}"));
    origin == issuer.as_bytes() || here.is_some_and(|here| origin == here.as_bytes())
}

/// The answer to a form from elsewhere.
pub(crate) fn cross_site() -> Response {
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::FORBIDDEN, text, "This form was sent from another site.\n").into_response()
}
