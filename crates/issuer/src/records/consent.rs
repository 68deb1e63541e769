//! What a person allowed one client.

use std::collections::{BTreeMap, BTreeSet};

use castellan_proto::{Timestamp, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// What a person agreed to for one client. Its id is the account's, a slash, and the client's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// All that was agreed to so far.
    pub scope: Scopes,
    /// What named scopes expanded to at that time.
    #[serde(default)]
    pub alias_digests: BTreeMap<String, String>,
    /// The claims that were agreed to besides what those scopes open (OIDC Core §5.5).
    #[serde(default)]
    pub claims: BTreeSet<String>,
    /// When it was first agreed to.
    pub start: Timestamp,
    /// The id of this agreement: if it is withdrawn and given again, the id is another.
    #[serde(default)]
    pub agreement: String,
}

impl Stored for Consent {
    const KIND: Kind = Kind::Consent;
}

/// The id of what `account` agreed to for `client`.
#[must_use]
pub fn consent_id(account: &str, client: &str) -> String {
    format!("{account}/{client}")
}
