//! Writing a document: what became of it, or why nothing did.

use std::collections::BTreeSet;

use castellan_proto::{is_identifier, strict_json};
use serde_json::Value;

use super::{
    Described, Past, Patch, Precondition, Problem, ReadDocument, Resource, ResourceKind, Roster,
    UserDocument, Version,
    kind::{described, version_of},
    reference::as_native,
    unique_names::Names,
    write_options::{Mode, WriteOptions},
};
use crate::{
    Issuer,
    audit::{AuditKind, Event},
    keys::KeyringError,
    records::{
        Account,
        repository::{Stored, Written},
    },
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
    /// Another record has one of its names, or a document before this one takes it.
    #[error("{resource}: {name:?} already belongs to {}", owner.as_deref().unwrap_or("another one"))]
    Clash {
        /// Kind and id.
        resource: String,
        /// The name.
        name: String,
        /// Kind and id of the document that takes it, if that is not written yet.
        owner: Option<String>,
    },
    /// It is not in the version that it has to be in, or exists where it must not.
    #[error("{0}: a precondition does not hold; read it again")]
    Precondition(String),
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

impl ApplyError {
    fn of(resource: &str, problem: Problem) -> Self {
        match problem {
            Problem::Text(problem) => Self::Invalid { resource: resource.to_owned(), problem },
            Problem::Busy(busy) => busy.into(),
            Problem::Store(error) => error.into(),
        }
    }

    fn of_keys(resource: &str, error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => error.into(),
            older @ KeyringError::Older => Self::of(resource, older.to_string().into()),
            other => StoreError::new(other).into(),
        }
    }
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
    /// What is allowed by the letter of the document and seldom meant.
    pub warnings: Vec<String>,
    /// Its secret is another now.
    pub secret_changed: bool,
    /// Its version as it is; of a dry run, as it was.
    pub version: Option<Version>,
    /// Which unique names it gets and gives up.
    pub(crate) names: Names,
}

impl Applied {
    /// Whether anything is another than before.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.secret_changed || self.before.as_ref() != Some(&self.after)
    }
}

impl Issuer {
    /// Creates or updates what `document` describes.
    ///
    /// # Errors
    /// [`ApplyError`] saying what is wrong with it.
    pub async fn apply(&self, document: Value, mode: Mode) -> Result<Applied, ApplyError> {
        self.apply_if(document, mode, &[]).await
    }

    /// The same, if `preconditions` hold.
    ///
    /// # Errors
    /// [`ApplyError`] saying what is wrong with it.
    pub async fn apply_if(
        &self,
        document: Value,
        mode: Mode,
        preconditions: &[Precondition],
    ) -> Result<Applied, ApplyError> {
        let (kind, id, members) = open(self.resources(), document)?;
        let applied =
            kind.any().apply(self, &id, members, WriteOptions { mode, preconditions }).await?;
        if mode == Mode::Write {
            self.audit_write(kind, &id, &applied);
        }
        Ok(applied)
    }

    /// Changes a part of a resource if `preconditions` hold; `None` if it does not exist.
    ///
    /// # Errors
    /// [`ApplyError`] saying what is wrong with the change.
    pub async fn patch(
        &self,
        kind: ResourceKind,
        id: &str,
        patch: &Patch,
        preconditions: &[Precondition],
    ) -> Result<Option<Applied>, ApplyError> {
        let applied = kind.any().patch(self, id, patch, preconditions).await?;
        if let Some(applied) = &applied {
            self.audit_write(kind, id, applied);
        }
        Ok(applied)
    }

    /// Records what became of a document: the names of the members that are others now, and none of
    /// what they hold.
    pub(crate) fn audit_write(&self, kind: ResourceKind, id: &str, applied: &Applied) {
        // The end of a session records itself, whatever ended it.
        if !applied.changed() || kind == ResourceKind::SESSION {
            return;
        }
        let event = match &applied.before {
            None => Event::of(AuditKind::ResourceCreated),
            Some(before) => {
                let names = |document: &Value| {
                    let members = document.as_object().into_iter().flatten();
                    members.map(|(name, _)| name.clone()).collect::<BTreeSet<String>>()
                };
                let all = names(before).into_iter().chain(names(&applied.after));
                let mut others: BTreeSet<_> =
                    all.filter(|name| before.get(name) != applied.after.get(name)).collect();
                if applied.secret_changed {
                    others.insert("a secret".to_owned());
                }
                let others: Vec<_> = others.into_iter().collect();
                Event::of(AuditKind::ResourceChanged).detail(&others.join(", "))
            }
        };
        self.audit(event.target(kind.as_str(), id));
    }

