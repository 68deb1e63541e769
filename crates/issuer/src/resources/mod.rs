//! Resources: the documents that people write, and what becomes of them.
//!
//! A document says what a record shall be. Applying it twice changes nothing the second time;
//! secrets that are left out stay as they are.

mod client;
mod credential;
pub mod empty_secrets;
pub mod search;
#[cfg(test)]
mod tests;
pub mod usage;
mod user;

use castellan_proto::{Timestamp, is_identifier, jose::Algorithm};
use serde_json::Value;

use crate::{
    Issuer,
    keys::{KeyUse, KeyringError},
    records::{
        Consent,
        repository::{Stored, Written},
    },
    secrets::hashing::Busy,
    store::{Kind, Notice, StoreError},
};

pub use client::ClientDocument;
pub use credential::{ApiCredentialDocument, AuthKeyDocument};
pub use user::UserDocument;

/// What kinds of documents there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A person.
    User,
    /// An OAuth app.
    Client,
    /// A machine user (`docs/contracts/decidim.md` §8.2).
    ApiCredential,
    /// A key for `/jwt` (`docs/contracts/trompa.md` §2).
    AuthKey,
    /// What a person agreed to. Read and deleted, never written by hand.
    Grant,
}

/// Why a document cannot be applied. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is no resource that we know.
    #[error("{0}")]
    Kind(String),
    /// A member is missing, unknown, or not what it should be.
    #[error("{resource}: {problem}")]
    Invalid {
        /// Kind and id, as far as they are known.
        resource: String,
        /// What is wrong, naming the member.
        problem: String,
    },
    /// Another record has one of its names.
    #[error("{resource}: {name:?} already belongs to another one")]
    Clash {
        /// Kind and id.
        resource: String,
        /// The name.
        name: String,
    },
    /// Somebody else changed it at the same time.
    #[error("{0}: it was changed at the same time; try again")]
    Conflict(String),
    /// Too many secrets wait to be hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a document, or would.
#[derive(Debug)]
pub struct Applied {
    /// Kind and id.
    pub resource: String,
    /// As it was; none if it is new. Never a secret.
    pub before: Option<Value>,
    /// As it is, or would be.
    pub after: Value,
    /// Its secret is another now.
    pub secret_changed: bool,
}

impl Applied {
    /// Whether anything is another than before.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.secret_changed || self.before.as_ref() != Some(&self.after)
    }
}

/// Whether to write, or only to say what would be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write.
    Write,
    /// Say what would be written.
    DryRun,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::User, Self::Client, Self::ApiCredential, Self::AuthKey, Self::Grant];

    /// Its `resourceType`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Client => "Client",
            Self::ApiCredential => "ApiCredential",
            Self::AuthKey => "AuthKey",
            Self::Grant => "Grant",
        }
    }

    /// The kind of that name, in any letter case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }

    pub(crate) fn record_id(self, id: &str) -> (Kind, String) {
        match self {
            Self::User => (Kind::Account, id.to_owned()),
            Self::Client => (Kind::Client, id.to_owned()),
            Self::ApiCredential => (Kind::Credential, format!("apicredential/{id}")),
            Self::AuthKey => (Kind::Credential, crate::machine::api_key::auth_key_id(id)),
            Self::Grant => (Kind::Consent, id.to_owned()),
        }
    }

    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::ApiCredential => "apicredential/",
            Self::AuthKey => "authkey/",
            _ => "",
        }
    }
}

/// What a list can be sorted by.
pub(crate) struct Facts {
    /// What it is called, folded.
    pub(crate) name: String,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// When it was last changed.
    pub(crate) modified: Timestamp,
}

/// A kind of record as people see it.
pub(crate) trait Shown {
    type Record: Stored + Clone;

    /// A record as a document, without its secrets.
    fn show(id: &str, record: &Self::Record) -> Value;

    fn facts(id: &str, record: &Self::Record) -> Facts;
}

/// A kind of record as people write it; one room each.
trait Document: Shown + serde::de::DeserializeOwned + Sized {
    /// The record that it asks for, made over `before`. The flag says whether a secret changed.
    async fn record(
        self,
        issuer: &Issuer,
        before: Option<&Self::Record>,
    ) -> Result<(Self::Record, bool), Problem>;

