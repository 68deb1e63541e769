//! PostgreSQL 15 and later: plain SQL, no extension, any number of nodes on one database.
//!
//! A verb is one statement, and so one round trip, unless it touches unique names; those take a
//! transaction. Every transaction is `READ COMMITTED`: what a verb decides by stands in the rows
//! that it locks.

mod fault;
mod feed;
mod named;
mod open;
mod row;
mod verbs;

use std::sync::Arc;

use async_trait::async_trait;
use castellan_issuer::store::{
    Draft, Feed, FeedCursor, Inserted, Key, Kind, Notice, PageQuery, Record, Replaced, Store,
    StoreError, Taken,
};
use castellan_proto::Timestamp;
use sqlx::PgPool;

pub(crate) use open::open;

/// An open database.
struct Postgres {
    pool: PgPool,
    /// Tells this database from every other.
    database: String,
}

#[async_trait]
impl Store for Postgres {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        Ok(verbs::get_many(&self.pool, keys, now).await?)
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        Ok(verbs::find(&self.pool, &Key::new(site, kind, unique), now).await?)
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        if draft.unique.is_empty() {
            return Ok(verbs::insert(&self.pool, &draft, notice, now).await?);
        }
        Ok(named::insert(&self.pool, &draft, notice, now).await?)
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        if draft.unique.is_empty() {
            return Ok(verbs::replace(&self.pool, &draft, version, notice, now).await?);
        }
        Ok(named::replace(&self.pool, &draft, version, notice, now).await?)
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        Ok(verbs::take(&self.pool, key, now).await?)
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(verbs::delete(&self.pool, key, version, notice, now).await?)
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        Ok(verbs::page(&self.pool, query, now).await?)
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        Ok(verbs::count(&self.pool, site, kind, now).await?)
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        Ok(feed::since(&self.pool, &self.database, after).await?)
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        Ok(feed::tell(&self.pool, subject).await?)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        feed::sweep(&self.pool, now, limit).await?;
        Ok(verbs::sweep(&self.pool, now, limit).await?)
    }
}
