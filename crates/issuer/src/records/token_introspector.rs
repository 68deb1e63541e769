//! How tokens of another issuer are verified (`docs/contracts/aidbox.md` §2.7).

use castellan_proto::{Timestamp, jose::Algorithm, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// How tokens of one other issuer are verified, and what they are worth here.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenIntrospector {
    /// The `iss` of its tokens; opaque ones need not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// By what they are verified.
    pub verification: Verification,
    /// The audiences of which their `aud` must have one; any will do, and none, if this is empty.
    #[serde(default)]
    pub audience: Vec<String>,
    /// What they may do at most; whatever they say if it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scopes>,
    /// Whether each of them acts for a person of this site.
    pub has_person: bool,
    /// Seconds that what is fetched is kept at most.
    pub cache_ttl: u64,
    /// Which of all that had this id it is.
    #[serde(default, skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it.
    #[serde(default)]
    pub modified: Timestamp,
}

/// By what tokens are verified. Secrets are sealed ([`is_sealed`]).
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// JWTs by one shared secret, with HS256.
    Secret(String),
    /// JWTs by the first of these keys that made the signature.
    Keys(Vec<TrustedKey>),
    /// JWTs by the keys that the issuer publishes.
    JwksUri {
        /// Where (RFC 7517 §5).
        uri: String,
        /// With which algorithms.
        algorithms: Vec<Algorithm>,
    },
    /// Opaque tokens by asking the issuer (RFC 7662).
    Endpoint {
        /// Where.
        url: String,
        /// The value of `Authorization` there.
        authorization: Option<String>,
    },
}

/// A key that was written into the document.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustedKey {
    /// A shared secret, for HS256.
    Secret(String),
    /// A public key in PEM, for one algorithm.
    Public {
        /// The key.
        pem: String,
        /// The algorithm.
        algorithm: Algorithm,
    },
}

/// What a sealed secret begins with in a record.
const SEALED: &str = "sealed:";

/// Whether `text` has the form of a secret that was sealed for the store.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(SEALED)
}

/// The form in which a secret that was sealed to `text` is kept.
pub(crate) fn as_sealed(text: &str) -> String {
    format!("{SEALED}{text}")
}

/// What a kept secret was sealed to; `None` if it is none.
pub(crate) fn sealed_text(kept: &str) -> Option<&str> {
    kept.strip_prefix(SEALED)
}

impl TokenIntrospector {
    /// Whether it is for opaque tokens.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        matches!(self.verification, Verification::Endpoint { .. })
    }
}

impl std::fmt::Debug for TokenIntrospector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenIntrospector").field("iss", &self.iss).finish_non_exhaustive()
    }
}

impl Stored for TokenIntrospector {
    const KIND: Kind = Kind::TokenIntrospector;

    /// One per type and issuer. An opaque token does not say whose it is, so there is one for all of
    /// them: no token is sent to an issuer that it is not of.
    fn unique(&self) -> Vec<String> {
        vec![match &self.iss {
            Some(iss) if !self.is_opaque() => format!("jwt {iss}"),
            _ => "opaque".to_owned(),
        }]
    }
}
