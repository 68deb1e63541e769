//! Headers of a request to a service of any protocol over HTTP, and of its response.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::shared::RestSettings;
use crate::{
    headers::{HOP_BY_HOP, dashed, named_by_connection, remove_if},
    media::media_type,
};

/// Removes from `headers` all that must not cross the gate inwards: hop-by-hop headers and those
/// that `Connection` names (RFC 9110 §7.6.1), credentials, cookies, what an upstream could take for
/// another method, path or caller, and every spelling of `castellan-*` and of the names in `also`
/// (`docs/security-cases.md` row 29). What describes the body stays, as the body does.
pub fn strip_rest_request_headers(headers: &mut HeaderMap, also: &[String]) {
    let named = named_by_connection(headers);
    let also: Vec<_> = also.iter().map(|name| dashed(name)).collect();
    remove_if(headers, |name| {
        let dashed = dashed(name);
        is_hop_by_hop(name)
            || NOT_INWARDS.contains(&&*dashed)
            || NOT_INWARDS_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix))
            || named.iter().any(|one| one == name)
            || also.contains(&dashed)
    });
}

/// The same of the fields of a trailer section, which some servers read like headers: without what
/// may not stand there (RFC 9110 §6.5.1).
pub(super) fn strip_request_trailers(trailers: &mut HeaderMap, also: &[String]) {
    strip_rest_request_headers(trailers, also);
    remove_if(trailers, |name| NOT_IN_TRAILERS.contains(&&*dashed(name)));
}

/// Removes from a response what is for the gate alone and, where the guard shares its host with our
/// sign-in pages, what would act on them (`docs/rules.md` rule 37).
pub(super) fn strip_response_headers(headers: &mut HeaderMap, settings: &RestSettings) {
    let shares_host = settings.shares_host;
    let named = named_by_connection(headers);
    remove_if(headers, |name| {
        let dashed = dashed(name);
        is_hop_by_hop(name)
            || dashed.starts_with("castellan-")
            || dashed.starts_with("x-accel-")
            || dashed.ends_with("-cdn-cache-control")
            || NOT_OUTWARDS.contains(&&*dashed)
            || named.iter().any(|one| one == name)
            || (shares_host
                && (dashed.starts_with("access-control-")
                    || dashed.starts_with("content-security-policy")
                    || NOT_ON_OUR_HOST.contains(&&*dashed)))
    });
    if !shares_host && headers.contains_key(header::SET_COOKIE) {
        keep_on_host(headers, &settings.our_cookies);
    }
}

/// Removes the cookies that browsers would send to other hosts as well (RFC 6265 §5.3): one of those may
/// be ours. And those whose names begin as ours do.
fn keep_on_host(headers: &mut HeaderMap, ours: &[String]) {
    let cookies: Vec<_> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        let mut attributes = cookie.as_bytes().split(|byte| *byte == b';').skip(1);
        let is_domain = |one: &[u8]| {
            let name = one.split(|byte| *byte == b'=').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"domain")
        };
        let name = cookie.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
        let name = name.trim_ascii();
        let begins = |one: &String| {
            let begin = name.get(..one.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(one.as_bytes()))
        };
        if !attributes.any(is_domain) && !ours.iter().any(begins) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

/// The cookies among `headers` whose names begin as none of `ours` do; none if none are left.
pub(super) fn other_cookies(headers: &HeaderMap, ours: &[String]) -> Option<HeaderValue> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let is_other = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().trim();
        let begins = |one: &String| {
            name.get(..one.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(one))
        };
        !name.is_empty() && !ours.iter().any(begins)
    };
    let pairs = lines.flat_map(|line| line.split(';')).map(str::trim).filter(is_other);
    let left: Vec<&str> = pairs.collect();
    if left.is_empty() { None } else { HeaderValue::from_str(&left.join("; ")).ok() }
}

