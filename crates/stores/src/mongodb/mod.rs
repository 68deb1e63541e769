//! MongoDB 6 and later, and what speaks its wire protocol. Nothing is used but what all of those
//! share: writes of one document are atomic, unique and compound indexes, find-and-modify. No
//! transactions, no change streams, no collations.
//!
//! A record is one document, with its unique names in it: a unique index over them prevents two
//! records from having the same name. The notice of a write is in the feed before the write, as
//! pending, and is settled after it ([`feed`]).

mod authorities;
mod document;
mod error;
mod feed;
mod open;
mod verbs;
mod write;

use std::sync::Arc;

use ::mongodb::{
    Collection, Database,
    bson::{Document, doc},
};
use async_trait::async_trait;
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameEnd, NameQuery, Named, Notice,
    PageQuery, Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;

use crate::{capabilities, format_state::FormatState};

pub(crate) use open::{check, open};

/// An open database.
struct Mongo {
    place: Database,
    records: Collection<Document>,
    feed: feed::FeedLog,
    format_state: FormatState,
    /// What the driver verifies servers against; there for as long as it may connect.
    _authorities: Option<authorities::Authorities>,
}

#[async_trait]
impl Store for Mongo {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        Ok(verbs::get_many(&self.records, keys, now).await?)
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        Ok(verbs::find(&self.records, &Key::new(site, kind, unique), now).await?)
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        let pending = self.feed.begin(&draft.key, notice).await?;
        let inserted = write::insert(&self.records, &draft, now).await;
        let happened = matches!(inserted, Ok(Inserted::Done) | Err(_));
        self.feed.settle(pending, happened).await?;
        Ok(inserted?)
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let pending = self.feed.begin(&draft.key, notice).await?;
        let replaced = write::replace(&self.records, &draft, version, now).await;
        let happened = matches!(replaced, Ok(Replaced::Done(_)) | Err(_));
        self.feed.settle(pending, happened).await?;
        Ok(replaced?)
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        Ok(verbs::take(&self.records, key, now).await?)
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let pending = self.feed.begin(key, notice).await?;
        let deleted = verbs::delete(&self.records, key, version, now).await;
        let happened = matches!(deleted, Ok(true) | Err(_));
        self.feed.settle(pending, happened).await?;
        Ok(deleted?)
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        Ok(verbs::page(&self.records, query, now).await?)
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        Ok(match query.end {
            NameEnd::Start => Some(verbs::page_by_start(&self.records, query, now).await?),
            NameEnd::Finish => None,
        })
    }

    fn abilities(&self) -> Abilities {
        capabilities::MONGODB.abilities
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        Ok(verbs::count(&self.records, site, kind, now).await?)
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        Ok(self.feed.since(after).await?)
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        let pending = self.feed.begin(subject, Notice::Tell).await?;
        Ok(self.feed.settle(pending, true).await?)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let notices = self.feed.sweep(now, limit).await?;
        Ok(verbs::sweep(&self.records, now, limit).await?.max(notices))
    }

    async fn clock(&self) -> Result<Option<u64>, StoreError> {
        Ok(verbs::clock(&self.place).await?)
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        if self.format_state.is_finished() {
            return Ok(false);
        }
        Ok(open::admits_older(&self.place).await?)
    }
}

/// Matches what exists at `now`.
fn live(now: Timestamp) -> Document {
    doc! { "$or": [{ "e": null }, { "e": { "$gt": document::seconds(now) } }] }
}
