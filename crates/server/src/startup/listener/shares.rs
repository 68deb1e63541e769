//! A share of the connections for each source, so that none can take them all.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// How many connections of each source are open.
type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The sources of the connections that are open.
pub(crate) struct Shares {
    /// Connections of one source at a time.
    most: usize,
    open: Open,
}

/// A connection that counts against its source until this is dropped.
pub(crate) struct Share(Option<(IpAddr, Open)>);

impl Shares {
    /// At most `most` connections of one source.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    /// Counts one more connection of `peer`; `None` if it has its share already.
    pub(crate) fn take(&self, peer: IpAddr) -> Option<Share> {
        let source = source(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(source).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share(Some((source, Arc::clone(&self.open)))))
    }
}

impl Share {
    /// A connection that counts against nobody.
    pub(crate) const fn unlimited() -> Self {
        Self(None)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((source, open)) = self.0.take() else { return };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        // What is not there any more is not remembered: strangers cannot make the table grow.
        if let Entry::Occupied(mut count) = open.entry(source) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// The source that an address stands for: whoever has one of version 6 has a /64 of them.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_share_and_others_have_theirs() {
        let shares = Shares::new(2);
        let take = |address: &str| shares.take(address.parse().unwrap());
        let first = take("192.0.2.1").unwrap();
        let second = take("::ffff:192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        drop(first);
        let third = take("192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        drop((second, third));
        assert!(shares.open.lock().unwrap().is_empty(), "nothing is remembered");
    }

    #[test]
    fn a_network_of_version_6_is_one_source() {
        let shares = Shares::new(2);
        let take = |address: &str| shares.take(address.parse().unwrap());
        let _open = [take("2001:db8::1").unwrap(), take("2001:db8:0:0:ffff::2").unwrap()];
        assert!(take("2001:db8::3").is_none());
        assert!(take("2001:db8:0:1::3").is_some());
    }
}
