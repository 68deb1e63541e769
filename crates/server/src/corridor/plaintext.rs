//! Credentials over plain HTTP to a site that is published over https: others may have read them on
//! the way, so they are refused and the response says why (`docs/security-cases.md` trap 1).
//!
//! The listener speaks plain HTTP behind a proxy that terminates TLS. On the local machine nobody
//! can read the connection; from elsewhere only a proxy in `server.trusted_proxies` is believed to
//! have received the request over https, unless it says otherwise.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use ipnet::IpNet;

/// The text of the refusal.
pub(super) const SAID: &str = "Credentials were sent over plain HTTP; if a TLS proxy stands in \
                               front, add it to server.trusted_proxies.\n";

/// Whether `headers`, from `peer`, carry credentials that others could read on their way.
pub(super) fn are_credentials(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> bool {
    let carried = [header::AUTHORIZATION, header::COOKIE];
    carried.iter().any(|name| headers.contains_key(name)) && !is_covered(headers, peer, proxies)
}

fn is_covered(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    if !proxies.iter().any(|net| net.contains(&peer)) {
        return peer.is_loopback();
    }
    // The last word is the nearest proxy's own.
    let forwarded = headers.get_all("x-forwarded-proto").iter().next_back();
    let last = forwarded.and_then(|line| line.as_bytes().rsplit(|byte| *byte == b',').next());
    last.is_none_or(|scheme| scheme.trim_ascii().eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

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
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
            for scheme in schemes {
                headers.append("x-forwarded-proto", HeaderValue::from_static(scheme));
            }
            let found = are_credentials(&headers, peer.parse().unwrap(), &proxies);
            assert_eq!(found, clear, "{peer} {name} {schemes:?}");
        }
    }
}