/// The same of a trailer section.
pub(super) fn strip_response_trailers(trailers: &mut HeaderMap, settings: &RestSettings) {
    strip_response_headers(trailers, settings);
    remove_if(trailers, |name| NOT_IN_TRAILERS.contains(&&*dashed(name)));
}

/// `Trailer` only announces what is looked at when it comes.
fn is_hop_by_hop(name: &str) -> bool {
    let dashed = dashed(name);
    HOP_BY_HOP.contains(&&*dashed) && name != "trailer"
}

/// Whether the sender of `headers` takes trailers (RFC 9110 §10.1.4).
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case("trailers"))
}

/// Bounds for how long a response may be kept by caches that others share: nobody but the gate knows
/// that it depends on the caller.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let stated: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let mut directives = vec!["private"];
    for one in stated.iter().flat_map(|value| value.split(',')).map(str::trim) {
        let name = one.split('=').next().unwrap_or_default();
        let is_shared = ["public", "private", "s-maxage", "proxy-revalidate"]
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other));
        if !is_shared && !one.is_empty() {
            directives.push(one);
        }
    }
    let value = HeaderValue::from_str(&directives.join(", "));
    headers.insert(header::CACHE_CONTROL, value.unwrap_or(HeaderValue::from_static("no-store")));
    headers.append(header::VARY, HeaderValue::from_static("Authorization, Cookie"));
}

/// Whether a browser would run nothing of a response with `headers`, sandboxed as it is, so that it
/// may come from the host of our sign-in pages (`docs/rules.md` rule 37).
pub(super) fn is_inert(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (None, _) => true,
        (Some(_), Some(_)) => false,
        (Some(value), None) => {
            // Browsers go by the last of several (Fetch, "extract a MIME type").
            let one = value.to_str().ok().filter(|text| !text.contains(','));
            let Some(name) = one.map(media_type) else { return false };
            let structured = |suffix| name.starts_with("application/") && name.ends_with(suffix);
            INERT.contains(&&*name)
                || structured("+json")
                || (structured("+xml") && name != "application/xhtml+xml")
        }
    }
}

const INERT: [&str; 19] = [
    "application/gzip",
    "application/json",
    "application/octet-stream",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "application/zip",
    "audio/mpeg",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "multipart/byteranges",
    "text/csv",
    "text/event-stream",
    "text/plain",
    "text/xml",
    "video/mp4",
];

const NOT_INWARDS: [&str; 26] = [
    "authorization",
    "content-length",
    "cookie",
    "dpop",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "origin",
    "proxy",
    "remote-user",
    "x-authenticated-user",
    "x-client-auth",
    "x-csrf-token",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-jwt-aud",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-remote-user",
    "x-rewrite-url",
    "x-original-host",
];
const NOT_INWARDS_PREFIXES: [&str; 4] =
    ["castellan-", "sec-websocket-", "ssl-client-", "x-forwarded-"];

const NOT_IN_TRAILERS: [&str; 13] = [
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "host",
    "if-match",
    "if-none-match",
    "location",
    "set-cookie",
    "trailer",
    "www-authenticate",
    "x-siteaccess",
];

/// What an upstream says of its own connection to us, or to a proxy before us.
const NOT_OUTWARDS: [&str; 9] = [
    "alt-svc",
    "cdn-cache-control",
    // Browsers clear the cookies of all hosts of a registrable domain.
    "clear-site-data",
    "content-length",
    "dpop-nonce",
    "surrogate-control",
    "x-litespeed-location",
    "x-sendfile",
    "x-content-type-options",
];

/// What would speak for an origin that is not the upstream's own.
const NOT_ON_OUR_HOST: [&str; 10] = [
    "nel",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "set-login",
    "strict-transport-security",
    "www-authenticate",
];

/// Asks the service behind for trailers.
pub(super) fn ask_for_trailers(headers: &mut HeaderMap) {
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    // It is for the next hop alone (RFC 9110 §10.1.4).
    headers.insert(header::CONNECTION, HeaderValue::from_name(HeaderName::from_static("te")));
}
