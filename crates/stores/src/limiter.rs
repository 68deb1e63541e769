//! Protects every engine behind a network: a limited number of operations at a time, each with a
//! time limit, so that nothing piles up while an engine does not respond.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameQuery, Named, Notice, PageQuery,
    Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;
use tokio::{sync::Semaphore, time::timeout};

/// How long a verb waits for its turn.
const WAIT: Duration = Duration::from_secs(3);
/// How long a verb may take: longer than any time-out of an engine's own, which says more.
const PATIENCE: Duration = Duration::from_secs(8);
/// The time limit of a sweep, which is many small steps that no request waits for.
const SWEEP: Duration = Duration::from_secs(30);

/// Why an operation did not complete.
#[derive(Debug, thiserror::Error)]
enum Timeout {
    /// Too many were before it.
    #[error(
        "no operation completed within {} s: the data source is slow or unavailable",
        WAIT.as_secs()
    )]
    Crowded,
    /// The engine says nothing.
    #[error("no response within {} s", .0.as_secs())]
    Silent(Duration),
}

/// A data source behind a limiter.
pub(crate) struct Limiter<S> {
    inner: S,
    places: Semaphore,
}

impl<S: Store> Limiter<S> {
    /// Lets `places` verbs at a time through to `inner`.
    pub(crate) const fn before(inner: S, places: usize) -> Self {
        Self { inner, places: Semaphore::const_new(places) }
    }

    async fn pass<T>(
        &self,
        patience: Duration,
        verb: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let place = timeout(WAIT, self.places.acquire()).await;
        // Kept until the operation ends, and released if its caller goes away.
        let _place =
            place.map_err(|_| StoreError::new(Timeout::Crowded))?.map_err(StoreError::new)?;
        timeout(patience, verb).await.map_err(|_| StoreError::new(Timeout::Silent(patience)))?
    }

    /// For periodic operations, of which there is never a crowd: a node that cannot read the feed
    /// because operations are queued would read everything again, and make the queue longer.
    async fn pass_by<T>(
        &self,
        verb: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        timeout(PATIENCE, verb).await.map_err(|_| StoreError::new(Timeout::Silent(PATIENCE)))?
    }
}

#[async_trait]
impl<S: Store> Store for Limiter<S> {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.pass(PATIENCE, self.inner.get_many(keys, now)).await
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        self.pass(PATIENCE, self.inner.find(site, kind, unique, now)).await
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        self.pass(PATIENCE, self.inner.insert(draft, notice, now)).await
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.pass(PATIENCE, self.inner.replace(draft, version, notice, now)).await
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        self.pass(PATIENCE, self.inner.take(key, now)).await
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.pass(PATIENCE, self.inner.delete(key, version, notice, now)).await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.pass(PATIENCE, self.inner.page(query, now)).await
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        self.pass(PATIENCE, self.inner.page_by_name(query, now)).await
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        self.pass(PATIENCE, self.inner.count(site, kind, now)).await
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        self.pass_by(self.inner.feed(after)).await
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        self.pass(PATIENCE, self.inner.notify(subject)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.pass(SWEEP, self.inner.sweep(now, limit)).await
    }

    async fn clock(&self) -> Result<Option<u64>, StoreError> {
        self.pass_by(self.inner.clock()).await
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        self.pass(PATIENCE, self.inner.admits_older()).await
    }
}
