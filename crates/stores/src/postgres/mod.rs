//! PostgreSQL 15 and later: plain SQL, no extension, any number of nodes on one database.
//!
//! An operation is one statement, and so one round trip, unless it changes unique names, which
//! requires a transaction. Every transaction is `READ COMMITTED`: everything an operation decides
//! by is in the rows that it locks.

mod connections;
mod error;
mod feed;
mod format;
mod lists;
mod named;
mod open;
mod row;
mod verbs;

use std::sync::Arc;

use async_trait::async_trait;
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameEnd, NameQuery, Named, Notice,
    PageQuery, Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;
use connections::Connections;

use crate::{capabilities, format_state::FormatState};

pub(crate) use open::{check, open};

/// An open database.
struct Postgres {
    connections: Connections,
    /// The id of this database.
    database: String,
    format_state: FormatState,
}

#[async_trait]
impl Store for Postgres {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let mut line = self.connections.line().await?;
        let came = verbs::get_many(&mut line, keys, now).await;
        line.settle(came)
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        let mut line = self.connections.line().await?;
        let came = verbs::find(&mut line, &Key::new(site, kind, unique), now).await;
        line.settle(came)
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        let mut line = self.connections.line().await?;
        let came = if draft.unique.is_empty() {
            verbs::insert(&mut line, &draft, notice, now).await
        } else {
            named::insert(&mut line, &draft, notice, now).await
        };
        line.settle(came)
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let mut line = self.connections.line().await?;
        let came = if draft.unique.is_empty() {
            verbs::replace(&mut line, &draft, version, notice, now).await
        } else {
            named::replace(&mut line, &draft, version, notice, now).await
        };
        line.settle(came)
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        let mut line = self.connections.line().await?;
        let came = verbs::take(&mut line, key, now).await;
        line.settle(came)
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut line = self.connections.line().await?;
        let came = verbs::delete(&mut line, key, version, notice, now).await;
        line.settle(came)
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        let mut line = self.connections.line().await?;
        let came = lists::page(&mut line, query, now).await;
        line.settle(came)
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        // Until it is narrowed, some names may not be there backwards.
        if query.end == NameEnd::Finish && !self.format_state.is_finished() {
            return Ok(None);
        }
        let mut line = self.connections.line().await?;
        let came = lists::page_by_name(&mut line, query, now).await;
        line.settle(came.map(Some))
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        if self.format_state.is_finished() {
            return Ok(false);
        }
        let mut line = self.connections.line().await?;
        let came = format::admits_older(&mut line).await;
        line.settle(came)
    }

    fn abilities(&self) -> Abilities {
        capabilities::POSTGRES.abilities
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        let mut line = self.connections.line().await?;
        let came = lists::count(&mut line, site, kind, now).await;
        line.settle(came)
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        let mut line = self.connections.line().await?;
        let came = feed::since(&mut line, &self.database, after).await;
        line.settle(came)
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        let mut line = self.connections.line().await?;
        let came = feed::tell(&mut line, subject).await;
        line.settle(came)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut line = self.connections.line().await?;
        let swept = match feed::sweep(&mut line, now, limit).await {
            Ok(notices) => {
                verbs::sweep(&mut line, now, limit).await.map(|records| records.max(notices))
            }
            Err(fault) => Err(fault),
        };
        line.settle(swept)
    }

    async fn clock(&self) -> Result<Option<u64>, StoreError> {
        let mut line = self.connections.line().await?;
        let came = verbs::clock(&mut line).await;
        line.settle(came.map(Some))
    }
}