    pub(crate) async fn put<R: Resource>(
        &self,
        id: &str,
        members: Value,
        WriteOptions { mode, preconditions }: WriteOptions<'_>,
    ) -> Result<Applied, ApplyError> {
        if let Some(why) = R::READ_ONLY {
            return Err(ApplyError::Kind(why.to_owned()));
        }
        let resource = format!("{}/{id}", R::NAME);
        let invalid = |problem: String| ApplyError::Invalid { resource: resource.clone(), problem };
        let document: R = strict_json::parse(members).map_err(invalid)?;
        let (record_id, now) = (format!("{}{id}", R::PREFIX), self.now());
        let stored = self.repository().get::<R::Record>(&record_id, now).await?;
        let earlier = stored.as_ref().map(described::<R>);
        check(&resource, preconditions, earlier.as_ref())?;
        let reader = if mode == Mode::DryRun { &self.checking() } else { self };
        let wanted = document.read(reader, stored.as_ref().map(|stored| &stored.body)).await;
        let ReadDocument { record, secret_changed } =
            wanted.map_err(|problem| ApplyError::of(&resource, problem))?;
        let mut applied = Applied {
            resource: resource.clone(),
            before: earlier.as_ref().map(|earlier| earlier.document.clone()),
            after: R::show(id, &record),
            warnings: R::warnings(&record),
            secret_changed,
            version: earlier.as_ref().map(|earlier| earlier.version.clone()),
            names: Names::between(stored.as_ref().map(|stored| &stored.body), &record),
        };
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
        let ready = self.ready_keys_for::<R>(&record).await;
        ready.map_err(|error| ApplyError::of_keys(&resource, error))?;
        let number = stored.as_ref().map_or(1, |stored| stored.version.saturating_add(1));
        let version = version_of::<R>(id, number, &record);
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
                applied.version = Some(version.clone());
                if R::HAS_HISTORY {
                    let now = Described { document: applied.after.clone(), version };
                    self.remember(R::NAME, id, Past::of_write(earlier.as_ref(), &now)).await?;
                }
                Ok(applied)
            }
            Written::Conflict if preconditions.is_empty() => Err(ApplyError::Conflict(resource)),
            Written::Conflict => Err(ApplyError::Precondition(resource)),
            Written::Clash(name) => Err(ApplyError::Clash { resource, name, owner: None }),
        }
    }

    pub(crate) async fn change<R: Resource>(
        &self,
        id: &str,
        patch: &Patch,
        preconditions: &[Precondition],
    ) -> Result<Option<Applied>, ApplyError> {
        if let Some(why) = R::READ_ONLY {
            return Err(ApplyError::Kind(why.to_owned()));
        }
        let resource = format!("{}/{id}", R::NAME);
        let invalid = |problem: String| ApplyError::Invalid { resource: resource.clone(), problem };
        for _ in 0..TRIES {
            let present = R::described(self, id).await?;
            check(&resource, preconditions, present.as_ref())?;
            let Some(present) = present else { return Ok(None) };
            let mut changed = patch.apply::<R>(present.with_meta()).map_err(invalid)?;
            as_native(&mut changed);
            let Value::Object(mut members) = changed else {
                return Err(invalid("must stay a map".to_owned()));
            };
            no_meta(members.shift_remove("meta").as_ref()).map_err(invalid)?;
            let is_same =
                |name: &str, value: Option<Value>| value.as_ref() == present.document.get(name);
            if !is_same("resourceType", members.shift_remove("resourceType"))
                || !is_same("id", members.shift_remove("id"))
            {
                return Err(invalid("resourceType and id cannot be changed".to_owned()));
            }
            // What was changed is what is written over, and nothing that came in between.
            let seen = [Precondition::Versions(vec![present.version.id()])];
            let options = WriteOptions::write_if(&seen);
            match R::write(self, id, Value::Object(members), options).await {
                // The next round says whether the caller's own preconditions hold.
                Err(ApplyError::Precondition(_)) => {}
                other => return other.map(Some),
            }
        }
        Err(ApplyError::Conflict(resource))
    }

    /// The resource that the record of `id` makes.
    pub(crate) async fn described_record<R: Resource>(
        &self,
        id: &str,
    ) -> Result<Option<Described>, StoreError> {
        let record_id = format!("{}{id}", R::PREFIX);
        let stored = self.repository().get::<R::Record>(&record_id, self.now()).await?;
        Ok(stored.as_ref().map(described::<R>))
    }

    pub(crate) async fn take_away<R: Resource>(
        &self,
        id: &str,
        preconditions: &[Precondition],
    ) -> Result<Option<Described>, ApplyError> {
        let resource = format!("{}/{id}", R::NAME);
        let record_id = format!("{}{id}", R::PREFIX);
        for _ in 0..TRIES {
            let now = self.now();
            let stored = self.repository().get::<R::Record>(&record_id, now).await?;
            let present = stored.as_ref().map(described::<R>);
            check(&resource, preconditions, present.as_ref())?;
            let (Some(stored), Some(present)) = (stored, present) else {
                // Perhaps an earlier deletion failed before this.
                R::settle(self, id, None).await?;
                return Ok(None);
            };
            if self.repository().delete_at(&stored, now).await? {
                self.bump(R::Record::KIND, &record_id);
                R::settle(self, id, None).await?;
                if R::HAS_HISTORY {
                    let mut past = Past::of_write(None, &present);
                    past.push(Past::deletion(&present.version, now));
                    self.remember(R::NAME, id, past).await?;
                }
                return Ok(Some(present));
            }
        }
        Err(ApplyError::Conflict(resource))
    }

    /// Sees to it that keys are there for what `record` is to get, and stay for as long as that lives.
    async fn ready_keys_for<R: Resource>(&self, record: &R::Record) -> Result<(), KeyringError> {
        let (store, now) = (self.ring_store(), self.now());
        for kind in R::signed_for(record) {
            self.keyring().ensure(store, kind, now).await?;
        }
        self.keyring().keep_for(store, R::longest_access(record), now).await
    }
}

