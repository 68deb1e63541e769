//! Records that were read recently: the clients, people and consents that every token depends on,
//! and that seldom change. An entry counts until a change of it is noticed (`docs/rules.md` rule
//! 27).
//!
//! Cached records suffice to allow something: before a refusal, the store is asked.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
    time::Duration,
};

use castellan_proto::Timestamp;
use moka::sync::Cache;

use crate::{
    Issuer,
    cache::liveness::Snapshot,
    records::repository::{Stored, Versioned},
    store::{Key, Record, StoreError},
};

/// What this node has read of late.
pub(crate) struct RecordCache(Cache<Key, Arc<CachedRecord>>);

/// A record as it was read. Its body is parsed once, however often it is used.
pub(crate) struct CachedRecord {
    record: Record,
    snapshot: Snapshot,
    until: Timestamp,
    body: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl CachedRecord {
    /// Which record it is.
    pub(crate) const fn key(&self) -> &Key {
        &self.record.key
    }

    /// The record's body.
    ///
    /// # Errors
    /// [`StoreError`] if it contains something else.
    pub(crate) fn read<T: Stored + Send + Sync + 'static>(
        &self,
    ) -> Result<Versioned<Arc<T>>, StoreError> {
        let known = self.body.get().cloned().and_then(|body| body.downcast::<T>().ok());
        let body = if let Some(body) = known {
            body
        } else {
            let body: T = serde_json::from_slice(&self.record.body).map_err(StoreError::new)?;
            let body = Arc::new(body);
            // Another reader that was faster has read the same.
            let _ = self.body.set(Arc::<T>::clone(&body));
            body
        };
        Ok(Versioned { id: self.record.key.id.clone(), version: self.record.version, body })
    }
}

/// Seconds that a record is cached at most, even without a notice.
const LONGEST: u64 = 60;
/// Maximum bytes of cached records: twenty thousand records of the usual size.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// What a record takes in the cache by itself.
const ENTRY: usize = 512;

impl Default for RecordCache {
    fn default() -> Self {
        let weigh = |key: &Key, cached_record: &Arc<CachedRecord>| {
            // What it says once it was read is a few times what is written.
            let bytes = ENTRY + 2 * key.id.len() + 4 * cached_record.record.body.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let lifetime = Duration::from_secs(LONGEST);
        Self(
            Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).time_to_live(lifetime).build(),
        )
    }
}

/// Records in their current state, or as of the last notice about them.
pub(crate) struct Lookup {
    /// In the order of their keys.
    pub(crate) records: Vec<Option<Arc<CachedRecord>>>,
    /// The epochs that they depend on.
    pub(crate) snapshot: Snapshot,
    /// All of them were read just now.
    pub(crate) is_fresh: bool,
}

impl Issuer {
    /// The records of `keys`, in at most one round trip and in none if all of them are at hand.
    ///
    /// Only for kinds of which every change writes a notice, and for uses that tolerate the delay
    /// of the feed. A refusal based on these records needs a read of the store first
    /// ([`Issuer::fresh`]).
    pub(crate) async fn cached(&self, keys: &[Key]) -> Result<Lookup, StoreError> {
        let mut lookup = Lookup {
            records: Vec::with_capacity(keys.len()),
            snapshot: self.liveness().snapshot([]),
            is_fresh: true,
        };
        let mut missing = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let cached_record = self
                .record_cache()
                .0
                .get(key)
                .filter(|cached_record| self.still_counts(cached_record));
            match &cached_record {
                Some(cached_record) => {
                    lookup.is_fresh = false;
                    lookup.snapshot = lookup.snapshot.and(cached_record.snapshot.clone());
                }
                None => missing.push((place, key.clone())),
            }
            lookup.records.push(cached_record);
        }
        if missing.is_empty() {
            return Ok(lookup);
        }
        let (places, keys): (Vec<usize>, Vec<Key>) = missing.into_iter().unzip();
        let Lookup { records, snapshot, .. } = self.fresh(&keys).await?;
        lookup.snapshot = lookup.snapshot.and(snapshot);
        for (place, record) in places.into_iter().zip(records) {
            lookup.records[place] = record;
        }
        Ok(lookup)
    }

    /// The records of `keys` as the store has them now, in one round trip.
    pub(crate) async fn fresh(&self, keys: &[Key]) -> Result<Lookup, StoreError> {
        // Captured before they are read: what changes in between is seen as a change.
        let of = |key: &Key| self.liveness().snapshot([&*key.text()]);
        let snapshots: Vec<Snapshot> = keys.iter().map(of).collect();
        let now = self.now();
        let records = self.repository().store().get_many(keys, now).await?;
        let longest = Timestamp(now.0 + LONGEST);
        let keep = |(record, snapshot): (Option<Record>, &Snapshot)| {
            let record = record?;
            let until = record.expires_at.map_or(longest, |expires| expires.min(longest));
            let key = record.key.clone();
            let body = OnceLock::new();
            let cached_record =
                Arc::new(CachedRecord { record, snapshot: snapshot.clone(), until, body });
            self.record_cache().0.insert(key, Arc::clone(&cached_record));
            Some(cached_record)
        };
        let records = records.into_iter().zip(&snapshots).map(keep).collect();
        let snapshot = snapshots
            .into_iter()
            .reduce(Snapshot::and)
            .unwrap_or_else(|| self.liveness().snapshot([]));
        Ok(Lookup { records, snapshot, is_fresh: true })
    }

    fn still_counts(&self, cached_record: &CachedRecord) -> bool {
        self.now() < cached_record.until && self.liveness().holds(&cached_record.snapshot)
    }
}
