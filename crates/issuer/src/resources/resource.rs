//! What a kind of resource is made of: one implementation of [`Resource`] each.

use std::future::Future;

use castellan_proto::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Applied, ApplyError, Described, Precondition, WriteOptions,
    listing::{FilterAttribute, ListError, Listed, Listing, Sort},
    parameter::{Choice, Parameter},
};
use crate::{
    Issuer, keys::KeyKind, records::repository::Stored, secrets::hashing::Busy, store::StoreError,
};

/// The stored forms of the passwords and secrets of a record.
pub type StoredSecrets<R> = fn(&R) -> Vec<String>;

/// What was read from a document.
#[derive(Clone, Debug)]
pub struct ReadDocument<R> {
    /// The record that it asks for.
    pub record: R,
    /// Whether it has another password or secret than the record before, which is not shown.
    pub secret_changed: bool,
}

impl<R> ReadDocument<R> {
    /// Of a document with no new password or secret.
    #[must_use]
    pub const fn without_secret(record: R) -> Self {
        Self { record, secret_changed: false }
    }
}

/// A kind of resource. The type that implements it is the document as people write it, without
/// `resourceType` and `id`.
///
/// A kind that is in the roster ([`super::ROSTER`]) has routes, rights, listings and a place on the
/// command line; nothing else names it.
pub trait Resource: DeserializeOwned + Send + 'static {
    /// The record that stands for it in the store.
    type Record: Stored + Clone + Send + Sync;

    /// Its `resourceType`, which is also its path and part of the right to read it.
    const NAME: &'static str;

    /// What the ids of its records begin with, where other kinds have the same kind of record.
    const PREFIX: &'static str = "";

    /// Why nobody can write it, if so.
    const READ_ONLY: Option<&'static str> = None;

    /// It is a log: nobody can delete it either.
    const IS_LOG: bool = false;

    /// There may be millions of them, so that listing all of them has to be affordable.
    const IS_NUMEROUS: bool = false;

    /// What a listing can be filtered by; [`Resource::search`] has to see to it.
    const FILTERS: &'static [FilterAttribute] = &[];

    /// What it is searched by over HTTP, besides `_id` and dot expressions
    /// (`docs/contracts/aidbox.md` §§1.2 and 2).
    const PARAMETERS: &'static [Parameter] = &[];

    /// The search parameters that name exactly one resource if all of them are there; they are among
    /// [`Resource::PARAMETERS`].
    const SEARCH: &'static [&'static str] = &[];

    /// The member of the document that holds what it may do, for those that call APIs.
    const SCOPE_MEMBER: Option<&'static str> = None;

    /// The stored forms of its passwords and secrets, if it can have any.
    const SECRETS: Option<StoredSecrets<Self::Record>> = None;

    /// The members that hold a password or secret, which are never shown.
    const SECRET_MEMBERS: &'static [&'static str] = &[];

    /// Members of which only one may be written, since they say the same.
    const SYNONYMS: &'static [&'static [&'static str]] = &[];

    /// Whether `meta` of its documents is that of every kind; otherwise it is what it shows.
    const HAS_META: bool = true;

    /// Whether its last versions are kept (`_history`).
    const HAS_HISTORY: bool = true;

    /// The record that this document asks for, made over `before`.
    fn read(
        self,
        issuer: &Issuer,
        before: Option<&Self::Record>,
    ) -> impl Future<Output = Result<ReadDocument<Self::Record>, Problem>> + Send;

    /// A record as a document, without its secrets.
    fn show(id: &str, record: &Self::Record) -> Value;

    /// The JSON schema of what can be written, without `resourceType` and `id`.
    #[cfg(feature = "schema")]
    #[must_use]
    fn schema() -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }

    /// What is allowed by the letter of a document and seldom meant.
    #[must_use]
    fn warnings(_: &Self::Record) -> Vec<String> {
        Vec::new()
    }

    /// What a listing can be sorted by.
    fn facts(id: &str, record: &Self::Record) -> Facts;

    /// The id of the resource that the values of [`Resource::SEARCH`] name, in that order.
    #[must_use]
    fn id(_values: &[&str]) -> Option<String> {
        None
    }

    /// Where the resource is found that has `value` for the search parameter `name`; without it, all
    /// of the kind are looked at.
    #[must_use]
    fn choice(_name: &str, _value: &str) -> Option<Choice> {
        None
    }

    /// The page that `listing` asks for.
    #[must_use]
    fn search(
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> impl Future<Output = Result<Listed, ListError>> + Send {
        issuer.everything::<Self>(listing, sort)
    }

    /// The resource of `id` as it is shown, and its version.
    #[must_use]
    fn described(
        issuer: &Issuer,
        id: &str,
    ) -> impl Future<Output = Result<Option<Described>, StoreError>> + Send {
        issuer.described_record::<Self>(id)
    }

    /// Creates or replaces it with what `members` describe, if the preconditions hold.
    #[must_use]
    fn write(
        issuer: &Issuer,
        id: &str,
        members: Value,
        options: WriteOptions<'_>,
    ) -> impl Future<Output = Result<Applied, ApplyError>> + Send {
        issuer.put::<Self>(id, members, options)
    }

    /// Deletes it if `preconditions` hold, and returns what it was; `None` if there was none.
    #[must_use]
    fn remove(
        issuer: &Issuer,
        id: &str,
        preconditions: &[Precondition],
    ) -> impl Future<Output = Result<Option<Described>, ApplyError>> + Send {
        issuer.take_away::<Self>(id, preconditions)
    }

    /// What else has to happen after its record was written, or deleted (`None`). It happens again
    /// if the same is written again, so it must not depend on what was there before.
    #[must_use]
    fn settle(
        _issuer: &Issuer,
        _id: &str,
        _record: Option<&Self::Record>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Those of `choices` that are there and that `listing` admits.
    #[must_use]
    fn chosen(
        issuer: &Issuer,
        listing: &Listing,
        choices: &[Choice],
    ) -> impl Future<Output = Result<Vec<Value>, ListError>> + Send {
        issuer.those::<Self>(listing, choices)
    }

    /// How many there are that `listing` admits; `None` if they are too many to be counted.
    #[must_use]
    fn count(
        issuer: &Issuer,
        listing: &Listing,
    ) -> impl Future<Output = Result<Option<u64>, ListError>> + Send {
        issuer.count_admitted::<Self>(listing)
    }

    /// Which resource of all that had this id it is, in letters and digits: part of the ids of its
    /// versions. Those that can be made again within a second need more than the time.
    #[must_use]
    fn incarnation(id: &str, record: &Self::Record) -> String {
        format!("{:x}", Self::facts(id, record).created.0)
    }

    /// What will be signed for it: keys for that are made before it is written.
    #[must_use]
    fn signed_for(_: &Self::Record) -> Vec<KeyKind> {
        Vec::new()
    }

    /// Seconds that the longest access token of it lives, if it says so.
    #[must_use]
    fn longest_access(_: &Self::Record) -> u64 {
        0
    }
}

/// What a listing can be sorted by.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What it is called, folded.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// Why a document does not become a record.
#[derive(Debug)]
pub enum Problem {
    /// Something in it is wrong; the text names the member.
    Text(String),
    /// Too many secrets wait to be hashed.
    Busy(Busy),
    /// The store failed.
    Store(StoreError),
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
