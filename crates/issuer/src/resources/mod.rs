//! Resources: the documents that people write, and what becomes of them.
//!
//! A document says what a record shall be. Applying it twice changes nothing the second time;
//! secrets that are left out stay as they are. Each kind is one implementation of [`Resource`] and
//! one line of the [`ROSTER`]; routes, rights, listings and the command line follow from it.

mod apply;
mod client;
mod consent;
mod credential;
pub mod empty_secrets;
mod kind;
mod personal_details;
mod resource;
pub mod search;
mod session;
#[cfg(test)]
mod tests;
pub mod usage;
mod user;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Issuer,
    records::repository::Stored,
    store::{Kind, Notice, StoreError},
};

pub use apply::{Applied, ApplyError, Mode};
pub use client::ClientDocument;
pub use consent::ConsentDocument;
pub use credential::{ApiCredentialDocument, AuthKeyDocument};
pub use kind::ResourceKind;
pub use resource::{Facts, Problem, Resource};
pub use session::SessionDocument;
pub use user::UserDocument;

/// Every kind of resource that Castellan has, in the order in which people are told of them.
pub const ROSTER: &[ResourceKind] = &[
    ResourceKind::USER,
    ResourceKind::CLIENT,
    ResourceKind::API_CREDENTIAL,
    ResourceKind::AUTH_KEY,
    ResourceKind::CONSENT,
    ResourceKind::SESSION,
];

impl ResourceKind {
    /// A person.
    pub const USER: Self = Self::of::<UserDocument>();
    /// An OAuth app.
    pub const CLIENT: Self = Self::of::<ClientDocument>();
    /// A machine user (`docs/contracts/decidim.md` §8.2).
    pub const API_CREDENTIAL: Self = Self::of::<ApiCredentialDocument>();
    /// A key for `/jwt` (`docs/contracts/trompa.md` §2).
    pub const AUTH_KEY: Self = Self::of::<AuthKeyDocument>();
    /// What a person agreed to; `Grant` on the wire. Read and deleted, never written by hand.
    pub const CONSENT: Self = Self::of::<ConsentDocument>();
    /// A sign-in in a browser, or what one authorization issued (`docs/contracts/aidbox.md` §2.3).
    /// Read and ended, never written by hand.
    pub const SESSION: Self = Self::of::<SessionDocument>();
}

/// The kinds of resources that an issuer has: those of the [`ROSTER`], unless whoever puts it
/// together adds one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Roster(Arc<[ResourceKind]>);

impl Default for Roster {
    fn default() -> Self {
        Self(ROSTER.into())
    }
}

impl Roster {
    /// The same, with `R` as its last kind.
    #[must_use]
    pub fn with<R: Resource>(&self) -> Self {
        Self(self.iter().chain([ResourceKind::of::<R>()]).collect())
    }

    /// Every kind.
    pub fn iter(&self) -> impl Iterator<Item = ResourceKind> {
        self.0.iter().copied()
    }

    /// The kind of that name, in any letter case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<ResourceKind> {
        self.iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }

    /// The names of all of them.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.iter().map(ResourceKind::as_str).collect()
    }
}

impl Issuer {
    /// The document of one resource, without its secrets.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn describe(
        &self,
        kind: ResourceKind,
        id: &str,
    ) -> Result<Option<Value>, StoreError> {
        kind.any().describe(self, id).await
    }

    /// Documents of `kind` in the order of their ids, at most `limit`, after the id `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn list(
        &self,
        kind: ResourceKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Value>, StoreError> {
        let after = after.map(|id| kind.record_id(id).1);
        kind.any().list(self, after, limit).await
    }

    /// Deletes a resource; what rests on it is over everywhere. `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the resource is there, whole, or gone.
    pub async fn remove(&self, kind: ResourceKind, id: &str) -> Result<bool, StoreError> {
        let there = kind.any().remove(self, id).await?;
        // Another one of this id starts to be counted anew.
        let used = crate::resources::usage::usage_id(kind, id);
        self.repository()
            .store()
            .delete(&self.repository().key(Kind::Usage, &used), None, Notice::Silent, self.now())
            .await?;
        Ok(there)
    }

    /// The document that the record of `id` makes.
    pub(crate) async fn find_record<R: Resource>(
        &self,
        id: &str,
    ) -> Result<Option<Value>, StoreError> {
        let record_id = format!("{}{id}", R::PREFIX);
        let stored = self.repository().get::<R::Record>(&record_id, self.now()).await?;
        Ok(stored.map(|stored| R::show(id, &stored.body)))
    }

    /// Deletes the record of `id`. `false` if there was none.
    pub(crate) async fn delete_record<R: Resource>(&self, id: &str) -> Result<bool, StoreError> {
        let (kind, record_id) = (R::Record::KIND, format!("{}{id}", R::PREFIX));
        let there = self.repository().delete(kind, &record_id, self.now()).await?;
        self.bump(kind, &record_id);
        R::settle(self, id, None).await?;
        Ok(there)
    }
}
