//! What is counted by where it comes from (`docs/rules.md` rule 48): guesses at secrets, and what
//! strangers begin. In memory, each node for itself.
//!
//! A guess is counted before it is checked and the count is taken back if it was right, so that
//! callers with the right secret are only delayed by wrong guesses from their own address. What an
//! unauthenticated caller starts is taken back when it is finished.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use castellan_proto::Timestamp;
use moka::sync::Cache;

use crate::{
    Issuer,
    error::OAuthError,
    request::source::{Network, Source, WIDTHS},
};

/// This many at once, and then one more per interval.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) most: u64,
    pub(crate) refill: u64,
}

/// The limits of one kind of thing.
pub(crate) struct Limits {
    /// Those of an address, and of the wider networks of version 6.
    networks: [Limit; WIDTHS.len()],
    /// The limit of the local machine, where an unlisted proxy may stand for everybody; `None` if
    /// it is not counted.
    here: Option<Limit>,
}

/// Wrong guesses at secrets.
pub(crate) const GUESSES: Limits = Limits {
    networks: [
        Limit { most: 100, refill: 3 },
        Limit { most: 200, refill: 2 },
        Limit { most: 400, refill: 1 },
    ],
    here: None,
};

/// What unauthenticated callers start and is stored for up to half an hour: sign-ins, pushed
/// requests, devices, and proofs of keys. Finishing it takes the count back.
pub(crate) const BEGUN: Limits = Limits {
    networks: [
        Limit { most: 300, refill: 2 },
        Limit { most: 600, refill: 1 },
        Limit { most: 1_200, refill: 1 },
    ],
    here: Some(Limit { most: 2_000, refill: 1 }),
};

/// Clients that strangers register, where registration is open. What is registered stays, so that
/// nothing takes the count back.
pub(crate) const REGISTERED: Limits = Limits {
    networks: [
        Limit { most: 20, refill: 180 },
        Limit { most: 40, refill: 90 },
        Limit { most: 80, refill: 45 },
    ],
    here: Some(Limit { most: 100, refill: 30 }),
};

/// Tokens that another issuer was asked about and that were not active: who sends many makes this
/// server ask that issuer as often.
pub(crate) const UNKNOWN_TOKENS: Limits = Limits {
    networks: [
        Limit { most: 60, refill: 2 },
        Limit { most: 120, refill: 1 },
        Limit { most: 240, refill: 1 },
    ],
    here: Some(Limit { most: 240, refill: 1 }),
};

/// Networks that are remembered at a time.
const SOURCES: u64 = 100_000;

/// What was counted of one kind, by network.
pub(crate) struct Sources {
    limits: &'static Limits,
    buckets: Cache<Network, Arc<Bucket>>,
}

/// How many are not forgotten yet, as of when.
pub(crate) struct Bucket(Mutex<Count>);

struct Count {
    count: u64,
    at: Timestamp,
}

/// One that is counted.
#[must_use]
pub(crate) struct Guess(Vec<Arc<Bucket>>);

impl Sources {
    pub(crate) fn new(limits: &'static Limits) -> Self {
        let all = limits.networks.iter().chain(&limits.here);
        let idle = all.map(|limit| limit.most * limit.refill).max().unwrap_or_default();
        let idle = Duration::from_secs(idle);
        Self { limits, buckets: Cache::builder().max_capacity(SOURCES).time_to_idle(idle).build() }
    }

    /// Counts one from `source`.
    ///
    /// # Errors
    /// Seconds to wait if there were too many from there, or from a network around it.
    pub(crate) fn count(&self, source: Option<Source>, now: Timestamp) -> Result<Guess, u64> {
        let mut counted = Guess(Vec::new());
        for (network, limit) in self.asked(source) {
            let bucket = self.buckets.get_with(network, || Arc::new(Bucket::new(now)));
            if let Err(seconds) = bucket.take(limit, now) {
                counted.was_right();
                return Err(seconds);
            }
            counted.0.push(bucket);
        }
        Ok(counted)
    }

