//! Secrets that have to be shown to others, or computed with: they are sealed in the store, as a hash
//! would be of no use.

use castellan_proto::Secret;
use zeroize::Zeroizing;

use crate::{
    Issuer,
    records::token_introspector::{as_sealed, sealed_text},
    store::StoreError,
};

impl Issuer {
    /// `secret` as it is stored.
    ///
    /// # Errors
    /// [`StoreError`] if the machine's cryptography fails.
    pub(crate) fn seal_secret(&self, secret: &Secret) -> Result<String, StoreError> {
        self.seal_bytes("document secret", secret.expose().as_bytes())
    }

    /// The secret that is stored as `kept`.
    ///
    /// # Errors
    /// [`StoreError`] if it was sealed by another root key, or is none.
    pub(crate) fn open_secret(&self, kept: &str) -> Result<Secret, StoreError> {
        let text = self.unsealed("document secret", kept);
        let text = text.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        text.map(Secret::new).ok_or_else(|| {
            StoreError::new(
                "a secret cannot be opened with the keys of this site; write its document again, \
                 with the secret",
            )
        })
    }

    /// `plain` as it is stored, bound to `place`.
    ///
    /// # Errors
    /// [`StoreError`] if the machine's cryptography fails.
    pub(crate) fn seal_bytes(&self, place: &str, plain: &[u8]) -> Result<String, StoreError> {
        let sealed = self.root().seal(&self.secret_label(place), plain);
        let sealed = sealed.ok_or_else(|| StoreError::new("a secret could not be sealed"))?;
        Ok(as_sealed(&sealed))
    }

    /// What is stored as `kept` in `place`.
    ///
    /// # Errors
    /// [`StoreError`] if it was sealed by another root key or in another place, or is none.
    pub(crate) fn open_bytes(
        &self,
        place: &str,
        kept: &str,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let text = "a secret cannot be opened with the keys of this site";
        self.unsealed(place, kept).ok_or_else(|| StoreError::new(text))
    }

    fn unsealed(&self, place: &str, kept: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.root().unseal(&self.secret_label(place), sealed_text(kept)?)
    }

    /// What a secret in `place` is bound to: no site opens those of another one.
    fn secret_label(&self, place: &str) -> String {
        format!("{}/{place}", self.repository().site())
    }
}
