//! The master key, and what branches off it (`docs/rules.md` rule 46).

use std::sync::{Arc, OnceLock};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{jose::HmacKey, random};
use zeroize::Zeroizing;

use super::KeyringError;

/// What seals the signing keys and the [`RootKey`], and exports. Cheap to clone.
#[derive(Clone)]
pub struct MasterKey {
    present: RootKey,
    /// Opens what was sealed before the key was changed.
    previous: Option<RootKey>,
}

/// 32 bytes from which symmetric keys branch off. Kept under the master key, so that this one can
/// stay when that one changes. Cheap to clone.
#[derive(Clone)]
pub struct RootKey(Arc<Root>);

struct Root {
    bytes: Zeroizing<[u8; 32]>,
    /// Derived when they are first used: deriving one costs more than using it.
    hmacs: [OnceLock<HmacKey>; Branch::COUNT],
}

/// What a branch is for. One branch, one use.
#[derive(Clone, Copy, Debug)]
pub enum Branch {
    /// Keyed hashes of secrets that Castellan made.
    Pepper,
    /// Codes in refresh and opaque access tokens.
    Refresh,
    /// Sealing what must not be read from the store: of the master key, the keys; of the root, what
    /// administrators wrote for other servers.
    Seal,
    /// Tokens of forms.
    Csrf,
    /// Exports; of the master key.
    Export,
    /// Nonces for proofs of possession.
    Nonce,
    /// Cursors of lists.
    Cursor,
    /// Codes of audit records.
    Audit,
}

impl Branch {
    const COUNT: usize = Self::Audit as usize + 1;
}

impl RootKey {
    /// Generates a new key.
    #[must_use]
    pub fn generate() -> Self {
        Self::of(Zeroizing::new(random()))
    }

    fn of(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(Arc::new(Root { bytes, hmacs: [const { OnceLock::new() }; Branch::COUNT] }))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self::of(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.bytes.as_slice()
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
            Branch::Nonce => "castellan nonce",
            Branch::Cursor => "castellan cursor",
            Branch::Audit => "castellan audit",
        };
        let mut out = Zeroizing::new([0; 32]);
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(self.bytes());
        let filled =
            prk.expand(&[info.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut *out));
        // HKDF cannot fail for one block of output (RFC 5869 §2.3).
        debug_assert!(filled.is_ok());
        out
    }

    /// An HMAC key of `branch`.
    #[must_use]
    pub fn hmac(&self, branch: Branch) -> &HmacKey {
        self.0.hmacs[branch as usize].get_or_init(|| HmacKey::new(&*self.branch(branch)))
    }

    fn sealer(&self) -> Option<LessSafeKey> {
        Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*self.branch(Branch::Seal)).ok()?))
    }

    /// Seals `plain`, bound to `label`.
    pub(crate) fn seal(&self, label: &str, plain: &[u8]) -> Option<String> {
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

    /// What was sealed with `label`; `None` if that was not by this key, or not so.
    pub(crate) fn unseal(&self, label: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(bytes.get(..NONCE_LEN)?).ok()?;
        let mut rest = Zeroizing::new(bytes.split_off(NONCE_LEN));
        let length =
            self.sealer()?.open_in_place(nonce, Aad::from(label.as_bytes()), &mut rest).ok()?.len();
        rest.truncate(length);
        Some(rest)
    }
}

impl MasterKey {
    /// Generates a new key.
    #[must_use]
    pub fn generate() -> Self {
        Self { present: RootKey::generate(), previous: None }
    }

    /// Reads the text that [`MasterKey::text`] gives.
    ///
    /// # Errors
    /// [`KeyringError::MasterKey`] for any other text.
    pub fn read(text: &str) -> Result<Self, KeyringError> {
        let bytes = Zeroizing::new(
            URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| KeyringError::MasterKey)?,
        );
        let present = RootKey::from_bytes(&bytes).ok_or(KeyringError::MasterKey)?;
        Ok(Self { present, previous: None })
    }

    /// Whether it consists of zeros alone, as nobody generates it: it stands where another is to be set.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.present.bytes().iter().all(|byte| *byte == 0)
    }

    /// This one, which also opens what `previous` sealed.
    #[must_use]
    pub fn after(self, previous: Self) -> Self {
        Self { previous: Some(previous.present), ..self }
    }

    /// As it is kept in a file.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.present.bytes()))
    }

    /// The key of `branch`: only exports are derived from the master key itself.
    pub(crate) fn branch(&self, branch: Branch) -> Zeroizing<[u8; 32]> {
        self.present.branch(branch)
    }

    /// What seals whatever is sealed from now on.
    pub(super) const fn present(&self) -> &RootKey {
        &self.present
    }

    /// What was sealed with `label`; none if that was by neither key, or not so.
    pub(super) fn unseal(&self, label: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.all().find_map(|key| key.unseal(label, sealed))
    }

    /// The one of the two that opens what was sealed with `label`.
    pub(super) fn which_opens(&self, label: &str, sealed: &str) -> Option<RootKey> {
        self.all().find(|key| key.unseal(label, sealed).is_some()).cloned()
    }

    fn all(&self) -> impl Iterator<Item = &RootKey> {
        std::iter::once(&self.present).chain(&self.previous)
    }
}
