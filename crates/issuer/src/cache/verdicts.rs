//! Verification results of tokens on this node, each cached as long as the records it depends on do
//! not change (`docs/rules.md` rule 27).

use std::{hash::Hash, sync::Arc, time::Duration};

use castellan_proto::{Digest, Timestamp};
use moka::{Equivalent, sync::Cache};

use crate::{Issuer, cache::liveness::Snapshot};

/// Verdicts on tokens of one kind, by the whole token: it is found by a keyed hash, and compared. `K` is
/// something else where what was shown must not be kept.
pub(crate) struct Verdicts<T, K = Box<str>>(Cache<K, Arc<Verdict<T>>>);

struct Verdict<T> {
    live: Arc<T>,
    snapshot: Snapshot,
    until: Timestamp,
}

/// Memory that a verdict takes besides what it shares with others: its size may depend on what the
/// holder of the token has chosen.
pub(crate) trait Memory {
    /// Bytes of memory, approximately.
    fn memory(&self) -> usize;
}

impl Memory for Box<str> {
    fn memory(&self) -> usize {
        self.len()
    }
}

impl Memory for Digest {
    fn memory(&self) -> usize {
        0
    }
}

/// Seconds that a verdict is cached at most, even without a notice.
const LONGEST: u64 = 60;
/// Bytes of verdicts of one kind at most: sixty thousand as they usually are.
const MOST_BYTES: u64 = 96 * 1024 * 1024;
/// What a verdict takes in the cache by itself.
const ENTRY: usize = 384;

impl<T, K> Default for Verdicts<T, K>
where
    T: Memory + Send + Sync + 'static,
    K: Memory + Hash + Eq + Send + Sync + 'static,
{
    fn default() -> Self {
        let weigh = |shown: &K, verdict: &Arc<Verdict<T>>| {
            let bytes = ENTRY + size_of::<Verdict<T>>() + verdict.live.memory() + shown.memory();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let lifetime = Duration::from_secs(LONGEST);
        Self(
            Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).time_to_live(lifetime).build(),
        )
    }
}

impl<T, K> Verdicts<T, K>
where
    T: Send + Sync + 'static,
    K: Hash + Eq + Send + Sync + 'static,
{
    /// The cached verdict on the token `shown`, if it still counts. One that does not is removed, so
    /// that it cannot count again after a poll that began before the token ended.
    pub(crate) fn get<Q>(&self, issuer: &Issuer, shown: &Q) -> Option<Arc<T>>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let verdict = self.0.get(shown)?;
        if issuer.now() < verdict.until && issuer.liveness().holds(&verdict.snapshot) {
            return Some(Arc::clone(&verdict.live));
        }
        self.0.invalidate(shown);
        None
    }

    /// Remembers what the token `shown` was found to be, which is worthless at `ends`. `snapshot` was
    /// captured before anything was read: if something changed since, nothing is remembered.
    pub(crate) fn keep(
        &self,
        issuer: &Issuer,
        shown: impl Into<K>,
        (live, snapshot): (&Arc<T>, Snapshot),
        ends: Timestamp,
    ) {
        if issuer.liveness().holds(&snapshot) {
            let until = ends.min(Timestamp(issuer.now().0 + LONGEST));
            self.0.insert(
                shown.into(),
                Arc::new(Verdict { live: Arc::clone(live), snapshot, until }),
            );
        }
    }
}
