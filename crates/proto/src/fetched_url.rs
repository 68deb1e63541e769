//! URLs that Castellan fetches because a document names them (`docs/rules.md` rule 47).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What decides whether a URL of a document may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedUrl {
    /// Its scheme, host and port (RFC 6454 §4).
    pub origin: String,
    /// Whether nobody on the way can read or change what is fetched.
    pub is_https: bool,
    /// Whether its host is an address that is not public, or this machine. That of a name shows when
    /// it is looked up.
    pub is_private: bool,
}

impl FetchedUrl {
    /// Reads `text`; `None` unless it is an absolute `http` or `https` URL in ASCII, without user
    /// information and a fragment.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let is_plain = |b: u8| b.is_ascii_graphic() && !b"\\<>\"^`{|}".contains(&b);
        if !text.bytes().all(is_plain) || !text.contains("://") {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let is_bare = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_bare || url.fragment().is_some() {
            return None;
        }
        let is_private = match url.host()? {
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
            Host::Ipv4(address) => !is_public_address(address.into()),
            Host::Ipv6(address) => !is_public_address(address.into()),
        };
        Some(Self {
            origin: url.origin().ascii_serialization(),
            is_https: url.scheme() == "https",
            is_private,
        })
    }
}

/// Whether `address` is one of the public internet (RFC 6890 and the IANA registries of special
/// addresses). What leads on to another address, by mapping or tunnels, is judged by that one, or
/// is not public.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        // This network (RFC 791), and reserved addresses with the broadcast among them (RFC 1112).
        || a == 0
        || a >= 240
        // Shared by carriers (RFC 6598).
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments (RFC 6890), and relays of 6to4 (RFC 7526).
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        // Benchmarks (RFC 2544).
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let parts = address.segments();
    // Translated (RFC 6052) and tunnelled (RFC 3056) to an address of version 4.
    let four = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if parts[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_public_v4(four(parts[6], parts[7]));
    }
    if parts[0] == 0x2002 {
        return is_public_v4(four(parts[1], parts[2]));
    }
    // All that is assigned for global use (RFC 4291 §2.4), without protocol assignments and Teredo
    // (RFC 2928, RFC 4380) and documentation (RFC 3849, RFC 9637).
    let is_global = (0x2000..0x4000).contains(&parts[0]);
    let is_protocol = parts[0] == 0x2001 && parts[1] < 0x200;
    let is_example =
        (parts[0] == 0x2001 && parts[1] == 0xdb8) || (parts[0] == 0x3fff && parts[1] < 0x1000);
    is_global && !is_protocol && !is_example
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "100.63.0.1",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
        "2606:4700::1111",
        "2a00:1450::1",
    ];

    /// `docs/security-cases.md` row 22.
    #[test]
    fn case_22_no_address_of_a_private_network_counts_as_public() {
        for (list, is_public) in [(PRIVATE, false), (PUBLIC, true)] {
            for address in list {
                assert_eq!(is_public_address(address.parse().unwrap()), is_public, "{address}");
            }
        }
    }

    #[test]
    fn a_url_says_where_it_leads() {
        let read = |text| FetchedUrl::read(text);
        let plain = read("https://issuer.test:8443/jwks?x=1").unwrap();
        assert_eq!(plain.origin, "https://issuer.test:8443");
        assert!(plain.is_https && !plain.is_private);
        for private in [
            "http://localhost/x",
            "https://a.localhost",
            "https://LOCALHOST./x",
            "http://127.1/",
            "http://0x7f000001/",
            "https://[::1]:8/",
            "https://[::ffff:10.0.0.1]/",
        ] {
            assert!(read(private).unwrap().is_private, "{private}");
        }
        for bad in [
            "",
            "issuer.test",
            "//issuer.test",
            "ftp://issuer.test/",
            "https://",
            "https:issuer.test",
            "https://ada@issuer.test/",
            "https://:pw@issuer.test/",
            "https://issuer.test/#a",
            "https://issuer.test/ a",
            "https://issuer.test\\@evil.test/",
            "file:///etc/passwd",
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
