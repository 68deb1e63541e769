//! Secrets that administrators wrote and that have to be shown to others, or computed with: they
//! are sealed in the store, as a hash would be of no use.

use castellan_proto::Secret;

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
        let sealed = self.root().seal(&self.secret_label(), secret.expose().as_bytes());
        let sealed = sealed.ok_or_else(|| StoreError::new("a secret could not be sealed"))?;
        Ok(as_sealed(&sealed))
    }

    /// The secret that is stored as `kept`.
    ///
    /// # Errors
    /// [`StoreError`] if it was sealed by another root key, or is none.
    pub(crate) fn open_secret(&self, kept: &str) -> Result<Secret, StoreError> {
        let opened =
            sealed_text(kept).and_then(|text| self.root().unseal(&self.secret_label(), text));
        let text = opened.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        text.map(Secret::new).ok_or_else(|| {
            StoreError::new(
                "a secret cannot be opened with the keys of this site; write its document again, \
                 with the secret",
            )
        })
    }

    /// What secrets are bound to: no site opens those of another one.
    fn secret_label(&self) -> String {
        format!("{}/document secret", self.repository().site())
    }
}
