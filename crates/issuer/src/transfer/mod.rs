//! Moves records from one data source to another: all of them, hashes and sealed keys included,
//! unchanged. Taken records stay behind: a tombstone is of use for a minute at most, and an unknown
//! code is as useless as a used one.

mod seal;

use std::sync::Arc;

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

pub use seal::LineSeal;

use crate::{
    keys::{Keyring, MasterKey},
    records::{
        client_details::{SECRET, SYMMETRIC_KEYS},
        is_sealed,
        order::{AccountsOrdered, with_orders},
    },
    secrets::hashing::{is_stored_form, is_stored_password},
    store::{
        Draft, Inserted, Key, Kind, Notice, PageQuery, Record, Replaced, Store, StoreError,
        names::is_ordering,
    },
};

/// A record on its way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The record's site.
    pub site: String,
    /// Its kind's name in the store.
    pub kind: String,
    /// The record's id.
    pub id: String,
    /// The record's unique names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<String>,
    /// First second at which it no longer exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The record's body, byte for byte.
    pub body: Box<RawValue>,
}

/// Why a record does not arrive.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// This version does not know the kind of record.
    #[error("{0:?} is not a kind of record that this version knows")]
    Kind(String),
    /// One of its names belongs to another record there.
    #[error("{record}: its name {name:?} belongs to another record at the destination")]
    Clash {
        /// The record concerned.
        record: String,
        /// The name concerned.
        name: String,
    },
    /// The content was not written by Castellan.
    #[error("{0}: its content is not JSON")]
    Body(String),
    /// It holds a password or secret in the clear, or what is none.
    #[error(
        "{record}: {member} is not a stored form of a secret (a hash of Argon2id, or one that \
         Castellan made or sealed; for a person's password, a hash of a known format); nothing of this record was imported"
    )]
    Secret {
        /// Which record.
        record: String,
        /// The member of its body.
        member: &'static str,
    },
    /// They are signing keys that do not open where they go.
    #[error(
        "the signing keys of site {0:?} cannot be decrypted with this master key; set \
         data.master_key to the one of the data source that they come from"
    )]
    Sealed(String),
    /// They are signing keys, and there are others where they go.
    #[error(
        "the data source already has other signing keys for site {0:?}; import into an empty data \
         source, or use --replace-keys: everything that was issued with the present keys becomes \
         invalid"
    )]
    OtherKeys(String),
    /// A data source failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a record that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It is new there.
    New,
    /// It was there already, and just so.
    Same,
    /// It was there, and was another.
    Changed,
}

/// Notes of each of `sites` that has no account yet that its accounts have the names of all orders:
/// those that arrive have them. Otherwise, a server that starts there has to look through them first.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub async fn begin_orders(
    store: &dyn Store,
    sites: &[Arc<str>],
    now: Timestamp,
) -> Result<(), StoreError> {
    if !store.abilities().keeps_orders || store.admits_older().await? {
        return Ok(());
    }
    for site in sites {
        let any = PageQuery {
            site: Arc::clone(site),
            kind: Kind::Account,
            prefix: String::new(),
            after: None,
            limit: 1,
        };
        if store.page(&any, now).await?.is_empty() {
            store.insert(AccountsOrdered::draft(site, now), Notice::Silent, now).await?;
        }
    }
    Ok(())
}

/// Records that are read at a time.
const PAGE: usize = 500;

/// Every record of `sites`, a page at a time: the signing keys of all of them, and the others in the
/// order of sites, kinds and ids. Where keys do not fit, nothing else has arrived.
pub struct Walk<'a> {
    store: &'a dyn Store,
    rooms: Vec<(Arc<str>, Kind)>,
    after: Option<String>,
    now: Timestamp,
}

impl<'a> Walk<'a> {
    /// Iterates over the records of `sites` in `store`.
    #[must_use]
    pub fn new(store: &'a dyn Store, sites: &[Arc<str>], now: Timestamp) -> Self {
        // That nodes could write here, and what was done here, says nothing about there.
        let is_moved = |kind: &Kind| !matches!(kind, Kind::Heartbeat | Kind::Upkeep);
        let kinds = || Kind::ALL.into_iter().filter(is_moved);
        let rooms = sites.iter().flat_map(|site| kinds().map(|kind| (Arc::clone(site), kind)));
        let mut rooms: Vec<_> = rooms.collect();
        rooms.sort_by_key(|(_, kind)| *kind != Kind::Keyring);
        rooms.reverse();
        Self { store, rooms, after: None, now }
    }

