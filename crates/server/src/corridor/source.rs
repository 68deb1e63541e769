//! From where a request came: the other end of the connection, unless that is a proxy of ours, which
//! is believed about the end before it (`security-cases.md` row 28).

use std::net::IpAddr;

use axum::http::HeaderMap;
use castellan_gate::Source;
use ipnet::IpNet;

/// The nearest address that is not one of `proxies`; each of those names the one before it at the
/// end of `X-Forwarded-For`. What does not read as an address ends the search where it stands.
pub(super) fn of(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> Source {
    let mut source = peer.to_canonical();
    let ours = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    if !ours(&source) {
        return Source(source);
    }
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|value| value.to_str().unwrap_or("unreadable"))
        .collect();
    for named in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Ok(before) = named.trim().parse::<IpAddr>() else { break };
        source = before.to_canonical();
        if !ours(&source) {
            break;
        }
    }
    Source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
        of(&headers, peer.parse().unwrap(), &proxies).0.to_string()
    }

    #[test]
    fn case_28_only_listed_proxies_are_believed() {
        // Not listed: what it says of others is nothing.
        assert_eq!(source("192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
        assert_eq!(source("10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        // The caller's own line stands before the proxies' and is not believed.
        assert_eq!(source("10.0.0.1", &["198.51.100.9, 192.0.2.7, 10.0.0.2"]), "192.0.2.7");
        assert_eq!(source("10.0.0.1", &["198.51.100.9", "192.0.2.7,10.0.0.2"]), "192.0.2.7");
        // Without a line, or with one that does not read, the proxy itself is the source.
        assert_eq!(source("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(source("10.0.0.1", &["192.0.2.7, unknown"]), "10.0.0.1");
        assert_eq!(source("::ffff:127.0.0.1", &["::ffff:192.0.2.7"]), "192.0.2.7");
    }
}
