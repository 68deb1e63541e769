//! Records that were read a moment ago: the clients, people and consents that every token rests
//! on, and that seldom change. One counts as long as nothing is told of it (`design.md` rule 27).
//!
//! What stands here is enough for a yes: before a no, the store is asked.

use std::{sync::Arc, time::Duration};

use castellan_proto::Timestamp;
use moka::sync::Cache;

use crate::{
    Issuer,
    liveness::Snapshot,
    store::{Key, Record, StoreError},
};

/// What this node has read of late.
pub(crate) struct Shelf(Cache<Key, Arc<Shelved>>);

struct Shelved {
    record: Record,
    snapshot: Snapshot,
    until: Timestamp,
}

/// Nothing stands here longer than so many seconds, whatever is heard.
const LONGEST: u64 = 60;

impl Default for Shelf {
    fn default() -> Self {
        let lifetime = Duration::from_secs(LONGEST);
        Self(Cache::builder().max_capacity(20_000).time_to_live(lifetime).build())
    }
}

/// Records as they are, or were when they were last told of.
pub(crate) struct Near {
    /// In the order of their keys.
    pub(crate) records: Vec<Option<Record>>,
    /// What they rest on.
    pub(crate) snapshot: Snapshot,
    /// All of them were read just now.
    pub(crate) is_fresh: bool,
}

impl Issuer {
    /// The records of `keys`, in at most one round trip and in none if all of them are at hand.
    ///
    /// To be used for kinds alone of which every change is told, and for what may be as late as the
    /// feed. Who is refused by them is refused only after a look at the store ([`Issuer::afresh`]).
    pub(crate) async fn near(&self, keys: &[Key]) -> Result<Near, StoreError> {
        let mut near = Near {
            records: Vec::with_capacity(keys.len()),
            snapshot: self.liveness().snapshot([]),
            is_fresh: true,
        };
        let mut missing = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let shelved = self.shelf().0.get(key).filter(|shelved| self.still_counts(shelved));
            match &shelved {
                Some(shelved) => {
                    near.is_fresh = false;
                    near.snapshot = near.snapshot.and(shelved.snapshot.clone());
                }
                None => missing.push((place, key.clone())),
            }
            near.records.push(shelved.map(|shelved| shelved.record.clone()));
        }
        if missing.is_empty() {
            return Ok(near);
        }
        let (places, keys): (Vec<usize>, Vec<Key>) = missing.into_iter().unzip();
        let Near { records, snapshot, .. } = self.afresh(&keys).await?;
        near.snapshot = near.snapshot.and(snapshot);
        for (place, record) in places.into_iter().zip(records) {
            near.records[place] = record;
        }
        Ok(near)
    }

    /// The records of `keys` as the store has them now, in one round trip.
    pub(crate) async fn afresh(&self, keys: &[Key]) -> Result<Near, StoreError> {
        // Captured before they are read: what changes in between is seen as a change.
        let of = |key: &Key| self.liveness().snapshot([&*key.text()]);
        let snapshots: Vec<Snapshot> = keys.iter().map(of).collect();
        let now = self.now();
        let records = self.desk().store().get_many(keys, now).await?;
        for (record, snapshot) in records.iter().zip(&snapshots) {
            let Some(record) = record else { continue };
            let longest = Timestamp(now.0 + LONGEST);
            let until = record.expires_at.map_or(longest, |expires| expires.min(longest));
            let shelved = Shelved { record: record.clone(), snapshot: snapshot.clone(), until };
            self.shelf().0.insert(record.key.clone(), Arc::new(shelved));
        }
        let snapshot = snapshots
            .into_iter()
            .reduce(Snapshot::and)
            .unwrap_or_else(|| self.liveness().snapshot([]));
        Ok(Near { records, snapshot, is_fresh: true })
    }

    fn still_counts(&self, shelved: &Shelved) -> bool {
        self.now() < shelved.until && self.liveness().holds(&shelved.snapshot)
    }
}
