//! Typed access to the records of one site.

use std::sync::Arc;

use castellan_proto::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::store::{
    Draft, Inserted, Key, Kind, Notice, PageQuery, Record, Replaced, Store, StoreError, Taken,
};

/// The records of one site.
#[derive(Clone)]
pub struct Repository {
    store: Arc<dyn Store>,
    site: Arc<str>,
}

/// A body with a place in the store.
pub trait Stored: Serialize + DeserializeOwned {
    /// The kind of its records.
    const KIND: Kind;

    /// Other names that lead to it, folded.
    fn unique(&self) -> Vec<String> {
        Vec::new()
    }

    /// Names by which the record `id` is listed besides, each of them its own.
    fn listed(&self, _id: &str) -> Vec<String> {
        Vec::new()
    }

    /// Further names, by which the record `id` is listed in an order. Only data sources that keep
    /// orders are given them.
    fn orders(&self, _id: &str) -> Vec<String> {
        Vec::new()
    }

    /// First second at which it no longer exists.
    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

/// A body as it was read, and what is needed to replace it.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    /// The id of the record.
    pub id: String,
    /// The version of the record.
    pub version: u64,
    /// The body of the record.
    pub body: T,
}

/// What an update makes of a record.
#[derive(Clone, Debug)]
pub enum Update<T, R> {
    /// This body is written, and `R` is the outcome once it is.
    Write(T, Notice, R),
    /// The record stays as it is.
    Leave(R),
}

/// What became of an attempt to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The write succeeded.
    Done,
    /// Something else is there: the key is in use, or the version is another.
    Conflict,
    /// Another record has this unique name.
    Clash(String),
}

