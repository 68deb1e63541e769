//! The contract in its shortest form, for unit tests only.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use castellan_proto::Timestamp;

use super::{
    Abilities, Draft, Feed, FeedCursor, FeedEntry, Inserted, Key, Kind, NameEnd, NameQuery, Named,
    Notice, PageQuery, Record, Replaced, Store, StoreError, Taken,
};

/// How long a notice is kept.
const NOTICE_AGE: Duration = Duration::from_mins(10);

/// A store that forgets when it is dropped. It never fails.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<Key, Slot>,
    /// Who has which unique name, each in the place of an id. The holder may have expired.
    names: BTreeMap<Key, Key>,
    feed: VecDeque<StoredNotice>,
    /// The number of the last notice ever written.
    end: u64,
    /// The last `now` that a writer brought; the age of notices counts from it.
    now: Timestamp,
}

#[derive(Debug)]
struct Slot {
    record: Record,
    taken: bool,
}

#[derive(Debug)]
struct StoredNotice {
    number: u64,
    at: Timestamp,
    subject: String,
}

impl Slot {
    fn is_live(&self, now: Timestamp) -> bool {
        self.record.expires_at.is_none_or(|end| end > now)
    }
}

impl State {
    /// The record of `key`, or its tombstone.
    fn stored(&mut self, key: &Key, now: Timestamp) -> Option<&mut Slot> {
        self.records.get_mut(key).filter(|stored| stored.is_live(now))
    }

    /// Every record and tombstone of `kind` on `site` whose id is `from` or comes after it.
    fn of_kind(
        &self,
        site: &Arc<str>,
        kind: Kind,
        from: &str,
        now: Timestamp,
    ) -> impl Iterator<Item = &Slot> {
        self.records
            .range(Key::new(site, kind, from)..)
            .map(|(_, stored)| stored)
            .take_while(move |stored| {
                stored.record.key.site == *site && stored.record.key.kind == kind
            })
            .filter(move |stored| stored.is_live(now))
    }

    /// The record or tombstone that has a unique name.
    fn holder(&self, name: &Key, now: Timestamp) -> Option<&Slot> {
        self.records.get(self.names.get(name)?).filter(|stored| stored.is_live(now))
    }

    /// The first unique name of `draft` that another record or tombstone has.
    fn clash(&self, draft: &Draft, now: Timestamp) -> Option<String> {
        let key = &draft.key;
        let is_held = |name: &&String| {
            let holder = self.holder(&Key::new(&key.site, key.kind, *name), now);
            holder.is_some_and(|stored| stored.record.key != *key)
        };
        draft.unique.iter().find(is_held).cloned()
    }

    fn put(&mut self, draft: Draft, version: u64) {
        self.remove(&draft.key);
        let Draft { key, body, unique, expires_at } = draft;
        for name in &unique {
            self.names.insert(Key::new(&key.site, key.kind, name), key.clone());
        }
        let record = Record { key: key.clone(), version, body, unique, expires_at };
        self.records.insert(key, Slot { record, taken: false });
    }

    /// Removes a record or tombstone with those of its names that nobody else has by now.
    fn remove(&mut self, key: &Key) {
        for name in self.records.remove(key).into_iter().flat_map(|stored| stored.record.unique) {
            let name = Key::new(&key.site, key.kind, name);
            if self.names.get(&name) == Some(key) {
                self.names.remove(&name);
            }
        }
    }

    fn tell(&mut self, subject: &Key, notice: Notice) {
        if notice == Notice::Tell {
            self.end += 1;
            let stored_notice =
                StoredNotice { number: self.end, at: self.now, subject: subject.text() };
            self.feed.push_back(stored_notice);
        }
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere shall fail there and not here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.now = now;
        state
    }
}

