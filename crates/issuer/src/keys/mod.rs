//! The ring of signing keys (`docs/rules.md` rule 45).

mod changes;
mod master;
mod ring;

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use castellan_proto::{
    Digest, Timestamp,
    jose::{Algorithm, Jwk, JwkSet, KeyError},
};
use serde::{Deserialize, Serialize};

pub use master::{Branch, MasterKey, RootKey};
pub use ring::RingKey;
use ring::{Open, Ring};

use crate::{
    records::repository::Repository,
    store::{Kind, StoreError},
};

/// The keyring could not be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The ring was sealed under another master key.
    #[error(
        "the signing keys in the database cannot be decrypted with this master key; start with \
         the master key that they were sealed with"
    )]
    Sealed,
    /// No key of that use and algorithm signs now.
    #[error("no active signing key of that kind")]
    NoKey,
    /// Builds of a layout before may still work with the data source, and could not read that.
    #[error(
        "older versions may still use this data source and could no longer read its keys; stop \
         them, and run `castellan migrate --finish`"
    )]
    Older,
    /// There is no key with that id.
    #[error("no signing key has that id; `castellan key list` shows them")]
    UnknownKey,
    /// The text is not a valid master key.
    #[error("a master key must be 32 bytes, written as 43 base64url characters")]
    MasterKey,
}

/// What a signing key may sign. A key signs one kind of thing (`docs/rules.md` rule 26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Signs access tokens.
    Access,
    /// Signs ID tokens.
    Id,
    /// Signs userinfo responses.
    Userinfo,
    /// Signs introspection responses.
    Introspection,
    /// Signs logout tokens.
    Logout,
    /// Signs `Castellan-Identity`, for upstreams.
    Identity,
    /// Signs JWTs of people, which nobody else verifies.
    Person,
}

impl KeyUse {
    /// Its name, as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Id => "id",
            Self::Userinfo => "userinfo",
            Self::Introspection => "introspection",
            Self::Logout => "logout",
            Self::Identity => "identity",
            Self::Person => "person",
        }
    }

    /// The keys of this use that sign with `alg`.
    #[must_use]
    pub const fn with(self, alg: Algorithm) -> KeyKind {
        KeyKind { usage: self, alg }
    }

    /// Whether builds of the layout before the present one do not read it.
    const fn is_new(self) -> bool {
        matches!(self, Self::Logout | Self::Person)
    }
}

/// One kind of signing keys: of several, the one signs whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKind {
    /// What they sign.
    pub usage: KeyUse,
    /// What they sign with.
    pub alg: Algorithm,
}

/// Where the ring is kept, and what it is sealed under.
#[derive(Clone, Copy)]
pub(crate) struct RingStore<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) master: &'a MasterKey,
}

/// The signing keys of a site. Nodes choose among them by time, so that no leader is needed.
pub struct Keyring {
    keys: RwLock<Arc<Vec<RingKey>>>,
    root: RwLock<RootKey>,
    /// For which keys that were not known it was read again, and when.
    asked: Mutex<Vec<(Digest, Timestamp)>>,
}

const RING: &str = "ring";
/// From the making of a key to its first signature: longer than the JWKS may be cached (300 s),
/// plus the bound of the feed and of clocks.
const LEAD: u64 = 330;
/// Life of anything signed that no client has a say in, at most.
const LONGEST: u64 = 86_400;
/// How long a key that was not found is not looked up again.
const UNKNOWN: Duration = Duration::from_secs(30);
/// How far clocks may be apart.
const SKEW: u64 = 30;

/// Uses and algorithms that every ring serves from the beginning. Others are made when the first
/// client is to get such a token.
const KINDS: [KeyKind; 4] = [
    KeyUse::Access.with(Algorithm::Es256),
    KeyUse::Access.with(Algorithm::Rs256),
    KeyUse::Id.with(Algorithm::Rs256),
    KeyUse::Identity.with(Algorithm::Es256),
];

impl Keyring {
    /// Opens the ring of `repository`'s site, or creates it if there is none.
    pub(crate) async fn open(
        repository: &Repository,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        Ok(Self::of(Ring::of(repository, master, now).await?.open(master)?))
    }

    /// Opens the ring of `repository`'s site, and makes none: without one there are no keys, and what
    /// a root key would be asked for is no older than this.
    pub(crate) async fn look(
        repository: &Repository,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        Ok(Self::of(match repository.get::<Ring>(RING, now).await? {
            Some(stored) => stored.body.open(master)?,
            None => Open { keys: Vec::new(), root: RootKey::generate() },
        }))
    }

    fn of(Open { keys, root }: Open) -> Self {
        let (keys, root) = (RwLock::new(Arc::new(keys)), RwLock::new(root));
        Self { keys, root, asked: Mutex::default() }
    }

    /// Whether `body`, as a ring is kept, opens with `master`.
    pub(crate) fn opens(body: &str, master: &MasterKey) -> bool {
        let ring = serde_json::from_str::<Ring>(body);
        ring.is_ok_and(|ring| ring.open(master).is_ok())
    }

    /// Reads the ring again, after a notice or for an unknown key.
    ///
    /// # Errors
    /// [`KeyringError`] if it cannot be read; the previous keys then remain.
    pub async fn reload(
        &self,
        repository: &Repository,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        if let Some(stored) = repository.get::<Ring>(RING, now).await? {
            self.set(stored.body.open(master)?);
        }
        Ok(())
    }

    /// Whether to read the ring again for the unknown key `kid`: of any number of callers within
    /// one second one gets true, and for the next half minute nobody who asks for the same key
    /// does.
    pub(crate) fn may_ask(&self, kid: &str, now: Timestamp) -> bool {
        let kid = Digest::of(kid.as_bytes());
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        // One for each second at most, so there are never many.
        asked.retain(|(_, at)| *at <= now && now.since(*at) < UNKNOWN);
        let again = asked.iter().any(|(other, at)| *other == kid || *at == now);
        if !again {
            asked.push((kid, now));
        }
        !again
    }

