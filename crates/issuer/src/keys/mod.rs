//! The ring of signing keys (`design.md` rule 45).

mod master;

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicU64, Ordering},
};

use castellan_proto::{
    Timestamp,
    jose::{Algorithm, Jwk, JwkSet, KeyError, SigningKey, VerifyingKey},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use master::{Branch, MasterKey};

use crate::{
    Settings,
    desk::{Desk, Held, Kept, Written},
    store::{Kind, Notice, StoreError},
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
        "the signing keys in the database do not open with this master key; start with the master \
         key that they were made with"
    )]
    Sealed,
    /// No key of that use and algorithm signs now.
    #[error("no key of that kind signs at the moment")]
    NoKey,
    /// There is no key of that name.
    #[error("there is no signing key of that name; `castellan key list` shows them")]
    UnknownKey,
    /// The text is no master key.
    #[error("a master key is 32 bytes, written as 43 base64url characters")]
    MasterKey,
}

/// What a signing key may sign. A key signs one kind of thing (`design.md` rule 26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Access tokens.
    Access,
    /// ID tokens.
    Id,
    /// Userinfo answers.
    Userinfo,
    /// Introspection answers.
    Introspection,
    /// `Castellan-Identity`, for what stands behind the gate.
    Identity,
}

/// A key as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SealedKey {
    usage: KeyUse,
    alg: Algorithm,
    kid: String,
    pkcs8: String,
    publish_at: Timestamp,
    sign_from: Timestamp,
    sign_until: Option<Timestamp>,
    drop_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Ring {
    keys: Vec<SealedKey>,
}

impl Kept for Ring {
    const KIND: Kind = Kind::Keyring;
}

/// A key in use on this node.
pub struct RingKey {
    /// What it may sign.
    pub usage: KeyUse,
    /// The key itself.
    pub signing: SigningKey,
    /// Its public half, to check with.
    pub verifying: VerifyingKey,
    /// From when it is published.
    pub publish_at: Timestamp,
    /// From when it signs.
    pub sign_from: Timestamp,
    /// Until when it signs.
    pub sign_until: Option<Timestamp>,
    /// From when nothing it signed can still be good.
    pub drop_at: Option<Timestamp>,
}

/// The signing keys of a site. Nodes choose among them by time, so that no leader is needed.
pub struct Keyring {
    keys: RwLock<Arc<Vec<RingKey>>>,
    /// When it was last read again for a key that was not known.
    asked: AtomicU64,
}

const RING: &str = "ring";
/// From the making of a key to its first signature: longer than the JWKS may be cached (300 s),
/// plus the bound of the feed and of clocks.
const LEAD: u64 = 330;
/// Tries of a change that others are in the way of.
const TRIES: usize = 16;
/// Longest life of anything signed, plus clocks.
const LONGEST: u64 = 86_400 + 30;

/// Uses and algorithms that every ring serves from the beginning. Others are made when the first
/// client is to get such a token.
const KINDS: [(KeyUse, Algorithm); 4] = [
    (KeyUse::Access, Algorithm::Es256),
    (KeyUse::Access, Algorithm::Rs256),
    (KeyUse::Id, Algorithm::Rs256),
    (KeyUse::Identity, Algorithm::Es256),
];

impl Keyring {
    /// Opens the ring of `desk`'s site, or makes one where there is none.
    pub(crate) async fn open(
        desk: &Desk,
        master: &MasterKey,
        _settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        let ring = match desk.get::<Ring>(RING, now).await? {
            Some(held) => held.body,
            None => make(desk, master, now).await?,
        };
        let keys = RwLock::new(Arc::new(open_all(&ring, master)?));
        Ok(Self { keys, asked: AtomicU64::new(0) })
    }

    /// Reads the ring again, after a notice or for an unknown key.
    ///
    /// # Errors
    /// [`KeyringError`] if it cannot be read; then the keys of before stay.
    pub async fn reload(
        &self,
        desk: &Desk,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        if let Some(held) = desk.get::<Ring>(RING, now).await? {
            self.set(open_all(&held.body, master)?);
        }
        Ok(())
    }

    /// Whether it is time to read the ring again for a key that is not known here; of any number
    /// that ask in one second one is told so.
    pub(crate) fn may_ask(&self, now: Timestamp) -> bool {
        self.asked.swap(now.0, Ordering::AcqRel) != now.0
    }

    fn set(&self, keys: Vec<RingKey>) {
        if let Ok(mut slot) = self.keys.write() {
            *slot = Arc::new(keys);
        }
    }

    /// The keys as they stand.
    #[must_use]
    pub fn keys(&self) -> Arc<Vec<RingKey>> {
        self.keys.read().map(|keys| Arc::clone(&keys)).unwrap_or_default()
    }

