//! The data source with the time that each of its operations takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameQuery, Named, Notice, PageQuery,
    Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;
use prometheus_client::metrics::counter::Counter;

use super::{
    Metrics,
    catalogue::{STORE_ERRORS, STORE_IN_FLIGHT, STORE_SECONDS},
    histogram::Times,
    labels,
};

/// An operation that takes a round trip.
#[derive(Clone, Copy)]
enum Verb {
    GetMany,
    Find,
    Insert,
    Replace,
    Take,
    Delete,
    Page,
    PageByName,
    Count,
    Feed,
    Notify,
    Sweep,
    Clock,
    AdmitsOlder,
}

/// What each is called, at the place that its number says.
pub(super) const VERBS: [&str; 14] = [
    "get_many",
    "find",
    "insert",
    "replace",
    "take",
    "delete",
    "page",
    "page_by_name",
    "count",
    "feed",
    "notify",
    "sweep",
    "clock",
    "admits_older",
];

/// A data source of which every operation is measured.
pub(crate) struct Metered {
    inner: Arc<dyn Store>,
    verbs: [(Times, Counter); VERBS.len()],
    in_flight: Arc<AtomicUsize>,
}

/// An operation that has begun.
struct Begun<'a>(&'a AtomicUsize);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metered {
    /// `inner`, measured by `metrics`.
    pub(crate) fn of(inner: Arc<dyn Store>, metrics: &Metrics) -> Arc<dyn Store> {
        let in_flight = Arc::<AtomicUsize>::default();
        let shown = Arc::clone(&in_flight);
        metrics.read(&STORE_IN_FLIGHT, move |samples| {
            samples.count([], shown.load(Ordering::Relaxed));
        });
        let verbs = VERBS.map(|verb| {
            let of = |described| labels(described, vec![verb.to_owned()]);
            let times = metrics.store_seconds.get_or_create_owned(&of(&STORE_SECONDS));
            (times, metrics.store_errors.get_or_create_owned(&of(&STORE_ERRORS)))
        });
        Arc::new(Self { inner, verbs, in_flight })
    }

    async fn measure<T>(
        &self,
        verb: Verb,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let (times, errors) = &self.verbs[verb as usize];
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let (_begun, began) = (Begun(&self.in_flight), Instant::now());
        let done = work.await;
        times.observe(began.elapsed());
        if done.is_err() {
            errors.inc();
        }
        done
    }
}

#[async_trait]
impl Store for Metered {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.measure(Verb::GetMany, self.inner.get_many(keys, now)).await
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        self.measure(Verb::Find, self.inner.find(site, kind, unique, now)).await
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        self.measure(Verb::Insert, self.inner.insert(draft, notice, now)).await
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.measure(Verb::Replace, self.inner.replace(draft, version, notice, now)).await
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        self.measure(Verb::Take, self.inner.take(key, now)).await
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.measure(Verb::Delete, self.inner.delete(key, version, notice, now)).await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.measure(Verb::Page, self.inner.page(query, now)).await
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        self.measure(Verb::PageByName, self.inner.page_by_name(query, now)).await
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        self.measure(Verb::Count, self.inner.count(site, kind, now)).await
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        self.measure(Verb::Feed, self.inner.feed(after)).await
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        self.measure(Verb::Notify, self.inner.notify(subject)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.measure(Verb::Sweep, self.inner.sweep(now, limit)).await
    }

    async fn clock(&self) -> Result<Option<u64>, StoreError> {
        self.measure(Verb::Clock, self.inner.clock()).await
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        self.measure(Verb::AdmitsOlder, self.inner.admits_older()).await
    }
}
