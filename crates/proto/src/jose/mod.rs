//! JSON Web Signatures and Keys (RFC 7515, 7517, 7518, 7638) over a closed list of algorithms.
//!
//! A key knows its one algorithm; the header of a token never chooses.

mod compact;
mod jwk;
mod key;
#[cfg(test)]
mod tests;

pub use compact::{Compact, Header};
pub use jwk::{Jwk, JwkSet};
pub use key::{HmacKey, KeyError, SigningKey, VerifyingKey};

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// HMAC with SHA-256; only for tokens of the documents' own kinds.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// The `alg` header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }
}
