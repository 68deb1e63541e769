//! JSON Web Signatures and Keys (RFC 7515, 7517, 7518, 7638, 8037) over a closed list of algorithms.
//!
//! A key knows its one algorithm; the header of a token never chooses.

mod compact;
mod jwk;
mod key;
mod members;
mod rsa;
#[cfg(test)]
mod tests;
mod verifying;

pub use compact::{Compact, Header};
pub use jwk::{Jwk, JwkSet};
pub use key::{HmacKey, KeyError, SigningKey};
pub use verifying::VerifyingKey;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519, of what `EdDSA` may stand for (RFC 8037 §3.1).
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 7518 §3.5).
    #[serde(rename = "PS256")]
    Ps256,
    /// HMAC with SHA-256; only for tokens of the documents' own kinds.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// Those with a public key, which anybody can check by.
    pub const ASYMMETRIC: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Ps256, Self::Rs256];

    /// The algorithm of a header; a newer name of one that we know is read as well (RFC 9864 §2.2).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ASYMMETRIC.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// The `alg` header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Hs256 => "HS256",
        }
    }
}
