//! Kinds of resources as values: what the rest of Castellan holds in place of a type.

use std::{fmt, hash, marker::PhantomData};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    Applied, ApplyError, Patch, Precondition, Resource, Version, WriteOptions,
    listing::{FilterAttribute, ListError, Listed, Listing, Sort},
    parameter::{Choice, Parameter},
};
use crate::{
    Issuer,
    records::repository::{Stored, Versioned},
    store::{Kind, StoreError},
};

/// A kind of resource. Two are equal if they have the same name.
#[derive(Clone, Copy)]
pub struct ResourceKind(&'static dyn AnyResource);

/// The stored forms of the secrets of one record, with its id.
pub(crate) type SecretsOf = (String, Vec<String>);

/// [`Resource`] without its types, so that kinds of all of them can stand in one list.
#[async_trait]
pub(crate) trait AnyResource: Send + Sync {
    fn name(&self) -> &'static str;
    fn record_kind(&self) -> Kind;
    fn prefix(&self) -> &'static str;
    fn read_only(&self) -> Option<&'static str>;
    fn is_log(&self) -> bool;
    fn is_numerous(&self) -> bool;
    fn filters(&self) -> &'static [FilterAttribute];
    fn search_parameters(&self) -> &'static [&'static str];
    fn parameters(&self) -> &'static [Parameter];
    fn choice(&self, name: &str, value: &str) -> Option<Choice>;
    fn scope_member(&self) -> Option<&'static str>;
    fn has_secrets(&self) -> bool;
    fn id(&self, values: &[&str]) -> Option<String>;
    #[cfg(feature = "schema")]
    fn schema(&self) -> schemars::Schema;

    async fn apply(
        &self,
        issuer: &Issuer,
        id: &str,
        members: Value,
        options: WriteOptions<'_>,
    ) -> Result<Applied, ApplyError>;

    async fn patch(
        &self,
        issuer: &Issuer,
        id: &str,
        patch: &Patch,
        preconditions: &[Precondition],
    ) -> Result<Option<Applied>, ApplyError>;

    async fn remove(
        &self,
        issuer: &Issuer,
        id: &str,
        preconditions: &[Precondition],
    ) -> Result<Option<Described>, ApplyError>;

    async fn described(&self, issuer: &Issuer, id: &str) -> Result<Option<Described>, StoreError>;

    async fn describe(&self, issuer: &Issuer, id: &str) -> Result<Option<Value>, StoreError>;

    async fn list(
        &self,
        issuer: &Issuer,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Value>, StoreError>;

    async fn search(
        &self,
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError>;

    async fn chosen(
        &self,
        issuer: &Issuer,
        listing: &Listing,
        choices: &[Choice],
    ) -> Result<Vec<Value>, ListError>;

    async fn count(&self, issuer: &Issuer, listing: &Listing) -> Result<Option<u64>, ListError>;

    async fn secrets(
        &self,
        issuer: &Issuer,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<SecretsOf>, StoreError>;
}

/// A kind that has no value of its own: its type is all that is needed.
struct Entry<R>(PhantomData<fn() -> R>);

impl<R: Resource> Entry<R> {
    const ONE: &'static Self = &Self(PhantomData);
}

#[async_trait]
impl<R: Resource> AnyResource for Entry<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn record_kind(&self) -> Kind {
        R::Record::KIND
    }

    fn prefix(&self) -> &'static str {
        R::PREFIX
    }

    fn read_only(&self) -> Option<&'static str> {
        R::READ_ONLY
    }

    fn is_log(&self) -> bool {
        R::IS_LOG
    }

    fn is_numerous(&self) -> bool {
        R::IS_NUMEROUS
    }

    fn filters(&self) -> &'static [FilterAttribute] {
        R::FILTERS
    }

    fn search_parameters(&self) -> &'static [&'static str] {
        R::SEARCH
    }

    fn parameters(&self) -> &'static [Parameter] {
        R::PARAMETERS
    }

    fn choice(&self, name: &str, value: &str) -> Option<Choice> {
        R::choice(name, value)
    }

    fn scope_member(&self) -> Option<&'static str> {
        R::SCOPE_MEMBER
    }

    fn has_secrets(&self) -> bool {
        R::SECRETS.is_some()
    }

    fn id(&self, values: &[&str]) -> Option<String> {
        R::id(values)
    }

    #[cfg(feature = "schema")]
    fn schema(&self) -> schemars::Schema {
        R::schema()
    }

    async fn apply(
        &self,
        issuer: &Issuer,
        id: &str,
        members: Value,
        options: WriteOptions<'_>,
    ) -> Result<Applied, ApplyError> {
        R::write(issuer, id, members, options).await
    }

    async fn patch(
        &self,
        issuer: &Issuer,
        id: &str,
        patch: &Patch,
        preconditions: &[Precondition],
    ) -> Result<Option<Applied>, ApplyError> {
        issuer.change::<R>(id, patch, preconditions).await
    }

    async fn remove(
        &self,
        issuer: &Issuer,
        id: &str,
        preconditions: &[Precondition],
    ) -> Result<Option<Described>, ApplyError> {
        R::remove(issuer, id, preconditions).await
    }

    async fn described(&self, issuer: &Issuer, id: &str) -> Result<Option<Described>, StoreError> {
        R::described(issuer, id).await
    }

    async fn describe(&self, issuer: &Issuer, id: &str) -> Result<Option<Value>, StoreError> {
        Ok(R::described(issuer, id).await?.map(|described| described.document))
    }

    async fn list(
        &self,
        issuer: &Issuer,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Value>, StoreError> {
        let page = issuer.repository().page::<R::Record>(R::PREFIX, after, limit, issuer.now());
        Ok(page.await?.iter().map(shown::<R>).collect())
    }

    async fn search(
        &self,
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        R::search(issuer, listing, sort).await
    }

    async fn chosen(
        &self,
        issuer: &Issuer,
        listing: &Listing,
        choices: &[Choice],
    ) -> Result<Vec<Value>, ListError> {
        R::chosen(issuer, listing, choices).await
    }

    async fn count(&self, issuer: &Issuer, listing: &Listing) -> Result<Option<u64>, ListError> {
        R::count(issuer, listing).await
    }

    async fn secrets(
        &self,
        issuer: &Issuer,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<SecretsOf>, StoreError> {
        let Some(secrets) = R::SECRETS else { return Ok(Vec::new()) };
        let page = issuer.repository().page::<R::Record>(R::PREFIX, after, limit, issuer.now());
        let of = |stored: Versioned<R::Record>| (stored.id, secrets(&stored.body));
        Ok(page.await?.into_iter().map(of).collect())
    }
}

/// A resource as it is shown, and in which version.
#[derive(Clone, Debug)]
pub struct Described {
    /// The document, without its secrets and without `meta`.
    pub document: Value,
    /// Its version.
    pub version: Version,
}

impl Described {
    /// The document with its `meta`, which is accepted when it is written back.
    #[must_use]
    pub fn with_meta(&self) -> Value {
        let mut document = self.document.clone();
        document["meta"] = self.version.meta();
        document
    }
}

/// A stored record as its document with its `meta`.
pub(crate) fn shown<R: Resource>(stored: &Versioned<R::Record>) -> Value {
    let described = described::<R>(stored);
    if R::HAS_META { described.with_meta() } else { described.document }
}

/// A stored record as its document, with its version.
pub(crate) fn described<R: Resource>(stored: &Versioned<R::Record>) -> Described {
    let id = own_id::<R>(stored);
    Described {
        document: R::show(id, &stored.body),
        version: version_of::<R>(id, stored.version, &stored.body),
    }
}

/// The version of a record that the store has at `number`.
pub(crate) fn version_of<R: Resource>(id: &str, number: u64, record: &R::Record) -> Version {
    let facts = R::facts(id, record);
    Version {
        incarnation: R::incarnation(id, record),
        number,
        created: facts.created,
        modified: facts.modified.max(facts.created),
    }
}

/// The id that people know: that of the record without the prefix of its kind.
pub(crate) fn own_id<R: Resource>(stored: &Versioned<R::Record>) -> &str {
    stored.id.strip_prefix(R::PREFIX).unwrap_or(&stored.id)
}

impl ResourceKind {
    /// The kind whose documents are `R`.
    #[must_use]
    pub const fn of<R: Resource>() -> Self {
        Self(Entry::<R>::ONE)
    }

    /// Its `resourceType`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.name()
    }

    /// Whether people may write it.
    #[must_use]
    pub fn is_writable(self) -> bool {
        self.0.read_only().is_none()
    }

    /// Whether people may only read it.
    #[must_use]
    pub fn is_log(self) -> bool {
        self.0.is_log()
    }

    /// The JSON schema of what can be written, without `resourceType` and `id`.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn schema(self) -> Value {
        self.0.schema().into()
    }

    /// The search parameters that together name exactly one resource.
    #[must_use]
    pub fn search_parameters(self) -> &'static [&'static str] {
        self.0.search_parameters()
    }

    /// What it is searched by, besides what every kind is.
    #[must_use]
    pub fn parameters(self) -> &'static [Parameter] {
        self.0.parameters()
    }

    /// The id of the resource that the values of [`Self::search_parameters`] name, in that order.
    #[must_use]
    pub fn id(self, values: &[&str]) -> Option<String> {
        self.0.id(values)
    }

    /// The member of its documents that holds scopes, for those that call APIs.
    #[must_use]
    pub fn scope_member(self) -> Option<&'static str> {
        self.0.scope_member()
    }

    pub(crate) fn any(self) -> &'static dyn AnyResource {
        self.0
    }

    pub(crate) fn record_id(self, id: &str) -> (Kind, String) {
        (self.0.record_kind(), format!("{}{id}", self.0.prefix()))
    }

    pub(crate) fn prefix(self) -> &'static str {
        self.0.prefix()
    }
}

/// Its name and nothing else: cursors are made over it.
impl fmt::Debug for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for ResourceKind {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ResourceKind {}

impl hash::Hash for ResourceKind {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}
