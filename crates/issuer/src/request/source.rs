//! From where a request came.

use std::net::{IpAddr, Ipv6Addr};

/// From where a request came, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A known client address.
    Address(IpAddr),
    /// Behind this trusted proxy, which sent no client address, or none that can be parsed: all
    /// such requests share one source.
    Behind(IpAddr),
}

/// What is counted as one: an address of version 4, a network of version 6, or what is unknown
/// behind a proxy. The number is that of bits that its members share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(Source, u8);

/// What one customer is given of version 6, from the least to the most (RFC 6177).
pub(crate) const WIDTHS: [u8; 3] = [64, 56, 48];

impl Source {
    /// The address, if it is known.
    #[must_use]
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Behind(_) => None,
        }
    }

    /// Whether it is the local machine: an unlisted proxy is more likely there than an attacker.
    pub(crate) fn is_here(self) -> bool {
        self.address().is_some_and(|address| address.to_canonical().is_loopback())
    }

    /// The network that it is counted with: for version 6 the smallest that anybody is assigned.
    pub(crate) fn network(self) -> Network {
        self.within(WIDTHS[0])
    }

    /// The networks that it is counted in, the narrowest first: one, except for version 6, where
    /// one party often has many networks.
    pub(crate) fn networks(self) -> impl Iterator<Item = Network> {
        let is_wide = matches!(self.address().map(|a| a.to_canonical()), Some(IpAddr::V6(_)));
        let count = if is_wide { WIDTHS.len() } else { 1 };
        WIDTHS.into_iter().take(count).map(move |bits| self.within(bits))
    }

    fn within(self, bits: u8) -> Network {
        match self {
            Self::Behind(proxy) => Network(Self::Behind(proxy.to_canonical()), u8::MAX),
            Self::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => Network(Self::Address(address.into()), 32),
                IpAddr::V6(address) => {
                    let mask = u128::MAX << (128 - u32::from(bits));
                    let network = Ipv6Addr::from_bits(address.to_bits() & mask);
                    Network(Self::Address(network.into()), bits)
                }
            },
        }
    }
}

impl Network {
    /// A text that identifies it.
    pub(crate) fn text(self) -> String {
        match self.0 {
            Source::Address(address) => format!("{address}/{}", self.1),
            Source::Behind(proxy) => format!("behind {proxy}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(source: Source) -> Vec<String> {
        source.networks().map(Network::text).collect()
    }

    #[test]
    fn an_address_of_version_6_is_counted_in_three_networks() {
        let at = |text: &str| Source::Address(text.parse().unwrap());
        assert_eq!(networks(at("192.0.2.1")), ["192.0.2.1/32"]);
        assert_eq!(networks(at("::ffff:192.0.2.1")), ["192.0.2.1/32"]);
        assert_eq!(
            networks(at("2001:db8:1:2345:6::7")),
            ["2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"]
        );
        assert_eq!(at("2001:db8::1").network(), at("2001:db8::ffff:2").network());
    }

    #[test]
    fn what_is_unknown_behind_a_proxy_is_one_and_not_the_proxy_itself() {
        let proxy: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(networks(Source::Behind(proxy)), ["behind 10.0.0.1"]);
        assert_eq!(Source::Behind(proxy).address(), None);
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(Source::Address(here).is_here() && !Source::Behind(here).is_here());
    }
}
