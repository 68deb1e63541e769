//! Cross-origin rules of paths that any origin may call. No credentials of the browser, ever
//! (`docs/rules.md` §12).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
};

/// Whether `path` is one of `open`, or below one that ends in a slash and is more than that.
pub(super) fn is_open(path: &str, open: &[String]) -> bool {
    let below = |one: &str| one.len() > 1 && one.ends_with('/') && path.starts_with(one);
    open.iter().any(|one| path == one || below(one))
}

/// The answer to a preflight (Fetch §3.2.2); `None` if the request is none.
pub(super) fn preflight<B>(request: &Request<B>) -> Option<Response<Body>> {
    let headers = request.headers();
    let is_one = request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    is_one.then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        allow(headers);
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, DPoP, X-Jwt-Aud"),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    })
}

/// Lets any origin read the answer.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    // In small letters: the recipe of the document looks for the line with `Authorization`, in
    // which the token stands, and must find one (`docs/contracts/decidim.md` §2).
    let shown = if headers.contains_key(header::AUTHORIZATION) {
        "WWW-Authenticate, Retry-After, DPoP-Nonce, authorization"
    } else {
        "WWW-Authenticate, Retry-After, DPoP-Nonce"
    };
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(shown));
}