    /// Takes back one that was counted from `source`, now or earlier.
    fn give_back(&self, source: Option<Source>) {
        for (network, _) in self.asked(source) {
            if let Some(bucket) = self.buckets.get(&network) {
                bucket.give_back();
            }
        }
    }

    /// The networks that `source` is counted in, each with its limit; none for what is our own.
    fn asked(&self, source: Option<Source>) -> impl Iterator<Item = (Network, Limit)> {
        let here = source.is_some_and(Source::is_here);
        let limits = self.limits;
        let networks = source.into_iter().flat_map(Source::networks);
        networks.zip(limits.networks).filter_map(move |(network, limit)| {
            let limit = if here { limits.here } else { Some(limit) };
            limit.map(|limit| (network, limit))
        })
    }
}

impl Bucket {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Count { count: 0, at: now }))
    }

    /// Counts one more.
    ///
    /// # Errors
    /// Seconds to wait if there were too many.
    pub(crate) fn take(&self, limit: Limit, now: Timestamp) -> Result<(), u64> {
        let Limit { most, refill } = limit;
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = now.since(bucket.at).as_secs() / refill;
        bucket.count = bucket.count.saturating_sub(forgotten);
        bucket.at = if bucket.count == 0 {
            now
        } else {
            Timestamp(bucket.at.0.saturating_add(forgotten * refill))
        };
        if bucket.count >= most {
            let waited = now.since(bucket.at).as_secs();
            return Err(refill.saturating_sub(waited).max(1));
        }
        bucket.count += 1;
        Ok(())
    }

    /// Takes one count back.
    pub(crate) fn give_back(&self) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.count = bucket.count.saturating_sub(1);
    }
}

impl Guess {
    /// It was right, or is finished, and so none.
    pub(crate) fn was_right(self) {
        for bucket in self.0 {
            bucket.give_back();
        }
    }
}

impl Issuer {
    /// Counts a guess at a secret before it is checked.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if too many from there were wrong; then nothing is to be checked.
    pub(crate) fn guess_from(&self, source: Option<Source>) -> Result<Guess, OAuthError> {
        self.guessers().count(source, self.now()).map_err(OAuthError::Throttled)
    }

    /// Counts something that a stranger begins, before it is kept.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if too many from there were started and not finished; then nothing
    /// may be stored.
    pub(crate) fn begin_from(&self, source: Option<Source>) -> Result<Guess, OAuthError> {
        self.beginners().count(source, self.now()).map_err(OAuthError::Throttled)
    }

    /// Counts a client that a stranger registers, before it is kept.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if too many from there were registered; then none may be.
    pub(crate) fn registered_from(&self, source: Option<Source>) -> Result<Guess, OAuthError> {
        self.registrants().count(source, self.now()).map_err(OAuthError::Throttled)
    }

