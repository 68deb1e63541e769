//! Proof Key for Code Exchange (RFC 7636), `S256` only.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use crate::Digest;

/// A `code_verifier`: 43 to 128 unreserved characters (RFC 7636 §4.1).
///
/// A value of this type has been checked; nothing downstream checks again.
pub struct CodeVerifier(String);

/// A `code_challenge` made with `S256` (RFC 7636 §4.2): the SHA-256 of a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeChallenge([u8; 32]);

/// Why a text is not a [`CodeVerifier`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVerifier {
    /// Outside 43..=128 characters.
    #[error("code_verifier has {0} characters; RFC 7636 section 4.1 requires 43 to 128")]
    Length(usize),
    /// A character outside `[A-Za-z0-9-._~]`.
    #[error("code_verifier contains a character outside A-Z a-z 0-9 - . _ ~")]
    Alphabet,
}

/// The text is not the base64url form of 32 bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("code_challenge must be the 43 base64url characters of a SHA-256 digest")]
pub struct InvalidChallenge;

impl TryFrom<&str> for CodeVerifier {
    type Error = InvalidVerifier;

    fn try_from(text: &str) -> Result<Self, InvalidVerifier> {
        let count = text.chars().count();
        if !(43..=128).contains(&count) {
            return Err(InvalidVerifier::Length(count));
        }
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if !text.bytes().all(unreserved) {
            return Err(InvalidVerifier::Alphabet);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<&str> for CodeChallenge {
    type Error = InvalidChallenge;

    fn try_from(text: &str) -> Result<Self, InvalidChallenge> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidChallenge)?;
        Ok(Self(bytes.try_into().map_err(|_| InvalidChallenge)?))
    }
}

impl TryFrom<String> for CodeChallenge {
    type Error = InvalidChallenge;

    fn try_from(text: String) -> Result<Self, InvalidChallenge> {
        Self::try_from(text.as_str())
    }
}

impl From<CodeChallenge> for String {
    fn from(challenge: CodeChallenge) -> Self {
        URL_SAFE_NO_PAD.encode(challenge.0)
    }
}

impl CodeChallenge {
    /// Whether `verifier` is the one this challenge was made from.
    ///
    /// Takes the same time whatever the answer.
    #[must_use]
    pub fn is_met_by(&self, verifier: &CodeVerifier) -> bool {
        self.0.ct_eq(&Digest::of(verifier.0.as_bytes()).0).into()
    }
}

impl std::fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeVerifier(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7636_appendix_b() {
        let verifier =
            CodeVerifier::try_from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let challenge =
            CodeChallenge::try_from("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_met_by(&verifier));
        let other = CodeVerifier::try_from(&*"a".repeat(43)).unwrap();
        assert!(!challenge.is_met_by(&other));
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        assert!(CodeVerifier::try_from(&*"a".repeat(42)).is_err());
        assert!(CodeVerifier::try_from(&*"a".repeat(129)).is_err());
        assert!(CodeVerifier::try_from(&*"a".repeat(128)).is_ok());
        assert_eq!(CodeVerifier::try_from(&*"+".repeat(43)).err(), Some(InvalidVerifier::Alphabet));
    }

    #[test]
    fn a_challenge_is_a_digest() {
        assert!(CodeChallenge::try_from("short").is_err());
        assert!(CodeChallenge::try_from("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=").is_err());
    }
}