    /// Signs `claims` with the key of `usage` and `alg` whose turn it is.
    ///
    /// # Errors
    /// [`KeyringError::NoKey`] if there is none.
    pub fn sign(
        &self,
        (usage, alg): (KeyUse, Algorithm),
        typ: &str,
        claims: &impl Serialize,
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        let keys = self.keys();
        let turn = |key: &&RingKey| {
            key.usage == usage
                && key.signing.algorithm() == alg
                && key.sign_from <= now
                && key.sign_until.is_none_or(|until| now < until)
        };
        let key = keys.iter().filter(turn).max_by_key(|key| key.sign_from);
        Ok(key.ok_or(KeyringError::NoKey)?.signing.sign(typ, claims)?)
    }

    /// The public keys of tokens that anybody may check (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> JwkSet {
        let for_anybody = [KeyUse::Access, KeyUse::Id, KeyUse::Userinfo, KeyUse::Introspection];
        JwkSet { keys: self.published(now, &for_anybody) }
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

    /// Makes new keys that begin to sign once every reader of the JWKS must know them, and sets
    /// the end of those before. Nodes that do it at the same time do it once.
    ///
    /// # Errors
    /// [`KeyringError`] if the store fails.
    pub async fn rotate(
        &self,
        desk: &Desk,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let Some(mut held) = desk.get::<Ring>(RING, now).await? else { return Ok(()) };
        let turn = Timestamp(now.0 + LEAD);
        let mut kinds = KINDS.to_vec();
        for key in held.body.keys.iter().filter(|key| key.sign_until.is_none()) {
            if !kinds.contains(&(key.usage, key.alg)) {
                kinds.push((key.usage, key.alg));
            }
        }
        held.body.keys.retain(|key| key.drop_at.is_none_or(|at| now < at));
        for key in held.body.keys.iter_mut().filter(|key| key.sign_until.is_none()) {
            key.sign_until = Some(turn);
            key.drop_at = Some(Timestamp(turn.0 + LONGEST));
        }
        for kind in kinds {
            held.body.keys.push(new_key(kind, master, (now, turn))?);
        }
        if desk.replace(&held, Notice::Tell, now).await? == Written::Done {
            self.set(open_all(&held.body, master)?);
            return Ok(());
        }
        // Another node was first: its turn is the turn.
        self.reload(desk, master, now).await
    }
}

impl Keyring {
    /// Makes a key of `kind` that signs at once, if there is none: nobody can know one that they
    /// would have to know.
    async fn ensure(
        &self,
        (desk, master): (&Desk, &MasterKey),
        kind: (KeyUse, Algorithm),
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        for _ in 0..TRIES {
            let held = desk.get::<Ring>(RING, now).await?;
            let mut held = held.ok_or(KeyringError::NoKey)?;
            if !held.body.signs(kind, now) {
                held.body.keys.push(new_key(kind, master, (now, now))?);
                if desk.replace(&held, Notice::Tell, now).await? != Written::Done {
                    continue;
                }
            }
            self.set(open_all(&held.body, master)?);
            return Ok(());
        }
        Err(StoreError::new("the keyring is being written all the time").into())
    }

    /// Takes the key `kid` out: it signs no more, and nothing that it signed holds any more. Where
    /// no other one would sign, a new one does, at once.
    async fn retire(
        &self,
        (desk, master): (&Desk, &MasterKey),
        kid: &str,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        for _ in 0..TRIES {
            let held = desk.get::<Ring>(RING, now).await?;
            let mut held = held.ok_or(KeyringError::NoKey)?;
            let at = held.body.keys.iter().position(|key| key.kid == kid);
            let taken = held.body.keys.remove(at.ok_or(KeyringError::UnknownKey)?);
            let purpose = (taken.usage, taken.alg);
            if !held.body.signs(purpose, now) {
                held.body.keys.push(new_key(purpose, master, (now, now))?);
            }
            if desk.replace(&held, Notice::Tell, now).await? == Written::Done {
                self.set(open_all(&held.body, master)?);
                return Ok(());
            }
        }
        Err(StoreError::new("the keyring is being written all the time").into())
    }
}

impl Ring {
    /// Whether there is a key of `kind` that signs at `now`.
    fn signs(&self, (usage, alg): (KeyUse, Algorithm), now: Timestamp) -> bool {
        self.keys.iter().any(|key| {
            (key.usage, key.alg) == (usage, alg)
                && key.sign_from <= now
                && key.sign_until.is_none_or(|until| now < until)
        })
    }
}

impl RingKey {
    /// Whether readers of the JWKS see it.
    #[must_use]
    pub fn is_published(&self, now: Timestamp) -> bool {
        self.publish_at <= now && self.drop_at.is_none_or(|at| now < at)
    }
}

