//! Amazon DynamoDB, and services with the same API: one table with on-demand capacity.
//!
//! A record is an item. Each of its unique names is an item of its own with its holder and expiry;
//! record, names and notice are written in one transaction, so they are atomic. A write that
//! changes neither names nor the feed is one conditional write. Reads that decide something are
//! consistent reads of the table; the index serves listings only.

mod backoff;
mod clock;
mod error;
mod feed;
mod format;
mod item;
mod lists;
mod names;
mod open;
mod read;
mod sweep;
mod write;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameEnd, NameQuery, Named, Notice,
    PageQuery, Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;

use crate::{capabilities, format_state::FormatState};

pub(crate) use open::{check, open};

/// The attributes of an item.
type Item = HashMap<String, AttributeValue>;

/// An open table.
struct Dynamo {
    client: Client,
    table: String,
    /// The id of this table.
    database: String,
    format_state: FormatState,
    /// Where the last sweep stopped, if it did not get to the end of the table.
    swept_to: Mutex<Option<Item>>,
}

#[async_trait]
impl Store for Dynamo {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        Ok(self.read_many(keys, now).await?)
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        Ok(self.read_by_name(&Key::new(site, kind, unique), now).await?)
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        if draft.unique.is_empty() && notice == Notice::Silent {
            return Ok(self.put_new(&draft, now).await?);
        }
        Ok(self.put_new_with(&draft, notice, now).await?)
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        if draft.unique.is_empty()
            && notice == Notice::Silent
            && let Some(replaced) = self.put_over(&draft, version, now).await?
        {
            return Ok(replaced);
        }
        Ok(self.put_over_with(&draft, version, notice, now).await?)
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        Ok(self.use_up(key, now).await?)
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.remove(key, version, notice, now).await?)
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        Ok(self.list(query, now).await?)
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        // Until it is narrowed, some names may not be in the index.
        let is_indexed = query.end == NameEnd::Start && !query.descending;
        if !is_indexed || !self.format_state.is_finished() {
            return Ok(None);
        }
        Ok(Some(self.list_names(query, now).await?))
    }

    fn abilities(&self) -> Abilities {
        capabilities::DYNAMODB.abilities
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.count_all(site, kind, now).await?)
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        Ok(self.since(after).await?)
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        Ok(self.tell(subject).await?)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let notices = self.sweep_feed(now, limit).await?;
        Ok(self.sweep_records(now, limit).await?.max(notices))
    }

    async fn clock(&self) -> Result<Option<u64>, StoreError> {
        Ok(Some(self.time_there().await?))
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        if self.format_state.is_finished() {
            return Ok(false);
        }
        Ok(format::admits_older(self).await?)
    }
}
