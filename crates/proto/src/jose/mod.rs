//! JSON Web Signatures and Keys (RFC 7515, 7517, 7518, 7638, 8037) over a closed list of algorithms.
//!
//! A key knows its one algorithm; the header of a token never chooses.

mod compact;
mod jwk;
mod key;
mod members;
mod rsa;
mod spki;
#[cfg(test)]
mod tests;
mod verifying;

use aws_lc_rs::digest;

pub use compact::{Compact, Header};
pub use jwk::{Jwk, JwkSet};
pub use key::{HmacKey, KeyError, SigningKey};
pub use verifying::VerifyingKey;

pub(crate) use rsa::is_sound as is_sound_rsa;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// `EdDSA` with Ed25519 (RFC 8037 §3.1).
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 7518 §3.5).
    #[serde(rename = "PS256")]
    Ps256,
    /// HMAC with SHA-256, for tokens of API keys and machine users only.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// Those with a public key, with which anybody can verify.
    pub const ASYMMETRIC: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Ps256, Self::Rs256];

    /// The algorithm of a header; a newer name of one that we know is read as well (RFC 9864 §2.2).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ASYMMETRIC.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// The value of the `alg` header.
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

    /// The left half of the digest of `bytes`, by the hash that signatures of this algorithm use:
    /// what binds an access token to an ID token as `at_hash` (OIDC Core §3.1.3.6).
    #[must_use]
    pub fn half_digest(self, bytes: &[u8]) -> Vec<u8> {
        let hash = match self {
            // Its name says none; it is that of Ed25519 (RFC 8032 §5.1).
            Self::EdDsa => &digest::SHA512,
            Self::Es256 | Self::Rs256 | Self::Ps256 | Self::Hs256 => &digest::SHA256,
        };
        let whole = digest::digest(hash, bytes);
        let whole = whole.as_ref();
        whole[..whole.len() / 2].to_vec()
    }
}