async fn make(desk: &Desk, master: &MasterKey, now: Timestamp) -> Result<Ring, KeyringError> {
    let keys = KINDS.into_iter().map(|kind| new_key(kind, master, (now, now)));
    let ring = Ring { keys: keys.collect::<Result<_, _>>()? };
    match desk.insert(RING, &ring, now).await? {
        Written::Done => Ok(ring),
        // Another node was first: its ring is the ring.
        _ => match desk.get::<Ring>(RING, now).await? {
            Some(Held { body, .. }) => Ok(body),
            None => Err(KeyringError::Sealed),
        },
    }
}

fn new_key(
    (usage, alg): (KeyUse, Algorithm),
    master: &MasterKey,
    (publish_at, sign_from): (Timestamp, Timestamp),
) -> Result<SealedKey, KeyringError> {
    let (key, pkcs8) = SigningKey::generate(alg)?;
    let pkcs8 = Zeroizing::new(pkcs8);
    let kid = key.kid().to_owned();
    let pkcs8 = master.seal(&kid, &pkcs8).ok_or(KeyringError::Sealed)?;
    Ok(SealedKey { usage, alg, kid, pkcs8, publish_at, sign_from, sign_until: None, drop_at: None })
}

fn open_all(ring: &Ring, master: &MasterKey) -> Result<Vec<RingKey>, KeyringError> {
    ring.keys
        .iter()
        .map(|key| {
            let pkcs8 = master.unseal(&key.kid, &key.pkcs8).ok_or(KeyringError::Sealed)?;
            let signing = SigningKey::from_pkcs8(key.alg, &pkcs8)?;
            let verifying = VerifyingKey::from_jwk(key.alg, signing.jwk())?;
            Ok(RingKey {
                usage: key.usage,
                signing,
                verifying,
                publish_at: key.publish_at,
                sign_from: key.sign_from,
                sign_until: key.sign_until,
                drop_at: key.drop_at,
            })
        })
        .collect()
}

impl crate::Issuer {
    /// Reads the signing keys again, after a notice about them.
    ///
    /// # Errors
    /// [`KeyringError`] if they cannot be read; then the keys of before stay.
    pub async fn reload_keys(&self) -> Result<(), KeyringError> {
        self.keyring().reload(self.desk(), self.master(), self.now()).await
    }

    /// Makes new signing keys, which begin to sign when every reader must know them.
    ///
    /// # Errors
    /// [`KeyringError`] if the store fails.
    pub async fn rotate_keys(&self) -> Result<(), KeyringError> {
        self.keyring().rotate(self.desk(), self.master(), self.now()).await
    }

    /// Makes new ones if the present ones have signed for as long as `tokens.rotate_keys` says.
    /// `true` if it was time. Of nodes that do it at once one does it.
    ///
    /// # Errors
    /// [`KeyringError`] if the store fails.
    pub async fn rotate_keys_if_due(&self) -> Result<bool, KeyringError> {
        let (now, period) = (self.now(), self.settings().rotate_keys.get().as_secs());
        // As it stands in the store, where another node may have been at it.
        self.reload_keys().await?;
        let newest = self.keyring().keys().iter().map(|key| key.sign_from).max();
        let is_due = newest.is_some_and(|newest| newest.0.saturating_add(period) <= now.0);
        if is_due {
            self.rotate_keys().await?;
        }
        Ok(is_due)
    }

    /// Takes a key out at once, because somebody else may have it: nothing that it signed holds any
    /// more, on any node, within the bound of the feed.
    ///
    /// # Errors
    /// [`KeyringError::UnknownKey`] if there is no such key.
    pub async fn retire_key(&self, kid: &str) -> Result<(), KeyringError> {
        self.keyring().retire((self.desk(), self.master()), kid, self.now()).await?;
        // What was found good under it is looked at again.
        self.liveness().bump_all();
        Ok(())
    }

    /// Signs `claims` by the key of `kind` whose turn it is, which is made if it is the first.
    pub(crate) async fn sign(
        &self,
        kind: (KeyUse, Algorithm),
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, KeyringError> {
        match self.keyring().sign(kind, typ, claims, self.now()) {
            Err(KeyringError::NoKey) => {
                self.keyring().ensure((self.desk(), self.master()), kind, self.now()).await?;
                self.keyring().sign(kind, typ, claims, self.now())
            }
            signed => signed,
        }
    }

    /// Whether `subject` of a notice is this site's ring of keys.
    #[must_use]
    pub fn is_keyring(&self, subject: &str) -> bool {
        self.desk().key(Kind::Keyring, RING).text() == subject
    }
}
