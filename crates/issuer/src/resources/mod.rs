//! Resources: the documents that people write, and what becomes of them.
//!
//! A document says what a record shall be. Applying it twice changes nothing the second time;
//! secrets that are left out stay as they are. Each kind is one implementation of [`Resource`] and
//! one line of the [`ROSTER`]; routes, rights, listings and the command line follow from it.

mod access_policy;
mod apply;
mod audit_event;
mod auth_config;
mod bucket;
mod client;
mod consent;
mod credential;
pub mod empty_secrets;
pub(crate) mod group;
mod history;
mod kind;
mod listing;
pub mod members;
mod parameter;
mod patch;
mod personal_details;
mod plan;
pub(crate) mod previous_secret;
mod reference;
mod resource;
mod role;
mod scope;
pub mod search;
mod session;
#[cfg(test)]
mod tests;
pub mod theme;
mod token_introspector;
mod unique_names;
pub mod usage;
mod user;
mod user_entries;
mod user_links;
mod user_password;
mod user_values;
mod version;
mod write_options;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    store::{Kind, Notice, StoreError},
};

pub use access_policy::AccessPolicyDocument;
pub(crate) use apply::planned;
pub use apply::{Applied, ApplyError};
pub use audit_event::AuditEventDocument;
pub use auth_config::AuthConfigDocument;
pub use bucket::BucketDocument;
pub use client::ClientDocument;
pub(crate) use client::{
    details::{is_logo, is_page},
    metadata::{REGISTRATION_PATH, metadata as client_metadata, registration_uri},
    registered::{Registered, RegisteredClient},
    source::{ClientFrom, ClientSource},
    unserved,
};
pub use consent::ConsentDocument;
pub use credential::{ApiCredentialDocument, AuthKeyDocument};
pub use group::GroupDocument;
pub use history::{Change, Past};
pub use kind::{Described, ResourceKind};
pub(crate) use kind::{described, version_of};
pub use parameter::{Choice, Condition, How, Parameter};
pub use patch::Patch;
pub use plan::Plan;
pub use resource::{Facts, Problem, ReadDocument, Resource};
pub use role::RoleDocument;
pub use scope::ScopeDocument;
pub use session::SessionDocument;
pub use token_introspector::TokenIntrospectorDocument;
pub use user::UserDocument;
pub(crate) use version::fresh_incarnation;
pub use version::{Precondition, Version};
pub use write_options::{Mode, WriteOptions};

/// Every kind of resource that Castellan has, in the order in which people are told of them.
pub const ROSTER: &[ResourceKind] = &[
    ResourceKind::USER,
    ResourceKind::CLIENT,
    ResourceKind::API_CREDENTIAL,
    ResourceKind::AUTH_KEY,
    ResourceKind::CONSENT,
    ResourceKind::ACCESS_POLICY,
    ResourceKind::ROLE,
    ResourceKind::SCOPE,
    ResourceKind::SESSION,
    ResourceKind::AUDIT_EVENT,
    ResourceKind::TOKEN_INTROSPECTOR,
    ResourceKind::AUTH_CONFIG,
    ResourceKind::BUCKET,
    ResourceKind::GROUP,
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
    /// A policy about people.
    pub const ACCESS_POLICY: Self = Self::of::<AccessPolicyDocument>();
    /// What people may do.
    pub const ROLE: Self = Self::of::<RoleDocument>();
    /// What the consent page says about a scope.
    pub const SCOPE: Self = Self::of::<ScopeDocument>();
    /// A sign-in in a browser, or what one authorization issued (`docs/contracts/aidbox.md` §2.3).
    /// Read and ended, never written by hand.
    pub const SESSION: Self = Self::of::<SessionDocument>();
    /// What happened (`docs/audit.md`). Read, never written or deleted by hand.
    pub const AUDIT_EVENT: Self = Self::of::<AuditEventDocument>();
    /// How tokens of another issuer are verified (`docs/contracts/aidbox.md` §2.7).
    pub const TOKEN_INTROSPECTOR: Self = Self::of::<TokenIntrospectorDocument>();
    /// How the sign-in of a site looks (`docs/contracts/aidbox.md` §2.6).
    pub const AUTH_CONFIG: Self = Self::of::<AuthConfigDocument>();
    /// What is kept about a person for one purpose (`docs/contracts/curity.md` §6.4).
    pub const BUCKET: Self = Self::of::<BucketDocument>();
    /// A group of people. Who is in it is said by `User` documents.
    pub const GROUP: Self = Self::of::<GroupDocument>();
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

    /// One resource with its version, or what became of it.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn look_up(&self, kind: ResourceKind, id: &str) -> Result<LookUp, StoreError> {
        Ok(match kind.any().described(self, id).await? {
            Some(described) => LookUp::Found(described),
            None if self.was_there(kind, id).await? => LookUp::Deleted,
            None => LookUp::Unknown,
        })
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
        match self.remove_if(kind, id, &[]).await {
            Ok(removed) => Ok(removed.is_some()),
            Err(ApplyError::Store(error)) => Err(error),
            // Without a precondition, nothing else is said.
            Err(other) => Err(StoreError::new(other)),
        }
    }

    /// Deletes a resource if `preconditions` hold, and returns what it was; `None` if there was none.
    ///
    /// # Errors
    /// [`ApplyError`] if a precondition does not hold or the store fails; the resource is there,
    /// whole, or gone.
    pub async fn remove_if(
        &self,
        kind: ResourceKind,
        id: &str,
        preconditions: &[Precondition],
    ) -> Result<Option<Described>, ApplyError> {
        let removed = kind.any().remove(self, id, preconditions).await?;
        // The end of a session records itself, whatever ended it.
        if removed.is_some() && kind != ResourceKind::SESSION {
            let is_consent = kind == ResourceKind::CONSENT;
            let deleted =
                if is_consent { AuditKind::ConsentWithdrawn } else { AuditKind::ResourceDeleted };
            let event = match id.split_once('/') {
                Some((person, _)) if is_consent => Event::of(deleted).by(Party::user(person)),
                _ => Event::of(deleted),
            };
            self.audit(event.target(kind.as_str(), id));
        }
        let (record, record_id) = kind.record_id(id);
        self.bump(record, &record_id);
        // Another one of this id starts to be counted anew.
        let used = crate::resources::usage::usage_id(kind, id);
        self.repository()
            .store()
            .delete(&self.repository().key(Kind::Usage, &used), None, Notice::Silent, self.now())
            .await?;
        Ok(removed)
    }
}

/// What there is of a resource.
#[derive(Debug)]
pub enum LookUp {
    /// It exists.
    Found(Described),
    /// It was deleted.
    Deleted,
    /// There never was one, as far as is known.
    Unknown,
}