    /// Whether, as far as this node knows, a key has signed for `period` seconds that none is to
    /// follow yet.
    fn is_due(&self, period: u64, now: Timestamp) -> bool {
        let keys = self.keys();
        let mut current = keys.iter().filter(|key| key.sign_until.is_none());
        current.any(|key| key.sign_from.0.saturating_add(period) <= now.0)
    }

    fn set(&self, Open { keys, root }: Open) {
        if let (Ok(mut all), Ok(mut slot)) = (self.keys.write(), self.root.write()) {
            (*all, *slot) = (Arc::new(keys), root);
        }
    }

    /// What every symmetric key but the seal's branches off.
    #[must_use]
    pub(crate) fn root(&self) -> RootKey {
        self.root.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The current keys.
    #[must_use]
    pub fn keys(&self) -> Arc<Vec<RingKey>> {
        self.keys.read().map(|keys| Arc::clone(&keys)).unwrap_or_default()
    }

    /// Signs `claims` with the key of `kind` whose turn it is.
    ///
    /// # Errors
    /// [`KeyringError::NoKey`] if there is none.
    pub fn sign(
        &self,
        kind: KeyKind,
        typ: &str,
        claims: &impl Serialize,
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        let keys = self.keys();
        let turn = keys.iter().filter(|key| key.signs(kind, now));
        let key = turn.max_by_key(|key| key.sign_from);
        Ok(key.ok_or(KeyringError::NoKey)?.signing.sign(typ, claims)?)
    }

    /// The public keys for tokens that anybody may verify (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> JwkSet {
        use KeyUse::{Access, Id, Introspection, Logout, Userinfo};
        JwkSet { keys: self.published(now, &[Access, Id, Userinfo, Introspection, Logout]) }
    }

    /// The public keys of `Castellan-Identity`.
    #[must_use]
    pub fn identity_jwks(&self, now: Timestamp) -> JwkSet {
        JwkSet { keys: self.published(now, &[KeyUse::Identity]) }
    }

    fn published(&self, now: Timestamp, usages: &[KeyUse]) -> Vec<Jwk> {
        self.keys()
            .iter()
            .filter(|key| usages.contains(&key.usage) && key.is_published(now))
            .map(|key| key.signing.jwk().clone())
            .collect()
    }
}

impl crate::Issuer {
    /// Reads the signing keys again, after a notice about them.
    ///
    /// # Errors
    /// [`KeyringError`] if they cannot be read; the previous keys then remain.
    pub async fn reload_keys(&self) -> Result<(), KeyringError> {
        self.keyring().reload(self.repository(), self.master(), self.now()).await
    }

    /// Makes new signing keys, which begin to sign when every reader must know them. `false` if new
    /// ones are on their way already.
    ///
    /// # Errors
    /// [`KeyringError`] if the store fails.
    pub async fn rotate_keys(&self) -> Result<bool, KeyringError> {
        self.rotate(None).await
    }

    /// Makes new ones if one of the present ones has signed for as long as `tokens.rotate_keys`
    /// says. `true` if it was time. Of nodes that do it at once one does it.
    ///
    /// # Errors
    /// [`KeyringError`] if the store fails.
    pub async fn rotate_keys_if_due(&self) -> Result<bool, KeyringError> {
        self.rotate(Some(self.settings().rotate_keys.get().as_secs())).await
    }

    /// Where this site's ring is kept.
    pub(crate) fn ring_store(&self) -> RingStore<'_> {
        RingStore { repository: self.repository(), master: self.master() }
    }

    async fn rotate(&self, period: Option<u64>) -> Result<bool, KeyringError> {
        let is_near = |period| self.keyring().is_due(period, self.now());
        // This reads every client, so it is skipped if it cannot change anything.
        let longest = if period.is_none_or(is_near) { self.longest_access().await? } else { 0 };
        self.keyring().rotate(self.ring_store(), period, longest, self.now()).await
    }

    /// Removes a key at once, because it may have leaked: nothing that it signed is valid any
    /// longer, on any node, within the bound of the feed.
    ///
    /// # Errors
    /// [`KeyringError::UnknownKey`] if there is no such key.
    pub async fn retire_key(&self, kid: &str) -> Result<(), KeyringError> {
        self.keyring().retire(self.ring_store(), kid, self.now()).await?;
        // Everything that was verified with it is verified again.
        self.liveness().bump_all();
        Ok(())
    }

    /// Seals the signing keys, and the root that everything else hangs on, under the present master
    /// key. From then on the one before opens nothing.
    ///
    /// # Errors
    /// [`KeyringError::Sealed`] if neither the present nor the previous master key opens them,
    /// [`KeyringError::Older`] while builds may work with them that know no root.
    pub async fn reseal_keys(&self) -> Result<(), KeyringError> {
        self.keyring().reseal(self.ring_store(), self.now()).await
    }

    /// Signs `claims` by the key of `kind` whose turn it is, which is made if it is the first.
    pub(crate) async fn sign(
        &self,
        kind: KeyKind,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, KeyringError> {
        match self.keyring().sign(kind, typ, claims, self.now()) {
            Err(KeyringError::NoKey) => {
                self.keyring().ensure(self.ring_store(), kind, self.now()).await?;
                self.keyring().sign(kind, typ, claims, self.now())
            }
            signed => signed,
        }
    }

    /// Whether `subject` of a notice is this site's ring of keys.
    #[must_use]
    pub fn is_keyring(&self, subject: &str) -> bool {
        self.repository().key(Kind::Keyring, RING).text() == subject
    }
}
