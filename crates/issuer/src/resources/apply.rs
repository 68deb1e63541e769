//! Writing a document: what became of it, or why nothing did.

use castellan_proto::{is_identifier, strict_json};
use serde_json::Value;

use super::{Problem, Resource, ResourceKind, Roster};
use crate::{
    Issuer,
    keys::KeyringError,
    records::repository::{Stored, Written},
    secrets::hashing::Busy,
    store::{Notice, StoreError},
};

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

impl Issuer {
    /// Creates or updates what `document` describes.
    ///
    /// # Errors
    /// [`ApplyError`] saying what is wrong with it.
    pub async fn apply(&self, document: Value, mode: Mode) -> Result<Applied, ApplyError> {
        let (kind, id, members) = open(self.resources(), document)?;
        kind.any().apply(self, &id, members, mode).await
    }

    pub(crate) async fn put<R: Resource>(
        &self,
        id: &str,
        members: Value,
        mode: Mode,
    ) -> Result<Applied, ApplyError> {
        if let Some(why) = R::READ_ONLY {
            return Err(ApplyError::Kind(why.to_owned()));
        }
        let resource = format!("{}/{id}", R::NAME);
        let invalid = |problem: String| ApplyError::Invalid { resource: resource.clone(), problem };
        let document: R = strict_json::parse(members).map_err(invalid)?;
        let (record_id, now) = (format!("{}{id}", R::PREFIX), self.now());
        let stored = self.repository().get::<R::Record>(&record_id, now).await?;
        let wanted = document.read(self, stored.as_ref().map(|stored| &stored.body)).await;
        let (record, secret_changed) = wanted.map_err(|problem| match problem {
            Problem::Text(text) => invalid(text),
            Problem::Busy(busy) => busy.into(),
            Problem::Store(error) => error.into(),
        })?;
        let before = stored.as_ref().map(|stored| R::show(id, &stored.body));
        let after = R::show(id, &record);
        let applied = Applied { resource: resource.clone(), before, after, secret_changed };
        if mode == Mode::DryRun {
            return Ok(applied);
        }
        if !applied.changed() {
            // Perhaps this is said again because the first answer was lost: what was decided here
            // before that must not count any more.
            self.bump(R::Record::KIND, &record_id);
            R::settle(self, id, Some(&record)).await?;
            return Ok(applied);
        }
        // Before anything can be signed: an app reads the keys once and then for long no more.
        self.ready_keys_for::<R>(&record).await.map_err(|error| match error {
            KeyringError::Store(error) => error.into(),
            older @ KeyringError::Older => invalid(older.to_string()),
            other => StoreError::new(other).into(),
        })?;
        let (written, record) = match stored {
            None => (self.repository().insert(&record_id, &record, now).await?, record),
            Some(mut stored) => {
                stored.body = record;
                (self.repository().replace(&stored, Notice::Tell, now).await?, stored.body)
            }
        };
        match written {
            Written::Done => {
                self.bump(R::Record::KIND, &record_id);
                R::settle(self, id, Some(&record)).await?;
                Ok(applied)
            }
            Written::Conflict => Err(ApplyError::Conflict(resource)),
            Written::Clash(name) => Err(ApplyError::Clash { resource, name }),
        }
    }

    /// Sees to it that keys are there for what `record` is to get, and stay for as long as that lives.
    async fn ready_keys_for<R: Resource>(&self, record: &R::Record) -> Result<(), KeyringError> {
        let (keys, now) = ((self.repository(), self.master()), self.now());
        for kind in R::signed_for(record) {
            self.keyring().ensure(keys, kind, now).await?;
        }
        self.keyring().keep_for(keys, R::longest_access(record), now).await
    }
}

/// Takes kind and id off a document.
fn open(roster: &Roster, document: Value) -> Result<(ResourceKind, String, Value), ApplyError> {
    let Value::Object(mut members) = document else {
        return Err(ApplyError::Kind(
            "a document must be a map with a resourceType and an id".to_owned(),
        ));
    };
    let kinds = || {
        format!("resourceType is missing or unknown; known types: {}", roster.names().join(", "))
    };
    let kind = members.shift_remove("resourceType");
    let kind = kind
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|name| roster.iter().find(|kind| kind.as_str() == name));
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
