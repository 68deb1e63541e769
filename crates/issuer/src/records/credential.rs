//! API keys and machine users.

use castellan_proto::{Timestamp, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{desk::Kept, store::Kind};

/// A key that is traded for a scoped JWT (`contracts/trompa.md` §2). Its record's id is
/// `authkey/` and the key's id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthKey {
    /// Stored forms of the secrets that it answers to: more than one while it is being rotated.
    pub secrets: Vec<String>,
    /// What it may ask for.
    pub scopes: Scopes,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
}

/// A machine user (`contracts/decidim.md` §8.2). Its record's id is `apicredential/` and its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiCredential {
    /// What it is called.
    pub name: String,
    /// The stored form of its secret.
    pub secret: String,
    /// What it may do.
    pub scope: Scopes,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
}

impl Kept for AuthKey {
    const KIND: Kind = Kind::Credential;
}

impl Kept for ApiCredential {
    const KIND: Kind = Kind::Credential;

    fn unique(&self) -> Vec<String> {
        vec![format!("apicredential/{}", self.name)]
    }
}