    /// The next records; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the same page can be requested again.
    pub async fn next(&mut self) -> Result<Option<Vec<Record>>, StoreError> {
        while let Some((site, kind)) = self.rooms.last() {
            let query = PageQuery {
                site: Arc::clone(site),
                kind: *kind,
                prefix: String::new(),
                after: self.after.clone(),
                limit: PAGE,
            };
            let page = self.store.page(&query, self.now).await?;
            self.after = page.last().map(|record| record.key.id.clone());
            if page.is_empty() {
                self.rooms.pop();
                continue;
            }
            return Ok(Some(page));
        }
        Ok(None)
    }
}

impl Moved {
    /// `record`, ready to go.
    ///
    /// # Errors
    /// [`MoveError::Body`] if its content was not written by Castellan.
    pub fn leaving(record: &Record) -> Result<Self, MoveError> {
        let text = std::str::from_utf8(&record.body).ok().map(ToOwned::to_owned);
        let body = text.and_then(|text| RawValue::from_string(text).ok());
        Ok(Self {
            site: record.key.site.to_string(),
            kind: record.key.kind.as_str().to_owned(),
            id: record.key.id.clone(),
            unique: record.unique.iter().filter(|name| !is_ordering(name)).cloned().collect(),
            expires_at: record.expires_at,
            body: body.ok_or_else(|| MoveError::Body(record.key.text()))?,
        })
    }

    /// Whether every password and secret that it holds is in one of the stored forms: somebody may have
    /// written it by hand.
    ///
    /// # Errors
    /// [`MoveError::Secret`] naming the member, never what it holds.
    pub fn check_secrets(&self) -> Result<(), MoveError> {
        let body: Value = serde_json::from_str(self.body.get()).unwrap_or_default();
        let is_good = |value: &Value| value.as_str().is_some_and(is_stored_form);
        let may_lack = |member: &str| body.get(member).is_none_or(|it| it.is_null() || is_good(it));
        let is =
            |kind: Kind, prefix: &str| self.kind == kind.as_str() && self.id.starts_with(prefix);
        let bad = if is(Kind::Account, "") {
            let is_good = |value: &Value| value.as_str().is_some_and(is_stored_password);
            let password = body.get("password").filter(|value| !value.is_null());
            if password.is_none_or(is_good) { unkept_of_account(&body) } else { Some("password") }
        } else if is(Kind::Client, "") {
            if may_lack("secret") { unkept_of_client(&body) } else { Some("secret") }
        } else if is(Kind::Credential, "apicredential/") {
            let previous = body.pointer("/previous/secret");
            if is_good(&body["secret"]) {
                (!previous.is_none_or(is_good)).then_some("previous.secret")
            } else {
                Some("secret")
            }
        } else if is(Kind::Credential, "authkey/") {
            let secrets = body["secrets"].as_array();
            (!secrets.is_some_and(|list| list.iter().all(is_good))).then_some("secrets")
        } else if is(Kind::TokenIntrospector, "") {
            let kept = &body["verification"];
            let keys = kept["keys"].as_array().into_iter().flatten();
            let of_keys = keys.filter_map(|key| key.get("secret"));
            let others = [kept.get("secret"), kept.pointer("/endpoint/authorization")];
            let mut all = others.into_iter().flatten().chain(of_keys);
            let is_good = |value: &Value| value.is_null() || value.as_str().is_some_and(is_sealed);
            (!all.all(is_good)).then_some("verification")
        } else {
            None
        };
        match bad {
            Some(member) => {
                Err(MoveError::Secret { record: format!("{}/{}", self.kind, self.id), member })
            }
            None => Ok(()),
        }
    }

