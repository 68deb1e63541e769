//! Cross-origin rules of paths that any origin may call. No credentials of the browser, ever
//! (`docs/rules.md` §12).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
};

/// Whether `path` is one of `open`, or below one that ends in a slash and is more than that.
pub(super) fn is_open(path: &str, open: &[String]) -> bool {
    let below = |one: &str| one.len() > 1 && one.ends_with('/') && path.starts_with(one);
    open.iter().any(|one| path == one || below(one))
}

/// Which headers a request from elsewhere may carry.
#[derive(Clone, Copy)]
pub(super) enum RequestHeaders<'a> {
    /// Those that are requested: the response depends on nothing that a browser adds by itself.
    Any,
    /// [`KNOWN`] ones and these.
    Known(&'a [HeaderName]),
}

/// Headers that the endpoints read.
const KNOWN: &str = "Authorization, Content-Type, DPoP, X-Jwt-Aud";
/// Bytes of the names that are answered at most: heads of answers have limits at proxies and browsers.
const NAMES: usize = 2_048;

/// The answer to a preflight (Fetch §3.3.2); `None` if the request is not one.
pub(super) fn preflight<B>(
    request: &Request<B>,
    allowed: RequestHeaders<'_>,
) -> Option<Response<Body>> {
    let headers = request.headers();
    let is_one = request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    is_one.then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answered = response.headers_mut();
        allow(answered);
        let names = match allowed {
            RequestHeaders::Any => {
                let asked = HeaderValue::from_static("Access-Control-Request-Headers");
                answered.append(header::VARY, asked);
                asked_for(headers)
            }
            RequestHeaders::Known(more) => {
                more.iter().fold(KNOWN.to_owned(), |names, name| names + ", " + name.as_str())
            }
        };
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, &*names),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            // Names of headers are always valid values of headers.
            answered.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        }
        response
    })
}

/// The valid header names in `Access-Control-Request-Headers`, once each, as long as there is room;
/// [`KNOWN`] ones if there are none.
fn asked_for(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let asked = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut names: Vec<HeaderName> = Vec::new();
    let mut left = NAMES;
    for name in asked.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()) {
        if names.contains(&name) {
            continue;
        }
        match left.checked_sub(name.as_str().len() + 2) {
            Some(rest) => left = rest,
            None => break,
        }
        names.push(name);
    }
    if names.is_empty() {
        return KNOWN.to_owned();
    }
    names.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ")
}

/// Lets any origin read the answer.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    // In lower case: the recipe of the document looks for the line with `Authorization` that
    // contains the token, and must find exactly one (`docs/contracts/decidim.md` §2).
    let shown = if headers.contains_key(header::AUTHORIZATION) {
        "WWW-Authenticate, Retry-After, DPoP-Nonce, authorization"
    } else {
        "WWW-Authenticate, Retry-After, DPoP-Nonce"
    };
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(shown));
}
