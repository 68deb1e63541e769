//! Credentials over plain HTTP to a site that is published over https: others may have read them on
//! the way, so they are refused and the response says why (`docs/security-cases.md` trap 1).
//!
//! A listener without TLS is for a proxy that terminates TLS. On the local machine nobody can read the
//! connection; from elsewhere only a proxy in `server.trusted_proxies` is believed to have received
//! the request over https, unless it says otherwise. What such a proxy says counts over TLS of our own
//! as well: the caller may have reached it in the clear.

use std::net::IpAddr;

use axum::http::{Request, header};
use ipnet::IpNet;

use crate::wire::client_certificate::Arrival;

/// The text of the refusal.
pub(super) const SAID: &str = "Credentials were sent over plain HTTP; if a TLS proxy stands in \
                               front, add it to server.trusted_proxies.\n";

/// Whether `request`, from `peer`, carries credentials that others could read on their way.
pub(super) fn has_credentials<B>(request: &Request<B>, peer: IpAddr, proxies: &[IpNet]) -> bool {
    let carried = [header::AUTHORIZATION, header::COOKIE];
    carried.iter().any(|name| request.headers().contains_key(name))
        && !is_covered(request, peer, proxies)
}

/// Whether nobody could read `request`, from `peer`, on its way.
pub(super) fn is_covered<B>(request: &Request<B>, peer: IpAddr, proxies: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    if !proxies.iter().any(|net| net.contains(&peer)) {
        return peer.is_loopback()
            || request.extensions().get::<Arrival>().is_some_and(|arrival| arrival.tls);
    }
    // The last word is the nearest proxy's own.
    let forwarded = request.headers().get_all("x-forwarded-proto").iter().next_back();
    let last = forwarded.and_then(|line| line.as_bytes().rsplit(|byte| *byte == b',').next());
    last.is_none_or(|scheme| scheme.trim_ascii().eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_covered_here_and_behind_a_proxy_of_ours() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
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
            let mut request = request.body(()).unwrap();
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(
                has_credentials(&request, peer, &proxies),
                clear,
                "{peer} {name} {schemes:?}"
            );
            // TLS of ours covers the way from whoever is no proxy; a proxy knows of the way before it.
            request.extensions_mut().insert(Arrival { tls: true, ..Arrival::default() });
            let clear = clear && proxies[0].contains(&peer);
            assert_eq!(
                has_credentials(&request, peer, &proxies),
                clear,
                "{peer} {name} {schemes:?}"
            );
        }
    }
}
