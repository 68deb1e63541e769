//! Guesses counted by where they come from (`docs/rules.md` rule 48): in memory, each node for
//! itself.
//!
//! A guess is counted before it is checked and taken back if it was right, so that whoever knows
//! their secret is held up by nobody but those who share their address and guess. This machine
//! itself is not counted: what stands there is a proxy that nobody told us of, more likely than a
//! stranger.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use castellan_proto::Timestamp;
use moka::sync::Cache;

use crate::{Issuer, error::OAuthError};

/// Wrong guesses that one source has at once.
const MOST: u64 = 100;
/// Seconds after which it has one more.
const REFILL: u64 = 3;
/// Sources that are remembered at a time.
const SOURCES: u64 = 100_000;

/// The sources that guessed wrong.
pub(crate) struct Sources(Cache<IpAddr, Arc<Mutex<Bucket>>>);

/// How many guesses are not forgotten yet, as of when.
struct Bucket {
    count: u64,
    at: Timestamp,
}

/// A guess that is counted.
#[must_use]
pub(crate) struct Guess(Option<Arc<Mutex<Bucket>>>);

impl Default for Sources {
    fn default() -> Self {
        let idle = Duration::from_secs(MOST * REFILL);
        Self(Cache::builder().max_capacity(SOURCES).time_to_idle(idle).build())
    }
}

impl Sources {
    /// Counts a guess from `source`.
    fn count(&self, source: Option<IpAddr>, now: Timestamp) -> Result<Guess, OAuthError> {
        let Some(source) = source.map(whole).filter(|source| !source.is_loopback()) else {
            return Ok(Guess(None));
        };
        let new = || Arc::new(Mutex::new(Bucket { count: 0, at: now }));
        let shared = self.0.get_with(source, new);
        {
            let mut bucket = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let forgotten = now.since(bucket.at).as_secs() / REFILL;
            bucket.count = bucket.count.saturating_sub(forgotten);
            bucket.at = if bucket.count == 0 {
                now
            } else {
                Timestamp(bucket.at.0.saturating_add(forgotten * REFILL))
            };
            if bucket.count >= MOST {
                let waited = now.since(bucket.at).as_secs();
                return Err(OAuthError::Throttled(REFILL.saturating_sub(waited).max(1)));
            }
            bucket.count += 1;
        }
        Ok(Guess(Some(shared)))
    }
}

impl Guess {
    /// It was right, and so none.
    pub(crate) fn was_right(self) {
        if let Some(shared) = self.0 {
            let mut bucket = shared.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.count = bucket.count.saturating_sub(1);
        }
    }
}

impl Issuer {
    /// Counts a guess at a secret before it is checked.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if too many from there were wrong; then nothing is to be checked.
    pub(crate) fn guess_from(&self, source: Option<IpAddr>) -> Result<Guess, OAuthError> {
        self.sources().count(source, self.now())
    }
}

/// The source that an address stands for: who has one of version 6 has a whole network of them.
fn whole(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn wrong(sources: &Sources, source: &str, seconds: u64) -> Result<(), u64> {
        let source = source.parse().ok();
        match sources.count(source, Timestamp(NOW + seconds)) {
            Ok(_guess) => Ok(()),
            Err(OAuthError::Throttled(seconds)) => Err(seconds),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_source_that_guesses_waits_and_no_other_does() {
        let sources = Sources::default();
        for _ in 0..MOST {
            assert_eq!(wrong(&sources, "192.0.2.1", 0), Ok(()));
        }
        assert_eq!(wrong(&sources, "192.0.2.1", 0), Err(3));
        assert_eq!(wrong(&sources, "::ffff:192.0.2.1", 2), Err(1));
        assert_eq!(wrong(&sources, "192.0.2.2", 0), Ok(()));
        assert_eq!(wrong(&sources, "192.0.2.1", 3), Ok(()));
        assert_eq!(wrong(&sources, "192.0.2.1", 4), Err(2));
        assert_eq!(wrong(&sources, "192.0.2.1", MOST * REFILL + 3), Ok(()));
    }

    #[test]
    fn a_network_of_version_6_is_one_source() {
        let sources = Sources::default();
        for n in 0..MOST {
            assert_eq!(wrong(&sources, &format!("2001:db8::{n:x}:1"), 0), Ok(()));
        }
        assert_eq!(wrong(&sources, "2001:db8:0:0:ffff::1", 0), Err(3));
        assert_eq!(wrong(&sources, "2001:db8:0:1::1", 0), Ok(()));
    }

    #[test]
    fn right_ones_and_this_machine_and_nobody_are_not_counted() {
        let sources = Sources::default();
        for _ in 0..3 * MOST {
            let source = "192.0.2.1".parse().ok();
            sources.count(source, Timestamp(NOW)).unwrap().was_right();
            for not_counted in ["127.0.0.1", "::1", "::ffff:127.0.0.9", "nobody knows"] {
                assert_eq!(wrong(&sources, not_counted, 0), Ok(()));
            }
        }
        assert_eq!(wrong(&sources, "192.0.2.1", 0), Ok(()));
    }
}
