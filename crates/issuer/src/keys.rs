//! The master key, what branches off it, and the ring of signing keys (`design.md` rules 45, 46).

use std::sync::{Arc, RwLock};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{
    Timestamp,
    jose::{Algorithm, HmacKey, Jwk, JwkSet, KeyError, SigningKey, VerifyingKey},
    random,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    Settings,
    desk::{Desk, Held, Kept, Written},
    store::{Kind, Notice, StoreError},
};

/// 32 bytes from which every other symmetric key is derived.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// What a branch of the master key is for. One branch, one use.
#[derive(Clone, Copy, Debug)]
pub enum Branch {
    /// Keyed hashes of secrets that Castellan made.
    Pepper,
    /// Codes in refresh and opaque access tokens.
    Refresh,
    /// Sealing what must not be read from the store.
    Seal,
    /// Tokens of forms.
    Csrf,
    /// Exports.
    Export,
}

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
    /// The text is no master key.
    #[error("a master key is 32 bytes, written as 43 base64url characters")]
    MasterKey,
}

impl MasterKey {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// Reads the text that [`MasterKey::text`] gives.
    ///
    /// # Errors
    /// [`KeyringError::MasterKey`] for any other text.
    pub fn read(text: &str) -> Result<Self, KeyringError> {
        let bytes = Zeroizing::new(
            URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| KeyringError::MasterKey)?,
        );
        let bytes: [u8; 32] = (&**bytes).try_into().map_err(|_| KeyringError::MasterKey)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// As it is kept in a file.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }

    /// The key of `branch` (RFC 5869).
    #[must_use]
    pub fn branch(&self, branch: Branch) -> Zeroizing<[u8; 32]> {
        let info = match branch {
            Branch::Pepper => "castellan pepper",
            Branch::Refresh => "castellan refresh",
            Branch::Seal => "castellan seal",
            Branch::Csrf => "castellan csrf",
            Branch::Export => "castellan export",
        };
        let mut out = Zeroizing::new([0; 32]);
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&*self.0);
        let filled =
            prk.expand(&[info.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut *out));
        // HKDF cannot fail for one block of output (RFC 5869 §2.3).
        debug_assert!(filled.is_ok());
        out
    }

    /// An HMAC key of `branch`.
    #[must_use]
    pub fn hmac(&self, branch: Branch) -> HmacKey {
        HmacKey::new(&*self.branch(branch))
    }

    fn sealer(&self) -> Option<LessSafeKey> {
        Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*self.branch(Branch::Seal)).ok()?))
    }

    /// Seals `plain`, bound to `label`.
    fn seal(&self, label: &str, plain: &[u8]) -> Option<String> {
        let nonce = random::<NONCE_LEN>();
        let mut sealed = plain.to_vec();
        self.sealer()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(label.as_bytes()),
                &mut sealed,
            )
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    fn unseal(&self, label: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(bytes.get(..NONCE_LEN)?).ok()?;
        let mut rest = Zeroizing::new(bytes.split_off(NONCE_LEN));
        let length =
            self.sealer()?.open_in_place(nonce, Aad::from(label.as_bytes()), &mut rest).ok()?.len();
        rest.truncate(length);
        Some(rest)
    }
}

/// What a signing key may sign. A key signs one kind of thing (`design.md` rule 26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Access tokens.
    Access,
    /// ID tokens.
    Id,
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
}

const RING: &str = "ring";
/// From the making of a key to its first signature: longer than the JWKS may be cached (300 s),
/// plus the bound of the feed and of clocks.
const LEAD: u64 = 330;
/// Longest life of anything signed, plus clocks.
const LONGEST: u64 = 86_400 + 30;

/// Uses and algorithms that every ring can serve.
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
        Ok(Self { keys: RwLock::new(Arc::new(open_all(&ring, master)?)) })
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
        JwkSet { keys: self.published(now, &[KeyUse::Access, KeyUse::Id]) }
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
        held.body.keys.retain(|key| key.drop_at.is_none_or(|at| now < at));
        for key in held.body.keys.iter_mut().filter(|key| key.sign_until.is_none()) {
            key.sign_until = Some(turn);
            key.drop_at = Some(Timestamp(turn.0 + LONGEST));
        }
        for kind in KINDS {
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

    /// Whether `subject` of a notice is this site's ring of keys.
    #[must_use]
    pub fn is_keyring(&self, subject: &str) -> bool {
        self.desk().key(Kind::Keyring, RING).text() == subject
    }
}
