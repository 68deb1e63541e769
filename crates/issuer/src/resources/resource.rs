//! What a kind of resource is made of: one implementation of [`Resource`] each.

use std::future::Future;

use castellan_proto::{Timestamp, jose::Algorithm};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Applied, ApplyError, Mode,
    search::{FilterAttribute, ListError, Listed, Listing, Sort},
};
use crate::{
    Issuer, keys::KeyUse, records::repository::Stored, secrets::hashing::Busy, store::StoreError,
};

/// The stored forms of the passwords and secrets of a record.
pub type StoredSecrets<R> = fn(&R) -> Vec<String>;

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

    /// There may be millions of them, so that listing all of them has to be affordable.
    const IS_NUMEROUS: bool = false;

    /// What a listing can be filtered by; [`Resource::search`] has to see to it.
    const FILTERS: &'static [FilterAttribute] = &[];

    /// The search parameters that name exactly one resource if all of them are there.
    const SEARCH: &'static [&'static str] = &[];

    /// The member of the document that holds what it may do, for those that call APIs.
    const SCOPE_MEMBER: Option<&'static str> = None;

    /// The stored forms of its passwords and secrets, if it can have any.
    const SECRETS: Option<StoredSecrets<Self::Record>> = None;

    /// The record that this document asks for, made over `before`. The flag says whether a secret
    /// changed.
    fn read(
        self,
        issuer: &Issuer,
        before: Option<&Self::Record>,
    ) -> impl Future<Output = Result<(Self::Record, bool), Problem>> + Send;

    /// A record as a document, without its secrets.
    fn show(id: &str, record: &Self::Record) -> Value;

    /// The JSON schema of what can be written, without `resourceType` and `id`.
    #[cfg(feature = "schema")]
    #[must_use]
    fn schema() -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }

    /// What a listing can be sorted by.
    fn facts(id: &str, record: &Self::Record) -> Facts;

    /// The id of the resource that the values of [`Resource::SEARCH`] name, in that order.
    #[must_use]
    fn id(_values: &[&str]) -> Option<String> {
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

    /// The document of `id`, without its secrets.
    #[must_use]
    fn find(
        issuer: &Issuer,
        id: &str,
    ) -> impl Future<Output = Result<Option<Value>, StoreError>> + Send {
        issuer.find_record::<Self>(id)
    }

    /// Creates or updates what `members` describe.
    #[must_use]
    fn write(
        issuer: &Issuer,
        id: &str,
        members: Value,
        mode: Mode,
    ) -> impl Future<Output = Result<Applied, ApplyError>> + Send {
        issuer.put::<Self>(id, members, mode)
    }

    /// Deletes it; `false` if there was none.
    #[must_use]
    fn delete(issuer: &Issuer, id: &str) -> impl Future<Output = Result<bool, StoreError>> + Send {
        issuer.delete_record::<Self>(id)
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

    /// What will be signed for it: keys for that are made before it is written.
    #[must_use]
    fn signed_for(_: &Self::Record) -> Vec<(KeyUse, Algorithm)> {
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
