//! What a client is described by, and what it was asked to be that this server does not do
//! (`docs/contracts/curity.md` §7.3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where symmetric keys are in [`ClientDetails::unserved`]; a dot separates members.
pub(crate) const SYMMETRIC_KEYS: [&str; 3] = [
    "client_authentication.primary.symmetric.symmetric_key",
    "client_authentication.secondary.symmetric.symmetric_key",
    "capabilities.assertion.jwt.signing.symmetric_key.symmetric_key",
];

/// Where a secret is there.
pub(crate) const SECRET: &str = "client_authentication.secondary.secret.secret";

/// What stands beside the settings of the protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientDetails {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its logo: a `data:` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its privacy policy (RFC 7591 §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms of service (RFC 7591 §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// The subject of whoever is responsible for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// It was revoked: what was issued to it is over for good.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// By which it is found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whatever else its administrators note about it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
    /// Attributes of `docs/contracts/curity.md` §7.3 that it was given and that have no effect here,
    /// in the form of its inputs. Symmetric keys are sealed, and secrets are hashed.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unserved: Map<String, Value>,
}

impl ClientDetails {
    /// Whether there is nothing to be stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is to prove who it is in a way that this server does not know. It cannot prove it
    /// in any other way then, and is not public either.
    #[must_use]
    pub fn has_unserved_proof(&self) -> bool {
        let authentication = self.unserved.get("client_authentication");
        authentication.and_then(|authentication| authentication.get("primary")).is_some()
    }
}