    /// Something that was started from `source` is finished.
    pub(crate) fn finished_from(&self, source: Option<Source>) {
        self.beginners().give_back(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const MOST: u64 = GUESSES.networks[0].most;

    fn source(text: &str) -> Option<Source> {
        text.parse().ok().map(Source::Address)
    }

    fn wrong(sources: &Sources, from: &str, seconds: u64) -> Result<(), u64> {
        sources.count(source(from), Timestamp(NOW + seconds)).map(drop)
    }

    #[test]
    fn a_source_that_guesses_waits_and_no_other_does() {
        let sources = Sources::new(&GUESSES);
        for _ in 0..MOST {
            assert_eq!(wrong(&sources, "192.0.2.1", 0), Ok(()));
        }
        assert_eq!(wrong(&sources, "192.0.2.1", 0), Err(3));
        assert_eq!(wrong(&sources, "::ffff:192.0.2.1", 2), Err(1));
        assert_eq!(wrong(&sources, "192.0.2.2", 0), Ok(()));
        assert_eq!(wrong(&sources, "192.0.2.1", 3), Ok(()));
        assert_eq!(wrong(&sources, "192.0.2.1", 4), Err(2));
        assert_eq!(wrong(&sources, "192.0.2.1", MOST * 3 + 3), Ok(()));
    }

    #[test]
    fn a_network_of_version_6_is_one_source() {
        let sources = Sources::new(&GUESSES);
        for n in 0..MOST {
            assert_eq!(wrong(&sources, &format!("2001:db8::{n:x}:1"), 0), Ok(()));
        }
        assert_eq!(wrong(&sources, "2001:db8:0:0:ffff::1", 0), Err(3));
        assert_eq!(wrong(&sources, "2001:db8:0:1::1", 0), Ok(()));
    }

    #[test]
    fn whoever_has_many_networks_of_version_6_is_counted_in_the_wider_ones() {
        let sources = Sources::new(&GUESSES);
        let mut counted = 0;
        for n in 0..1_000 {
            counted += u64::from(wrong(&sources, &format!("2001:db8:7:{n:x}::1"), 0).is_ok());
        }
        // Two hundred of each /56, of which a /48 has more than two.
        assert_eq!(counted, 400);
        assert_eq!(wrong(&sources, "2001:db8:7:ffff::1", 0), Err(1), "the same /48");
        assert_eq!(wrong(&sources, "2001:db8:8::1", 0), Ok(()), "another one");
        let sources = Sources::new(&GUESSES);
        for n in 0..200 {
            assert_eq!(wrong(&sources, &format!("2001:db8:7:{n:x}::1"), 0), Ok(()));
        }
        assert_eq!(wrong(&sources, "2001:db8:7:ff::1", 0), Err(2), "the same /56");
        assert_eq!(wrong(&sources, "2001:db8:7:100::1", 0), Ok(()), "another one");
    }

    #[test]
    fn what_is_unknown_behind_a_proxy_is_one_source_even_on_this_machine() {
        let sources = Sources::new(&GUESSES);
        let behind = |proxy: &str| proxy.parse().ok().map(Source::Behind);
        for _ in 0..MOST {
            assert!(sources.count(behind("127.0.0.1"), Timestamp(NOW)).is_ok());
        }
        assert_eq!(sources.count(behind("127.0.0.1"), Timestamp(NOW)).map(drop), Err(3));
        assert!(sources.count(behind("10.0.0.1"), Timestamp(NOW)).is_ok());
    }

    #[test]
    fn right_ones_and_this_machine_and_nobody_are_not_counted() {
        let sources = Sources::new(&GUESSES);
        for _ in 0..3 * MOST {
            sources.count(source("192.0.2.1"), Timestamp(NOW)).unwrap().was_right();
            for not_counted in ["127.0.0.1", "::1", "::ffff:127.0.0.9", "nobody knows"] {
                assert_eq!(wrong(&sources, not_counted, 0), Ok(()));
            }
        }
        assert_eq!(wrong(&sources, "192.0.2.1", 0), Ok(()));
    }

    #[test]
    fn what_is_refused_by_a_wider_network_is_not_counted_in_the_narrower_one() {
        let sources = Sources::new(&GUESSES);
        for n in 0..200 {
            assert_eq!(wrong(&sources, &format!("2001:db8::{n:x}:0:0:0:1"), 0), Ok(()));
        }
        for _ in 0..MOST {
            assert_eq!(wrong(&sources, "2001:db8:0:ff::1", 0), Err(2));
        }
        // Two hundred places are free again in the wider one.
        for _ in 0..MOST {
            assert_eq!(wrong(&sources, "2001:db8:0:ff::1", 400), Ok(()));
        }
    }

    #[test]
    fn what_is_begun_is_bounded_even_on_this_machine_and_given_back_when_finished() {
        let sources = Sources::new(&BEGUN);
        for (from, most) in [("192.0.2.1", 300), ("2001:db8::1", 300), ("127.0.0.1", 2_000)] {
            for _ in 0..most {
                assert_eq!(wrong(&sources, from, 0), Ok(()));
            }
            assert!(wrong(&sources, from, 0).is_err(), "{from}");
            sources.give_back(source(from));
            assert_eq!(wrong(&sources, from, 0), Ok(()));
            assert!(wrong(&sources, from, 0).is_err(), "{from}");
        }
    }
}