    /// What is written to `store`.
    fn draft(&self, store: &dyn Store) -> Result<Draft, MoveError> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == self.kind);
        let kind = kind.ok_or_else(|| MoveError::Kind(self.kind.clone()))?;
        let body = self.body.get().as_bytes().to_vec();
        let keeps_orders = store.abilities().keeps_orders;
        Ok(Draft {
            key: Key::new(&Arc::from(&*self.site), kind, self.id.clone()),
            unique: with_orders(&self.unique, kind, &self.id, &body, keeps_orders),
            body,
            expires_at: self.expires_at,
        })
    }

    /// Looks, if these are signing keys, whether `store` can take them: they open with `master`, and
    /// there are no others, unless that `replaces` them.
    ///
    /// # Errors
    /// [`MoveError::Sealed`] or [`MoveError::OtherKeys`] if not.
    pub async fn fits(
        &self,
        store: &dyn Store,
        master: &MasterKey,
        replaces: bool,
        now: Timestamp,
    ) -> Result<(), MoveError> {
        if self.kind != Kind::Keyring.as_str() {
            return Ok(());
        }
        if !Keyring::opens(self.body.get(), master) {
            return Err(MoveError::Sealed(self.site.clone()));
        }
        let draft = self.draft(store)?;
        let stored = store.get_many(std::slice::from_ref(&draft.key), now).await?;
        match stored.into_iter().next().flatten() {
            Some(stored) if !replaces && !same(&stored, &draft) => {
                Err(MoveError::OtherKeys(self.site.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Writes it to `store`, over what is there if that is another. Done again, it changes nothing.
    ///
    /// # Errors
    /// [`MoveError`]; the record is there, whole, or is not.
    pub async fn arrive(&self, store: &dyn Store, now: Timestamp) -> Result<Arrived, MoveError> {
        let draft = self.draft(store)?;
        let (key, text) = (draft.key.clone(), draft.key.text());
        let clash = |name| MoveError::Clash { record: text.clone(), name };
        for _ in 0..8 {
            match store.insert(draft.clone(), Notice::Tell, now).await? {
                Inserted::Done => return Ok(Arrived::New),
                Inserted::Clash(name) => return Err(clash(name)),
                Inserted::Exists => {}
            }
            let stored = store.get_many(std::slice::from_ref(&key), now).await?;
            match stored.into_iter().next().flatten() {
                Some(stored) if same(&stored, &draft) => return Ok(Arrived::Same),
                Some(stored) => {
                    let over = store.replace(draft.clone(), stored.version, Notice::Tell, now);
                    match over.await? {
                        Replaced::Done(_) => return Ok(Arrived::Changed),
                        Replaced::Clash(name) => return Err(clash(name)),
                        Replaced::Stale => {}
                    }
                }
                // A tombstone, or deleted meanwhile: remove it to make room.
                None => drop(store.delete(&key, None, Notice::Silent, now).await?),
            }
        }
        Err(StoreError::new("too much write contention on the record").into())
    }

    /// Whether `store` contains exactly this record.
    ///
    /// # Errors
    /// [`MoveError`] if that cannot be determined.
    pub async fn is_at(&self, store: &dyn Store, now: Timestamp) -> Result<bool, MoveError> {
        let draft = self.draft(store)?;
        let stored = store.get_many(std::slice::from_ref(&draft.key), now).await?;
        Ok(stored.into_iter().next().flatten().is_some_and(|stored| same(&stored, &draft)))
    }
}

fn same(stored: &Record, draft: &Draft) -> bool {
    stored.body == draft.body
        && stored.unique == draft.unique
        && stored.expires_at == draft.expires_at
}

/// The member of an account that holds a key or code in none of the forms in which they are stored.
fn unkept_of_account(body: &Value) -> Option<&'static str> {
    let list = |way: &str| body.pointer(way).and_then(Value::as_array).into_iter().flatten();
    let keys = list("/attached/devices").filter_map(|device| device.pointer("/totp/sealed"));
    let mut codes = list("/attached/mfa/recovery/codes").map(|code| &code["hash"]);
    let is_kept = |value: &Value| value.as_str().is_some_and(is_sealed);
    let is_hash = |value: &Value| value.as_str().is_some_and(is_stored_form);
    if !keys.into_iter().all(is_kept) {
        return Some("attached.devices.totp");
    }
    (!codes.all(is_hash)).then_some("attached.mfa.recovery")
}

/// The member of a client that holds a key or secret in none of the forms in which they are stored.
fn unkept_of_client(body: &Value) -> Option<&'static str> {
    let at = |path: &str| body.pointer(&format!("/details/unserved/{}", path.replace('.', "/")));
    let is_kept = |value: &Value| value.as_str().is_some_and(is_sealed);
    let keys = SYMMETRIC_KEYS.into_iter().all(|path| at(path).is_none_or(is_kept));
    let is_hash = |value: &Value| value.as_str().is_some_and(is_stored_form);
    if !body.pointer("/previous_secret/secret").is_none_or(is_hash) {
        return Some("previous_secret.secret");
    }
    (!keys || !at(SECRET).is_none_or(is_hash)).then_some("details.unserved")
}
