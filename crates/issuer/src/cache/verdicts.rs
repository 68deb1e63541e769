//! What this node found tokens to be, each for as long as what that rests on stays as it was
//! (`docs/rules.md` rule 27).

use std::{sync::Arc, time::Duration};

use castellan_proto::{Digest, Timestamp};
use moka::sync::Cache;

use crate::{Issuer, cache::liveness::Snapshot};

/// Verdicts on tokens of one kind.
pub(crate) struct Verdicts<T>(Cache<Digest, Arc<Verdict<T>>>);

struct Verdict<T> {
    live: Arc<T>,
    snapshot: Snapshot,
    until: Timestamp,
}

/// What a verdict takes in memory beside what it shares with others: whoever gets a token may have
/// chosen how much there is in it.
pub(crate) trait Memory {
    /// Bytes, about.
    fn memory(&self) -> usize;
}

/// A verdict lives at most so long, whatever is heard.
const LONGEST: u64 = 60;
/// Bytes of verdicts of one kind at most: a hundred thousand as they usually are.
const MOST_BYTES: u64 = 96 * 1024 * 1024;
/// What a verdict takes in the cache by itself.
const ENTRY: usize = 384;

impl<T: Memory + Send + Sync + 'static> Default for Verdicts<T> {
    fn default() -> Self {
        let weigh = |_: &Digest, verdict: &Arc<Verdict<T>>| {
            let bytes = ENTRY + size_of::<Verdict<T>>() + verdict.live.memory();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let lifetime = Duration::from_secs(LONGEST);
        Self(
            Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).time_to_live(lifetime).build(),
        )
    }
}

impl<T: Send + Sync + 'static> Verdicts<T> {
    /// What the token of `digest` was found to be, if that still counts. What does not is forgotten,
    /// so that it cannot count again when a poll is heard that began before the end of the token.
    pub(crate) fn get(&self, issuer: &Issuer, digest: &Digest) -> Option<Arc<T>> {
        let verdict = self.0.get(digest)?;
        if issuer.now() < verdict.until && issuer.liveness().holds(&verdict.snapshot) {
            return Some(Arc::clone(&verdict.live));
        }
        self.0.invalidate(digest);
        None
    }

    /// Remembers what a token was found to be, which is worthless at `ends`. `snapshot` was captured
    /// before anything was read: if something changed since, nothing is remembered.
    pub(crate) fn keep(
        &self,
        issuer: &Issuer,
        digest: Digest,
        (live, snapshot): (&Arc<T>, Snapshot),
        ends: Timestamp,
    ) {
        if issuer.liveness().holds(&snapshot) {
            let until = ends.min(Timestamp(issuer.now().0 + LONGEST));
            self.0.insert(digest, Arc::new(Verdict { live: Arc::clone(live), snapshot, until }));
        }
    }
}
