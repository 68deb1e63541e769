//! Which origins may read an answer that is about one app: those that the app names
//! (`allowed_origins`). The browser's credentials are never among it.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use castellan_issuer::Issuer;

/// In the extensions of an answer that scripts of no other origin may read, whoever is listed.
#[derive(Clone, Copy)]
pub(crate) struct OwnOriginOnly;

/// Endpoints that scripts of an app's own origin may call. A preflight cannot say of which app it
/// is, so it is answered for every origin; what is read in the end is decided by [`allow`].
pub(crate) const PATHS: [&str; 6] =
    ["/auth/revoke", "/auth/token", "/auth/userinfo", "/oauth/me", "/oauth/revoke", "/oauth/token"];

/// Lets any origin read `response`, which concerns no particular caller.
pub(crate) fn allow_any(request: &HeaderMap, mut response: Response) -> Response {
    if request.contains_key(header::ORIGIN) {
        show(response.headers_mut(), HeaderValue::from_static("*"));
    }
    response
}

/// Lets the origin of the request read `response` if the app `client` names it.
pub(crate) async fn allow(
    issuer: &Issuer,
    request: &HeaderMap,
    client: Option<&str>,
    mut response: Response,
) -> Response {
    let Some(origin) = request.get(header::ORIGIN) else { return response };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(client) = client else { return response };
    match issuer.may_read(client, origin.as_bytes()).await {
        Ok(true) => show(headers, origin.clone()),
        Ok(false) => {}
        // A caller that needs no permission receives the response all the same.
        Err(error) => tracing::error!(%error, client, "the origins of a client could not be read"),
    }
    response
}

fn show(headers: &mut HeaderMap, to: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, to);
    let shown = HeaderValue::from_static("WWW-Authenticate, Retry-After, DPoP-Nonce");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, shown);
}
