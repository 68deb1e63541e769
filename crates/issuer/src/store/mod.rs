//! The data source port (`docs/rules.md` §6): twelve verbs over opaque records, its clock, and the
//! versions that it admits.
//!
//! Every verb is atomic on its own and none spans two records, so that any engine with
//! single-record atomicity can play. Callers arrange the order of verbs such that a crash between
//! two of them fails closed.

#[cfg(feature = "conformance")]
pub mod conformance;
mod kind;
mod memory;
pub mod names;

use std::sync::Arc;

use async_trait::async_trait;
use castellan_proto::Timestamp;

pub use kind::Kind;
pub(crate) use kind::whole_subject;
pub use memory::Memory;
pub use names::{NameEnd, NameQuery, Named};

/// Which record: its site, its kind and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The site, which is the tenant (`docs/rules.md` rule 42).
    pub site: Arc<str>,
    /// The kind of the record.
    pub kind: Kind,
    /// Its name among those of its kind and site.
    pub id: String,
}

impl Key {
    /// The key of `kind` and `id` on `site`.
    pub fn new(site: &Arc<str>, kind: Kind, id: impl Into<String>) -> Self {
        Self { site: Arc::clone(site), kind, id: id.into() }
    }

    /// The key as one text, for notices and epochs.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}/{}/{}", self.site, self.kind.as_str(), self.id)
    }
}

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The key of the record.
    pub key: Key,
    /// The content; opaque to the engine.
    pub body: Vec<u8>,
    /// Other names, folded by the caller, that no other record of the same site and kind may have.
    /// None of them twice.
    pub unique: Vec<String>,
    /// First second at which it no longer exists. `None`: until deleted.
    pub expires_at: Option<Timestamp>,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key of the record.
    pub key: Key,
    /// 1 when inserted, one more at every replacement; `take` leaves it.
    pub version: u64,
    /// The content of the record.
    pub body: Vec<u8>,
    /// The unique names of the record.
    pub unique: Vec<String>,
    /// First second at which it no longer exists.
    pub expires_at: Option<Timestamp>,
}

/// Whether a write adds a notice to the feed.
///
/// The notice is written with the record: either both are there or neither is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing that was decided before can change by this write.
    Silent,
    /// Decisions that depend on this record become invalid.
    Tell,
}

/// What became of an `insert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is there now, at version 1.
    Done,
    /// The key is in use (a taken record's tombstone counts); nothing was written.
    Exists,
    /// Another record of its kind and site has this unique name; nothing was written.
    Clash(String),
}

/// What became of a `replace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is there now, at this version.
    Done(u64),
    /// No record with that key and version (absent, expired, taken, or newer); nothing was written.
    Stale,
    /// Another record of its kind and site has this unique name; nothing was written.
    Clash(String),
}

/// What became of a `take`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The caller is the first and only one to get this answer.
    First(Record),
    /// It was taken before; its tombstone stays until it expires.
    Again(Record),
    /// There is no such record, or it has expired.
    None,
}

/// Which records to list.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// The site of the records.
    pub site: Arc<str>,
    /// The kind of the records.
    pub kind: Kind,
    /// Only ids that begin so; empty for all.
    pub prefix: String,
    /// Only ids after this one.
    pub after: Option<String>,
    /// The maximum number of records.
    pub limit: usize,
}

/// The position of a reader in the feed. Opaque to callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedCursor(pub String);

/// One notice of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// Unique among notices; an engine may hand out the same notice more than once.
    pub id: String,
    /// [`Key::text`] of the record that changed.
    pub subject: String,
}

/// Notices since a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// In the order they were written.
    pub entries: Vec<FeedEntry>,
    /// Where the next poll continues.
    pub cursor: FeedCursor,
    /// Notices may be missing between the given cursor and the first entry: all earlier decisions
    /// become invalid.
    pub gap: bool,
}

