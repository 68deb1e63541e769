//! The address that a request came from: the peer of the connection, unless that is a trusted
//! proxy, which is believed about the hop before it (`docs/security-cases.md` row 28).

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use castellan_gate::Source;
use ipnet::IpNet;

/// The nearest address that is not one of `proxies`; each of those names the previous hop at the
/// end of `X-Forwarded-For`. `None` if a trusted proxy names none, or one that cannot be parsed.
pub(super) fn of(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> Option<Source> {
    let mut source = peer.to_canonical();
    let ours = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    if !ours(&source) {
        return Some(Source(source));
    }
    let lines: Vec<&[u8]> =
        headers.get_all("x-forwarded-for").iter().map(axum::http::HeaderValue::as_bytes).collect();
    // Each element is read for itself: what a caller wrote before it cannot spoil the last one.
    let named = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    let mut is_named = false;
    for element in named {
        source = address(element)?.to_canonical();
        is_named = true;
        if !ours(&source) {
            break;
        }
    }
    is_named.then_some(Source(source))
}

/// An address, with a port behind it or not.
fn address(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?.trim();
    text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn source(peer: &str, lines: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
        of(&headers, peer.parse().unwrap(), &proxies).map(|source| source.0.to_string())
    }

    #[test]
    fn case_28_only_listed_proxies_are_believed() {
        for (peer, lines, said) in [
            // Not listed: what it says of others is nothing.
            ("192.0.2.1", &[&b"10.0.0.1"[..]][..], Some("192.0.2.1")),
            ("10.0.0.1", &[b"192.0.2.7"], Some("192.0.2.7")),
            ("10.0.0.1", &[b"192.0.2.7:4711"], Some("192.0.2.7")),
            ("10.0.0.1", &[b"[2001:db8::7]:4711"], Some("2001:db8::7")),
            // What the caller itself sent precedes the proxies' entries and is neither believed nor
            // parsed.
            ("10.0.0.1", &[b"198.51.100.9, 192.0.2.7, 10.0.0.2"], Some("192.0.2.7")),
            ("10.0.0.1", &[b"198.51.100.9", b"192.0.2.7,10.0.0.2"], Some("192.0.2.7")),
            ("10.0.0.1", &[b"\xe9, 192.0.2.7"], Some("192.0.2.7")),
            ("::ffff:127.0.0.1", &[b"::ffff:192.0.2.7"], Some("192.0.2.7")),
            // All of them are trusted proxies: the first one sent the request itself.
            ("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            // A proxy that does not say, or not so that it reads.
            ("10.0.0.1", &[], None),
            ("10.0.0.1", &[b""], None),
            ("10.0.0.1", &[b"192.0.2.7,"], None),
            ("10.0.0.1", &[b"192.0.2.7, unknown"], None),
            ("10.0.0.1", &[b"10.0.0.3\xe9, 10.0.0.2"], None),
        ] {
            assert_eq!(source(peer, lines).as_deref(), said, "{lines:?}");
        }
    }
}
