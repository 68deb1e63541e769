//! Credentials over plain HTTP to a site that is published over https: others may have read them on
//! the way, so they are refused, before a body is read, and the response says why (`docs/security-cases.md` trap 1).
//!
//! A listener without TLS is for a proxy that terminates TLS. On the local machine nobody can read the
//! connection; from elsewhere only a proxy in `server.trusted_proxies` is believed to have received
//! the request over https, unless it says otherwise. What such a proxy says counts over TLS of our own
//! as well: the caller may have reached it in the clear.

use std::net::IpAddr;

use axum::http::{HeaderName, Method, Request, StatusCode, header};
use http_body::Body;
use ipnet::IpNet;

use super::refusal::Refusal;
use crate::{guards::Guard, wire::client_certificate::ConnectionInfo};

/// The client beside a token (`docs/contracts/aidbox.md` §2.7).
const X_CLIENT_AUTH: HeaderName = HeaderName::from_static("x-client-auth");

/// The code of what is refused because it shows a secret in the clear.
pub(super) const CODE: &str = "plain_http";

/// The refusal of credentials that others may have read.
pub(super) fn refusal() -> Refusal {
    let text = "Credentials were sent over plain HTTP; if a TLS proxy stands in front, add it to \
                server.trusted_proxies.";
    Refusal::new(StatusCode::FORBIDDEN, CODE, text)
}

/// Whether `request`, which is for `guard` or for a route of ours, carries a credential.
pub(super) fn has_secrets<B: Body>(request: &Request<B>, guard: Option<&Guard>) -> bool {
    request.headers().contains_key(header::COOKIE) || shows_secret(request, guard)
}

/// The same without cookies, which browsers send although nobody meant it.
pub(super) fn shows_secret<B: Body>(request: &Request<B>, guard: Option<&Guard>) -> bool {
    let carried = [header::AUTHORIZATION, X_CLIENT_AUTH];
    carried.iter().any(|name| request.headers().contains_key(name))
        || (!is_safe(request.method())
            && !request.body().is_end_stream()
            && match guard {
                Some(guard) => guard.takes_secrets_in_bodies(request.uri().path()),
                // Where people or apps sign in, or trade what they hold: without a credential in the
                // head, what changes something of ours has one in its body.
                None => true,
            })
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether nobody could read `request`, from `peer`, on its way.
pub(super) fn is_covered<B>(request: &Request<B>, peer: IpAddr, proxies: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    if !proxies.iter().any(|net| net.contains(&peer)) {
        return peer.is_loopback()
            || request
                .extensions()
                .get::<ConnectionInfo>()
                .is_some_and(|connection| connection.tls);
    }
    forwarded_scheme(request).is_none_or(is_https)
}

/// Whether `request`, from `peer`, is known to have come by https: over TLS of ours, or because one of
/// `proxies` says so. What a proxy says counts over TLS of ours as well.
pub(super) fn came_by_https<B>(request: &Request<B>, peer: IpAddr, proxies: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    let is_believed = proxies.iter().any(|net| net.contains(&peer));
    match forwarded_scheme(request).filter(|_| is_believed) {
        Some(scheme) => is_https(scheme),
        None => {
            request.extensions().get::<ConnectionInfo>().is_some_and(|connection| connection.tls)
        }
    }
}

/// The scheme that the nearest proxy says a request came by: the last word is its own.
fn forwarded_scheme<B>(request: &Request<B>) -> Option<&[u8]> {
    let forwarded = request.headers().get_all("x-forwarded-proto").iter().next_back();
    forwarded.and_then(|line| line.as_bytes().rsplit(|byte| *byte == b',').next())
}

fn is_https(scheme: &[u8]) -> bool {
    scheme.trim_ascii().eq_ignore_ascii_case(b"https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_covered_here_and_behind_a_proxy_of_ours() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let has_credentials = |request: &Request<String>, peer| {
            has_secrets(request, None) && !is_covered(request, peer, &proxies)
        };
        for (peer, name, schemes, clear) in [
            ("192.0.2.1", "authorization", &[][..], true),
            ("192.0.2.1", "cookie", &[], true),
            ("192.0.2.1", "accept", &[], false),
            // Not believed, because it is not a trusted proxy.
            ("192.0.2.1", "authorization", &["https"], true),
            ("127.0.0.1", "authorization", &[], false),
            ("::1", "authorization", &[], false),
            ("::ffff:127.0.0.1", "authorization", &[], false),
            ("10.0.0.1", "authorization", &[], false),
            ("::ffff:10.0.0.1", "authorization", &["HTTPS"], false),
            ("10.0.0.1", "authorization", &["http"], true),
            ("10.0.0.1", "cookie", &["https, http"], true),
            ("10.0.0.1", "cookie", &["https", "http"], true),
            ("10.0.0.1", "cookie", &["http, https"], false),
            ("10.0.0.1", "cookie", &[""], true),
        ] {
            let mut request = Request::builder().header(name, "x");
            for scheme in schemes {
                request = request.header("x-forwarded-proto", *scheme);
            }
            let mut request = request.body(String::new()).unwrap();
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(has_credentials(&request, peer), clear, "{peer} {name} {schemes:?}");
            // TLS of ours covers the way from whoever is no proxy; a proxy knows of the way before it.
            request
                .extensions_mut()
                .insert(ConnectionInfo { tls: true, ..ConnectionInfo::default() });
            let clear = clear && proxies[0].contains(&peer);
            assert_eq!(has_credentials(&request, peer), clear, "{peer} {name} {schemes:?}");
        }
    }

    #[test]
    fn what_changes_something_of_ours_has_a_secret_in_its_body() {
        for (method, body, has) in [
            ("GET", "x", false),
            ("HEAD", "x", false),
            ("OPTIONS", "x", false),
            ("POST", "", false),
            ("POST", "x", true),
            ("PUT", "x", true),
        ] {
            let request = Request::builder().method(method).uri("/auth/token");
            let request = request.body(body.to_owned()).unwrap();
            assert_eq!(shows_secret(&request, None), has, "{method} {body}");
        }
        let request = Request::builder().header("x-client-auth", "Basic x");
        let request = request.body(String::new()).unwrap();
        assert!(shows_secret(&request, None));
    }
}
