//! The data source, of which every operation is observed.

use std::sync::Arc;

use async_trait::async_trait;
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameQuery, Named, Notice, PageQuery,
    Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;

use super::Observers;
use crate::{
    metrics::{StoreMetrics, Verb},
    traces::Traces,
};

/// A data source of which every operation is observed.
struct ObservedStore {
    inner: Arc<dyn Store>,
    metrics: Option<StoreMetrics>,
    traces: Option<(Arc<Traces>, &'static str)>,
}

impl Observers {
    /// `store`, which is at `url`, with its operations observed if anybody observes them.
    pub(crate) fn store(&self, store: Arc<dyn Store>, url: &str) -> Arc<dyn Store> {
        let metrics = self.metrics.as_ref().map(|metrics| metrics.store());
        let traces = self.traces.clone().map(|traces| (traces, engine(url)));
        if metrics.is_none() && traces.is_none() {
            return store;
        }
        Arc::new(ObservedStore { inner: store, metrics, traces })
    }
}

/// What the engine of the data source at `url` is called in traces (semantic conventions for
/// databases, `db.system.name`).
fn engine(url: &str) -> &'static str {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let begins =
        |name: &str| scheme.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if begins("sqlite") {
        "sqlite"
    } else if begins("postgres") {
        "postgresql"
    } else if begins("mongodb") {
        "mongodb"
    } else if begins("dynamodb") {
        "aws.dynamodb"
    } else {
        "other_sql"
    }
}

impl ObservedStore {
    async fn measure<T: Send>(
        &self,
        verb: Verb,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match &self.metrics {
            Some(metrics) => metrics.measure(verb, self.record(verb, work)).await,
            None => self.record(verb, work).await,
        }
    }

    /// Does `work` within a span, if it is done for a recorded request.
    async fn record<T: Send>(
        &self,
        verb: Verb,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let begin =
            |(traces, engine): &(Arc<Traces>, &'static str)| traces.store(engine, verb.as_str());
        let Some(span) = self.traces.as_ref().and_then(begin) else { return work.await };
        let done = span.within(work).await;
        match &done {
            Ok(_) => span.end(),
            // What failed and where is in the log.
            Err(_) => span.end_failed("store"),
        }
        done
    }
}

#[async_trait]
impl Store for ObservedStore {
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

#[cfg(test)]
mod tests {
    use super::engine;

    #[test]
    fn engines_are_called_as_the_conventions_call_them() {
        for (url, name) in [
            ("sqlite://castellan.db", "sqlite"),
            ("SQLite::memory:", "other_sql"),
            ("postgres://a:b@c/d", "postgresql"),
            ("postgresql://c/d", "postgresql"),
            ("mongodb+srv://c/d", "mongodb"),
            ("dynamodb://table", "aws.dynamodb"),
        ] {
            assert_eq!(engine(url), name, "{url}");
        }
    }
}