impl Repository {
    /// The records of `site` in `store`.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>, site: Arc<str>) -> Self {
        Self { store, site }
    }

    /// The site's name.
    #[must_use]
    pub const fn site(&self) -> &Arc<str> {
        &self.site
    }

    /// What stands for all records of `kind` among what verdicts depend on, if that is read as a
    /// whole.
    pub(crate) fn whole_subject(&self, kind: Kind) -> String {
        format!("{}/{}", self.site, kind.as_str())
    }

    /// The data source itself.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The key of a record of this site.
    #[must_use]
    pub fn key(&self, kind: Kind, id: &str) -> Key {
        Key::new(&self.site, kind, id)
    }

    /// The record of `id`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or contains something else there.
    pub async fn get<T: Stored>(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Versioned<T>>, StoreError> {
        let found = self.store.get_many(&[self.key(T::KIND, id)], now).await?;
        found.into_iter().next().flatten().map(read).transpose()
    }

    /// The record with the unique name `name`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or contains something else there.
    pub async fn find<T: Stored>(
        &self,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Versioned<T>>, StoreError> {
        self.store.find(&self.site, T::KIND, name, now).await?.map(read).transpose()
    }

    /// Writes a new record.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the record may or may not be there.
    pub async fn insert<T: Stored>(
        &self,
        id: &str,
        body: &T,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let draft = self.draft(id, body)?;
        // Of most kinds nothing was decided by a record that was not there.
        let notice = if T::KIND.is_read_whole() { Notice::Tell } else { Notice::Silent };
        Ok(match self.store.insert(draft, notice, now).await? {
            Inserted::Done => Written::Done,
            Inserted::Exists => Written::Conflict,
            Inserted::Clash(name) => Written::Clash(name),
        })
    }

    /// Writes over the record of `id` if it is at `version`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the old or the new record is there.
    pub async fn replace<T: Stored>(
        &self,
        stored: &Versioned<T>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let draft = self.draft(&stored.id, &stored.body)?;
        Ok(match self.store.replace(draft, stored.version, notice, now).await? {
            Replaced::Done(_) => Written::Done,
            Replaced::Stale => Written::Conflict,
            Replaced::Clash(name) => Written::Clash(name),
        })
    }

    /// Writes what `edit` makes of the current record of `id`; repeats this if another writer was
    /// faster.
    ///
    /// # Errors
    /// That of `edit`; a [`StoreError`] if the store fails, if another record has one of its unique
    /// names, or if another writer was faster `TRIES` times. Either the old or the new record is
    /// stored.
    pub async fn update<T: Stored, R, E: From<StoreError>>(
        &self,
        id: &str,
        now: Timestamp,
        mut edit: impl FnMut(Option<T>) -> Result<Update<T, R>, E> + Send,
    ) -> Result<R, E> {
        for _ in 0..TRIES {
            let (version, body) = match self.get::<T>(id, now).await? {
                Some(stored) => (Some(stored.version), Some(stored.body)),
                None => (None, None),
            };
            let (body, notice, outcome) = match edit(body)? {
                Update::Write(body, notice, outcome) => (body, notice, outcome),
                Update::Leave(outcome) => return Ok(outcome),
            };
            let written = match version {
                Some(version) => {
                    let stored = Versioned { id: id.to_owned(), version, body };
                    self.replace(&stored, notice, now).await?
                }
                None => self.insert(id, &body, now).await?,
            };
            match written {
                Written::Done => return Ok(outcome),
                Written::Conflict => {}
                Written::Clash(_) => {
                    return Err(StoreError::new("a unique name is already in use").into());
                }
            }
        }
        Err(contention(T::KIND).into())
    }

    /// Uses up the record of `id`. The flag is `true` for the first caller and for no other.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the record may or may not be used up.
    pub async fn take<T: Stored>(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<(T, bool)>, StoreError> {
        let (record, first) = match self.store.take(&self.key(T::KIND, id), now).await? {
            Taken::First(record) => (record, true),
            Taken::Again(record) => (record, false),
            Taken::None => return Ok(None),
        };
        Ok(Some((read(record)?.body, first)))
    }

    /// Deletes the record of `id` and notifies every node.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the record is then either unchanged or deleted.
    pub async fn delete(&self, kind: Kind, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.store.delete(&self.key(kind, id), None, Notice::Tell, now).await
    }

    /// Deletes the record that `held` was read from, if it has not changed, and notifies every
    /// node. `false` if it has been deleted or changed.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the record is then either unchanged or deleted.
    pub async fn delete_at<T: Stored>(
        &self,
        stored: &Versioned<T>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = self.key(T::KIND, &stored.id);
        self.store.delete(&key, Some(stored.version), Notice::Tell, now).await
    }

    /// Records whose ids begin with `prefix`, at most `limit`, after the id `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or contains something else there.
    pub async fn page<T: Stored>(
        &self,
        prefix: &str,
        after: Option<String>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        let query = PageQuery {
            site: Arc::clone(&self.site),
            kind: T::KIND,
            prefix: prefix.to_owned(),
            after,
            limit,
        };
        self.store.page(&query, now).await?.into_iter().map(read).collect()
    }

    fn draft<T: Stored>(&self, id: &str, body: &T) -> Result<Draft, StoreError> {
        let mut unique = body.unique();
        let listed = body.listed(id);
        // More than that cannot be written at once. Documents are refused before that; an account of
        // an older version with as many groups still signs in, and is not listed by them.
        if unique.len() + listed.len() <= self.store.abilities().most_names {
            unique.extend(listed);
        }
        if self.store.abilities().keeps_orders {
            unique.extend(body.orders(id));
        }
        Ok(Draft {
            key: self.key(T::KIND, id),
            body: serde_json::to_vec(body).map_err(StoreError::new)?,
            unique,
            expires_at: body.expires_at(),
        })
    }
}

/// Reads the body of `record`.
///
/// # Errors
/// [`StoreError`] if it contains something else.
pub fn read<T: Stored>(record: Record) -> Result<Versioned<T>, StoreError> {
    let body = serde_json::from_slice(&record.body).map_err(StoreError::new)?;
    Ok(Versioned { id: record.key.id, version: record.version, body })
}

/// Races over one record are settled within as many tries.
pub(crate) const TRIES: usize = 128;

/// Others were faster, every time.
pub(crate) fn contention(kind: Kind) -> StoreError {
    StoreError::new(format!("too much write contention on a record ({})", kind.as_str()))
}
