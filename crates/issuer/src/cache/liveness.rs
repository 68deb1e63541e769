//! Whether a verdict of earlier still counts (`docs/rules.md` rules 27 to 30).
//!
//! A fixed table of epochs. A notice about a record increments the slot of its key. A verdict
//! stores the slots of the records it depends on, captured before those were read, and counts only
//! while they match. Two keys in one slot invalidate more than necessary, never less.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::store::{FeedCursor, Store, StoreError, whole_subject};

/// Epochs of everything that verdicts depend on, for this node.
pub struct Liveness {
    slots: Box<[AtomicU64]>,
    /// Bumped when notices may have been missed.
    all: AtomicU64,
    /// How often anything was bumped.
    changes: AtomicU64,
    started: Instant,
    /// Milliseconds since the start at which the last poll that succeeded began.
    polled: AtomicU64,
}

/// The epochs of what a verdict depends on, captured before it was made.
#[derive(Clone, Debug)]
pub struct Snapshot {
    slots: Vec<(u16, u64)>,
    all: u64,
}

impl Snapshot {
    /// This and `other`, both of which must be current.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.slots.extend(other.slots);
        // Of two counts of missed notices the earlier one is the stricter.
        self.all = self.all.min(other.all);
        self
    }
}

/// The result of a poll of the feed.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Where the next poll continues.
    pub cursor: FeedCursor,
    /// Something may have been missed.
    pub gap: bool,
}

/// How often the feed is read.
pub const POLL: Duration = Duration::from_millis(250);
/// Unless a poll that began within this time has succeeded, no earlier decision counts.
const SILENCE: Duration = Duration::from_secs(1);

impl Default for Liveness {
    fn default() -> Self {
        Self::new()
    }
}

impl Liveness {
    /// A table of which nothing has been polled yet, so no verdict counts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: (0..=u16::MAX).map(|_| AtomicU64::new(0)).collect(),
            all: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            started: Instant::now(),
            polled: AtomicU64::new(0),
        }
    }

    /// Captures the epochs of `subjects`. To be called before they are read.
    pub fn snapshot<'a>(&self, subjects: impl IntoIterator<Item = &'a str>) -> Snapshot {
        let all = self.all.load(Ordering::Acquire);
        let slots = subjects
            .into_iter()
            .map(|subject| {
                let slot = slot(subject);
                (slot, self.slots[usize::from(slot)].load(Ordering::Acquire))
            })
            .collect();
        Snapshot { slots, all }
    }

    /// Whether nothing that `snapshot` captured has changed since, as far as this node can know.
    #[must_use]
    pub fn holds(&self, snapshot: &Snapshot) -> bool {
        self.hears()
            && self.all.load(Ordering::Acquire) == snapshot.all
            && snapshot.slots.iter().all(|(slot, epoch)| {
                self.slots[usize::from(*slot)].load(Ordering::Acquire) == *epoch
            })
    }

    /// Whether a poll that began within the last second has succeeded.
    #[must_use]
    pub fn hears(&self) -> bool {
        let polled = self.polled.load(Ordering::Acquire);
        let now = self.elapsed();
        polled != 0 && now.saturating_sub(polled) <= millis(SILENCE)
    }

    /// How long ago the last poll that has succeeded began; `None` before the first.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        let polled = self.polled.load(Ordering::Acquire);
        let lag = || Duration::from_millis(self.elapsed().saturating_sub(polled));
        (polled != 0).then(lag)
    }

    /// Invalidates decisions that depend on `subject`.
    pub fn bump(&self, subject: &str) {
        // Of some kinds all records are read at once, also those that were not there yet.
        if let Some(whole) = whole_subject(subject) {
            self.slots[usize::from(slot(whole))].fetch_add(1, Ordering::AcqRel);
        }
        self.slots[usize::from(slot(subject))].fetch_add(1, Ordering::AcqRel);
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Invalidates every decision.
    pub fn bump_all(&self) {
        self.all.fetch_add(1, Ordering::AcqRel);
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// A number that grows whenever something is invalidated.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Reads the feed once and returns where to continue. The first poll only finds its end.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; `cursor` then remains valid.
    pub async fn poll(
        &self,
        store: &dyn Store,
        cursor: Option<&FeedCursor>,
        mut seen: impl FnMut(&str),
    ) -> Result<Heard, StoreError> {
        let began = self.elapsed().max(1);
        let feed = store.feed(cursor).await?;
        if feed.gap || cursor.is_none() {
            self.bump_all();
        }
        for entry in &feed.entries {
            self.bump(&entry.subject);
            seen(&entry.subject);
        }
        self.polled.store(began, Ordering::Release);
        Ok(Heard { cursor: feed.cursor, gap: feed.gap })
    }

    fn elapsed(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn slot(subject: &str) -> u16 {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    // Any 16 bits of the hash will do.
    u16::try_from(hasher.finish() & 0xffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;

    #[tokio::test]
    async fn a_verdict_counts_until_what_it_rests_on_changes() {
        let (liveness, store) = (Liveness::new(), Memory::default());
        let early = liveness.snapshot(["a/family/1"]);
        assert!(!liveness.holds(&early), "nothing was polled yet");
        let cursor = liveness.poll(&store, None, |_| {}).await.unwrap().cursor;
        assert!(!liveness.holds(&early), "what was decided before the first poll may be stale");
        let now = liveness.snapshot(["a/family/1", "a/client/x"]);
        assert!(liveness.holds(&now));
        liveness.poll(&store, Some(&cursor), |_| {}).await.unwrap();
        assert!(liveness.holds(&now));
        liveness.bump("a/client/x");
        assert!(!liveness.holds(&now));
    }
}