/// What lists for people can be had of an engine (`docs/contracts/curity.md` §10). What cannot is
/// refused with its cause; nothing that a grant or a sign-in needs is among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is there or not, whatever the others are")]
pub struct Abilities {
    /// Gives lists that no filter narrows without being allowed to first.
    pub lists_all: bool,
    /// Filters by how a name ends.
    pub ends_with: bool,
    /// Sorts by when a record was made or changed, and by its name.
    pub sorts: bool,
    /// Lists names from an index in either direction, so that accounts have names for each order
    /// in which they are listed.
    pub keeps_orders: bool,
    /// Filters of accounts over GraphQL find names in any letter case.
    pub folds_case: bool,
    /// Characters of the shortest text that names are filtered by how they start; 0 if it may be
    /// empty, which all names start with.
    pub shortest_start: usize,
    /// Names, unique ones and those of lists together, that a record can have.
    pub most_names: usize,
}

impl Abilities {
    /// An engine with every capability.
    pub const ALL: Self = Self {
        lists_all: true,
        ends_with: true,
        sorts: true,
        keeps_orders: true,
        folds_case: true,
        shortest_start: 0,
        most_names: 1_024,
    };
}

/// The engine could not do it.
#[derive(Debug, thiserror::Error)]
#[error("the data source failed")]
pub struct StoreError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// An error with the engine's own as its source, which goes to the log and nowhere else.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// A data source.
///
/// Reads and writes treat a record whose `expires_at <= now` as absent. What was acknowledged is
/// durable and visible to every later read, on this node and on any other.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads each of `keys`, in order, in one round trip. Taken records are absent.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError>;

    /// Reads the record of `kind` on `site` that has the unique name `unique`.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError>;

    /// Writes `draft` if neither its key nor one of its unique names is in use.
    ///
    /// Of any number of concurrent calls with one key, or with one unique name, exactly one is
    /// [`Inserted::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot write; the record may or may not be there.
    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError>;

    /// Writes `draft` over the record of its key if that is at `version`. The unique names of the
    /// old record that the new one lacks become free.
    ///
    /// Of any number of concurrent calls with one version exactly one is [`Replaced::Done`].
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot write; the old or the new record is there, whole.
    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError>;

    /// Uses up the record of `key`: returns the body and leaves a tombstone until it expires, which
    /// reserves the key and the unique names.
    ///
    /// Of any number of concurrent calls exactly one gets [`Taken::First`].
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails; the record may or may not be used up.
    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError>;

    /// Deletes the record of `key`, or its tombstone, if it is at `version` (`None`: at any).
    /// `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot write; the record is then either unchanged or deleted.
    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Lists records in the byte order of their ids. Taken records are absent.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError>;

    /// Lists records by their unique names, each under every name that matches, in the order of
    /// [`NameEnd`]; `None` without an index for that, in which case [`names::page`] reads all of
    /// the kind. Taken records are absent.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError>;

    /// What lists can be had of it.
    fn abilities(&self) -> Abilities;

    /// How many records of `kind` `site` has. Taken records are absent.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError>;

    /// The notices after `after`, oldest first; with `None`, no notices and the present end. A
    /// cursor of which notices were swept, or that the engine does not know, gives a gap.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError>;

    /// Writes only a notice about `subject`, for records that have ended already (`docs/rules.md`
    /// rule 30).
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot write.
    async fn notify(&self, subject: &Key) -> Result<(), StoreError>;

    /// Removes at most `limit` expired records and as many notices older than ten minutes at `now`.
    /// The number of records removed, or that of notices if those were more: where it is `limit`,
    /// there may be more of either.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot write.
    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// What time it is by the engine's own clock, in milliseconds since the Unix epoch; `None` if it
    /// has none but the machine's (`docs/rules.md` rule 28).
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn clock(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Whether older versions with an earlier layout may still use the data source in its current
    /// state. While they may, nothing is written that they could not read.
    ///
    /// # Errors
    /// [`StoreError`] if the engine cannot read.
    async fn admits_older(&self) -> Result<bool, StoreError>;
}