    /// What will be signed for it.
    fn signed_for(_: &Self::Record) -> Vec<(KeyUse, Algorithm)> {
        Vec::new()
    }

    /// Seconds that the longest access token of it lives, if it says so.
    fn longest_access(_: &Self::Record) -> u64 {
        0
    }
}

/// What is wrong with a document.
enum Problem {
    Text(String),
    Busy(Busy),
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

impl Issuer {
    /// Creates or updates what `document` describes.
    ///
    /// # Errors
    /// [`ApplyError`] saying what is wrong with it.
    pub async fn apply(&self, document: Value, mode: Mode) -> Result<Applied, ApplyError> {
        let (kind, id, members) = open(document)?;
        match kind {
            ResourceKind::User => self.put::<UserDocument>(kind, &id, members, mode).await,
            ResourceKind::Client => self.put::<ClientDocument>(kind, &id, members, mode).await,
            ResourceKind::ApiCredential => {
                self.put::<ApiCredentialDocument>(kind, &id, members, mode).await
            }
            ResourceKind::AuthKey => self.put::<AuthKeyDocument>(kind, &id, members, mode).await,
            ResourceKind::Grant => Err(ApplyError::Kind(
                "a Grant cannot be written: it is created when a person gives consent".to_owned(),
            )),
        }
    }

    async fn put<D: Document>(
        &self,
        kind: ResourceKind,
        id: &str,
        members: Value,
        mode: Mode,
    ) -> Result<Applied, ApplyError> {
        let resource = format!("{}/{id}", kind.as_str());
        let invalid = |problem: String| ApplyError::Invalid { resource: resource.clone(), problem };
        let document: D =
            serde_json::from_value(members).map_err(|error| invalid(error.to_string()))?;
        let (record_id, now) = (kind.record_id(id).1, self.now());
        let stored = self.repository().get::<D::Record>(&record_id, now).await?;
        let wanted = document.record(self, stored.as_ref().map(|stored| &stored.body)).await;
        let (record, secret_changed) = wanted.map_err(|problem| match problem {
            Problem::Text(text) => invalid(text),
            Problem::Busy(busy) => busy.into(),
            Problem::Store(error) => error.into(),
        })?;
        let before = stored.as_ref().map(|stored| D::show(id, &stored.body));
        let after = D::show(id, &record);
        let applied = Applied { resource: resource.clone(), before, after, secret_changed };
        if mode == Mode::DryRun {
            return Ok(applied);
        }
        if !applied.changed() {
            // Perhaps this is said again because the first answer was lost: what was decided here
            // before that must not count any more.
            self.bump(kind.record_id(id).0, &record_id);
            return Ok(applied);
        }
        // Before anything can be signed: an app reads the keys once and then for long no more.
        self.ready_keys_for::<D>(&record).await.map_err(|error| match error {
            KeyringError::Store(error) => error.into(),
            older @ KeyringError::Older => invalid(older.to_string()),
            other => StoreError::new(other).into(),
        })?;
        let written = match stored {
            None => self.repository().insert(&record_id, &record, now).await?,
            Some(mut stored) => {
                stored.body = record;
                self.repository().replace(&stored, Notice::Tell, now).await?
            }
        };
        match written {
            Written::Done => {
                self.bump(kind.record_id(id).0, &record_id);
                Ok(applied)
            }
            Written::Conflict => Err(ApplyError::Conflict(resource)),
            Written::Clash(name) => Err(ApplyError::Clash { resource, name }),
        }
    }

    /// Sees to it that keys are there for what `record` is to get, and stay for as long as that lives.
    async fn ready_keys_for<D: Document>(&self, record: &D::Record) -> Result<(), KeyringError> {
        let (keys, now) = ((self.repository(), self.master()), self.now());
        for kind in D::signed_for(record) {
            self.keyring().ensure(keys, kind, now).await?;
        }
        self.keyring().keep_for(keys, D::longest_access(record), now).await
    }

