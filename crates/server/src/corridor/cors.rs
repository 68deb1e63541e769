//! Cross-origin rules: of paths that any origin may call, without credentials of the browser, ever
//! (`docs/rules.md` §12); and of REST guards, which listed origins may call with them.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
};

use crate::config::AllowedOrigin;

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

/// Methods that scripts of listed origins may use (`docs/contracts/ibexa.md` §1).
const REST_METHODS: &str =
    "GET, HEAD, POST, PUT, PATCH, DELETE, COPY, MOVE, SWAP, PUBLISH, OPTIONS";
/// Headers that they may send, besides those of `server.cors_headers` (§8; RFC 9110 §§13, 14; RFC 9449).
const REST_HEADERS: &str = "Authorization, Accept, Content-Type, X-CSRF-Token, Destination, \
                            X-Siteaccess, X-Expected-User, DPoP, If-Match, If-None-Match, Range";
/// Headers that they may read.
const REST_SHOWN: &str = "WWW-Authenticate, Retry-After, Location, Allow, ETag, Content-Range, \
                          DPoP-Nonce, Castellan-Decision";

/// The origin of a request, if it is one of `allowed`.
pub(super) fn listed(headers: &HeaderMap, allowed: &[AllowedOrigin]) -> Option<HeaderValue> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(value), None) = (origins.next(), origins.next()) else { return None };
    let origin = value.to_str().ok()?;
    allowed.iter().any(|one| one.allows(origin)).then(|| value.clone())
}

/// The answer to a preflight at a guard that lists `allowed` origins, which may also send the headers
/// `more`; to others it allows nothing.
/// `None` if the request is none, or the guard lists none.
pub(super) fn listed_preflight<B>(
    request: &Request<B>,
    allowed: &[AllowedOrigin],
    more: &[HeaderName],
) -> Option<Response<Body>> {
    let headers = request.headers();
    let is_one = !allowed.is_empty()
        && request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    is_one.then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answered = response.headers_mut();
        let origin = listed(headers, allowed);
        if origin.is_some() {
            let headers = more
                .iter()
                .fold(REST_HEADERS.to_owned(), |names, name| names + ", " + name.as_str());
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, REST_METHODS),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, &*headers),
                (header::ACCESS_CONTROL_MAX_AGE, "60"),
            ] {
                // Names of headers are always valid values of headers.
                answered.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
            }
        }
        show_to_listed(answered, origin);
        vary(answered, &[header::ORIGIN]);
        response
    })
}

/// Takes away what an API says about origins, which its guard decides.
pub(super) fn withdraw(headers: &mut HeaderMap) {
    let is_about_origins = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    let names: Vec<_> = headers.keys().filter(is_about_origins).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Lets a listed origin read an answer that its browser's credentials may have led to.
pub(super) fn show_to_listed(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    let Some(origin) = origin else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(REST_SHOWN));
}

/// Says that an answer depends on the request headers `names`, once each.
pub(super) fn vary(headers: &mut HeaderMap, names: &[HeaderName]) {
    let lines = headers.get_all(header::VARY).iter().filter_map(|line| line.to_str().ok());
    let said: Vec<String> = lines
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    if said.iter().any(|name| name == "*") {
        return;
    }
    for name in names.iter().filter(|name| said.iter().all(|said| said != name.as_str())) {
        headers.append(header::VARY, HeaderValue::from_name(name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Vec<AllowedOrigin> {
        ["https://app.test", r"^https://[a-z]+\.apps\.test$"]
            .map(|text| AllowedOrigin::try_from(text.to_owned()).unwrap())
            .into()
    }

    fn preflight_of(origins: &[&str], allowed: &[AllowedOrigin]) -> Option<HeaderMap> {
        let mut request = Request::options("/api/ibexa/v2/user/sessions")
            .header("access-control-request-method", "DELETE");
        for origin in origins {
            request = request.header("origin", *origin);
        }
        let answer = listed_preflight(&request.body(()).unwrap(), allowed, &[])?;
        Some(answer.headers().clone())
    }

    /// `docs/contracts/ibexa.md` §8 and §11, check 38.
    #[test]
    fn ibexa_38_only_listed_origins_are_let_in() {
        for origin in ["https://app.test", "https://x.apps.test"] {
            let answer = preflight_of(&[origin], &allowed()).unwrap();
            assert_eq!(answer["access-control-allow-origin"], origin);
            assert_eq!(answer["access-control-allow-credentials"], "true");
            assert_eq!(answer["access-control-allow-headers"], REST_HEADERS);
            assert_eq!(answer["access-control-max-age"], "60");
            assert_eq!(answer["vary"], "origin");
        }
        for origins in
            [&["https://evil.test"][..], &["null"], &["https://app.test", "https://app.test"]]
        {
            let answer = preflight_of(origins, &allowed()).unwrap();
            let is_about = |name: &HeaderName| name.as_str().starts_with("access-control-");
            assert!(!answer.keys().any(is_about), "{origins:?}");
        }
        assert!(preflight_of(&["https://app.test"], &[]).is_none());
    }

    #[test]
    fn an_api_behind_a_guard_opens_it_to_nobody() {
        let mut headers = HeaderMap::new();
        for name in ["access-control-allow-origin", "access-control-allow-credentials", "etag"] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("*"));
        }
        withdraw(&mut headers);
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn what_varies_is_said_once() {
        let mut headers = HeaderMap::new();
        headers.insert(header::VARY, HeaderValue::from_static("Accept, ORIGIN"));
        vary(&mut headers, &[header::ORIGIN, header::COOKIE]);
        let said: Vec<_> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(said, ["Accept, ORIGIN", "cookie"]);
        headers.insert(header::VARY, HeaderValue::from_static("*"));
        vary(&mut headers, &[header::COOKIE]);
        assert_eq!(headers.get_all(header::VARY).iter().count(), 1);
    }
}