/// The account that a `User` document with `members` would make of `before`; nothing is written.
///
/// # Errors
/// [`ApplyError`] saying what is wrong with it.
pub(crate) async fn planned(
    issuer: &Issuer,
    id: &str,
    members: &serde_json::Map<String, Value>,
    before: Option<&Account>,
) -> Result<Account, ApplyError> {
    // Hashing a password here would do it twice.
    let mut members = members.clone();
    members.shift_remove("password");
    let resource = format!("{}/{id}", UserDocument::NAME);
    let document: UserDocument = strict_json::parse(Value::Object(members))
        .map_err(|problem| ApplyError::Invalid { resource: resource.clone(), problem })?;
    let read = document
        .read(issuer, before)
        .await
        .map_err(|problem| ApplyError::of(&resource, problem))?;
    Ok(read.record)
}

/// Refuses what a precondition does not hold for.
pub(super) fn check(
    resource: &str,
    preconditions: &[Precondition],
    present: Option<&Described>,
) -> Result<(), ApplyError> {
    let version = present.map(|present| &present.version);
    if preconditions.iter().all(|one| one.holds(version)) {
        Ok(())
    } else {
        Err(ApplyError::Precondition(resource.to_owned()))
    }
}

/// What a document was read with is no part of what is written.
fn no_meta(meta: Option<&Value>) -> Result<(), String> {
    match meta {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => Err("meta must be a map, and is not written".to_owned()),
    }
}

/// Times that a change is tried while others are faster.
const TRIES: usize = 16;

/// Takes kind and id off a document.
pub(super) fn open(
    roster: &Roster,
    document: Value,
) -> Result<(ResourceKind, String, Value), ApplyError> {
    let Value::Object(mut members) = document else {
        return Err(ApplyError::Kind(
            "a document must be a map with a resourceType and an id".to_owned(),
        ));
    };
    let kinds = || {
        format!("resourceType is missing or unknown; known types: {}", roster.names().join(", "))
    };
    let meta = members.shift_remove("meta");
    members.values_mut().for_each(as_native);
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
    let resource = || format!("{}/{id}", kind.as_str());
    no_meta(meta.as_ref())
        .map_err(|problem| ApplyError::Invalid { resource: resource(), problem })?;
    Ok((kind, id, Value::Object(members)))
}
