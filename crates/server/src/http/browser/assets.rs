//! What pages load: styles, scripts and logos.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    app::App,
    pages::{CONTINUE, MARK, PASSKEY, SHOW_PASSWORD, SIGNED_OUT, STYLESHEET},
    theme::Asset,
};

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

/// Sends the script of the pages on which a password is typed.
pub(crate) async fn show_password_script() -> Response {
    asset("text/javascript; charset=utf-8", SHOW_PASSWORD)
}

/// Sends the script of the pages that ask authenticators for passkeys.
pub(crate) async fn passkey_script() -> Response {
    asset("text/javascript; charset=utf-8", PASSKEY)
}

/// Sends Castellan's logo.
pub(crate) async fn mark() -> Response {
    asset("image/svg+xml", MARK)
}

/// Sends the colours of the site, if it chose one.
pub(crate) async fn theme_stylesheet(State(app): State<App>) -> Response {
    of_site(app.theme().stylesheet.as_ref())
}

/// Sends the logo of the site, if it has one.
pub(crate) async fn logo(State(app): State<App>) -> Response {
    of_site(app.theme().logo.as_ref())
}

fn of_site(chosen: Option<&Asset>) -> Response {
    chosen.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |(media_type, bytes)| asset(media_type, bytes.clone()),
    )
}

/// Whatever is in it runs nothing, even where somebody opens it by itself: a logo is anybody's.
fn asset(media_type: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    ];
    (headers, body).into_response()
}