#[async_trait]
impl Store for Memory {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let mut state = self.state();
        let mut get = |key| state.stored(key, now).filter(|h| !h.taken).map(|h| h.record.clone());
        Ok(keys.iter().map(&mut get).collect())
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        let state = self.state();
        let found = state.holder(&Key::new(site, kind, unique), now);
        Ok(found.filter(|stored| !stored.taken).map(|stored| stored.record.clone()))
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        let mut state = self.writing(now);
        if state.stored(&draft.key, now).is_some() {
            return Ok(Inserted::Exists);
        }
        if let Some(name) = state.clash(&draft, now) {
            return Ok(Inserted::Clash(name));
        }
        state.tell(&draft.key, notice);
        state.put(draft, 1);
        Ok(Inserted::Done)
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let mut state = self.writing(now);
        let stored = state.stored(&draft.key, now);
        if stored.is_none_or(|stored| stored.taken || stored.record.version != version) {
            return Ok(Replaced::Stale);
        }
        if let Some(name) = state.clash(&draft, now) {
            return Ok(Replaced::Clash(name));
        }
        state.tell(&draft.key, notice);
        state.put(draft, version + 1);
        Ok(Replaced::Done(version + 1))
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        let mut state = self.writing(now);
        let Some(stored) = state.stored(key, now) else { return Ok(Taken::None) };
        let again = std::mem::replace(&mut stored.taken, true);
        let record = stored.record.clone();
        Ok(if again { Taken::Again(record) } else { Taken::First(record) })
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.writing(now);
        let stored = state.stored(key, now);
        if stored
            .is_none_or(|stored| version.is_some_and(|version| version != stored.record.version))
        {
            return Ok(false);
        }
        state.remove(key);
        state.tell(key, notice);
        Ok(true)
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        let is_after = |id: &String| query.after.as_ref().is_none_or(|after| id > after);
        Ok(self
            .state()
            .of_kind(&query.site, query.kind, &query.prefix, now)
            .take_while(|stored| stored.record.key.id.starts_with(&query.prefix))
            .filter(|stored| !stored.taken && is_after(&stored.record.key.id))
            .take(query.limit)
            .map(|stored| stored.record.clone())
            .collect())
    }

    /// By their beginning; there is no index of endings.
    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        if query.end == NameEnd::Finish {
            return Ok(None);
        }
        let state = self.state();
        let is_meant = |name: &Key| {
            name.site == query.site && name.kind == query.kind && query.admits(&name.id)
        };
        let is_after = |name: &str| {
            let after = query.after.as_deref();
            after.is_none_or(|after| if query.descending { name < after } else { name > after })
        };
        let mut all: Vec<&Key> = state
            .names
            .range(Key::new(&query.site, query.kind, &*query.part)..)
            .map(|(name, _)| name)
            .take_while(|name| is_meant(name))
            .filter(|name| is_after(&name.id))
            .collect();
        if query.descending {
            all.reverse();
        }
        let named = |name: &Key| {
            let stored = state.holder(name, now).filter(|stored| !stored.taken)?;
            Some(Named { name: name.id.clone(), record: stored.record.clone() })
        };
        Ok(Some(all.into_iter().filter_map(named).take(query.limit).collect()))
    }

    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        let state = self.state();
        Ok(state.of_kind(site, kind, "", now).filter(|stored| !stored.taken).map(|_| 1).sum())
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        let state = self.state();
        let cursor = FeedCursor(state.end.to_string());
        let Some(after) = after else {
            return Ok(Feed { entries: Vec::new(), cursor, gap: false });
        };
        // A cursor that does not read, or lies ahead, is not from this store.
        let Some(after) = after.0.parse().ok().filter(|after| *after <= state.end) else {
            return Ok(Feed { entries: Vec::new(), cursor, gap: true });
        };
        let first = state.feed.front().map_or(state.end + 1, |stored_notice| stored_notice.number);
        let entry = |stored_notice: &StoredNotice| FeedEntry {
            id: stored_notice.number.to_string(),
            subject: stored_notice.subject.clone(),
        };
        let entries = state
            .feed
            .iter()
            .filter(|stored_notice| stored_notice.number > after)
            .map(entry)
            .collect();
        Ok(Feed { entries, cursor, gap: after + 1 < first })
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        self.state().tell(subject, Notice::Tell);
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut state = self.writing(now);
        let expired: Vec<Key> = state
            .records
            .values()
            .filter(|stored| !stored.is_live(now))
            .take(limit)
            .map(|stored| stored.record.key.clone())
            .collect();
        for key in &expired {
            state.remove(key);
        }
        let is_old = |stored_notice: &&StoredNotice| now.since(stored_notice.at) > NOTICE_AGE;
        let old = state.feed.iter().take(limit).take_while(is_old).count();
        state.feed.drain(..old);
        Ok(expired.len().max(old))
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
}
