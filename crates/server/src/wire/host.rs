//! For which host a request is.

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// The host that a request names, with its port if it names one: in the header `Host`, or with
/// HTTP/2 in its target.
pub(crate) fn authority<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| uri.authority().map(Authority::as_str))
}

/// A host and its port; the colons of an IPv6 address do not begin one.
pub(crate) fn parts(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (name, port.parse().ok())
        }
        _ => (authority, None),
    }
}