    /// The document of one resource, without its secrets.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn describe(
        &self,
        kind: ResourceKind,
        id: &str,
    ) -> Result<Option<Value>, StoreError> {
        let (_, record_id) = kind.record_id(id);
        Ok(match kind {
            ResourceKind::User => self.shown::<UserDocument>(&record_id, id).await?,
            ResourceKind::Client => self.shown::<ClientDocument>(&record_id, id).await?,
            ResourceKind::ApiCredential => {
                self.shown::<ApiCredentialDocument>(&record_id, id).await?
            }
            ResourceKind::AuthKey => self.shown::<AuthKeyDocument>(&record_id, id).await?,
            ResourceKind::Grant => self.shown::<ConsentDocument>(&record_id, id).await?,
        })
    }

    async fn shown<D: Shown>(
        &self,
        record_id: &str,
        id: &str,
    ) -> Result<Option<Value>, StoreError> {
        let stored = self.repository().get::<D::Record>(record_id, self.now()).await?;
        Ok(stored.map(|stored| D::show(id, &stored.body)))
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
        match kind {
            ResourceKind::User => self.listed::<UserDocument>(kind, after, limit).await,
            ResourceKind::Client => self.listed::<ClientDocument>(kind, after, limit).await,
            ResourceKind::ApiCredential => {
                self.listed::<ApiCredentialDocument>(kind, after, limit).await
            }
            ResourceKind::AuthKey => self.listed::<AuthKeyDocument>(kind, after, limit).await,
            ResourceKind::Grant => self.listed::<ConsentDocument>(kind, after, limit).await,
        }
    }

    async fn listed<D: Shown>(
        &self,
        kind: ResourceKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Value>, StoreError> {
        let prefix = kind.prefix();
        let page = self.repository().page::<D::Record>(prefix, after, limit, self.now()).await?;
        let shown = |stored: &crate::records::repository::Versioned<D::Record>| {
            D::show(stored.id.strip_prefix(prefix).unwrap_or(&stored.id), &stored.body)
        };
        Ok(page.iter().map(shown).collect())
    }

    /// Deletes a resource; what rests on it is over everywhere. `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the resource is there, whole, or gone.
    pub async fn remove(&self, kind: ResourceKind, id: &str) -> Result<bool, StoreError> {
        let (record, record_id) = kind.record_id(id);
        let there = self.repository().delete(record, &record_id, self.now()).await?;
        self.bump(record, &record_id);
        // Another one of this id starts to be counted anew.
        let used = crate::resources::usage::usage_id(kind, id);
        self.repository()
            .store()
            .delete(&self.repository().key(Kind::Usage, &used), None, Notice::Silent, self.now())
            .await?;
        Ok(there)
    }
}

/// Takes kind and id off a document.
fn open(document: Value) -> Result<(ResourceKind, String, Value), ApplyError> {
    let Value::Object(mut members) = document else {
        return Err(ApplyError::Kind(
            "a document must be a map with a resourceType and an id".to_owned(),
        ));
    };
    let kinds = || {
        let names = ResourceKind::ALL.map(ResourceKind::as_str);
        format!("resourceType is missing or unknown; known types: {}", names.join(", "))
    };
    let kind = members.shift_remove("resourceType");
    let kind = kind
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|name| ResourceKind::ALL.into_iter().find(|kind| kind.as_str() == name));
    let kind = kind.ok_or_else(|| ApplyError::Kind(kinds()))?;
    let id = match members.shift_remove("id") {
        Some(Value::String(id)) if is_identifier(&id) => id,
        _ => {
            return Err(ApplyError::Invalid {
                resource: kind.as_str().to_owned(),
                problem: "id is missing, or not 1 to 128 characters of A-Z a-z 0-9 . _ - @ + ~"
                    .to_owned(),
            });
        }
    };
    Ok((kind, id, Value::Object(members)))
}

/// What a person agreed to, as a document.
pub(crate) struct ConsentDocument;

impl Shown for ConsentDocument {
    type Record = Consent;

    fn show(id: &str, grant: &Consent) -> Value {
        let (user, client) = id.split_once('/').unwrap_or((id, ""));
        serde_json::json!({
            "resourceType": "Grant",
            "id": id,
            "user": {"resourceType": "User", "id": user},
            "client": {"resourceType": "Client", "id": client},
            "scope": grant.scope.to_string(),
            "start": grant.start,
        })
    }

    fn facts(id: &str, grant: &Consent) -> Facts {
        Facts { name: id.to_owned(), created: grant.start, modified: grant.start }
    }
}
