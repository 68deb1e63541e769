//! What is kept about a person for one purpose (`docs/contracts/curity.md` §6.4).

use castellan_proto::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{records::repository::Stored, store::Kind};

/// Attributes of a subject for one purpose. Of each pair there is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Whose attributes: a user name.
    pub subject: String,
    /// What they are for.
    pub purpose: String,
    /// The attributes.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// When it was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When it was last changed.
    #[serde(default)]
    pub modified: Timestamp,
    /// Which of all that had this id it is.
    #[serde(default)]
    pub incarnation: u32,
}

impl Bucket {
    /// The unique name of the bucket of `subject` for `purpose`.
    #[must_use]
    pub fn unique_name(subject: &str, purpose: &str) -> String {
        let both = serde_json::json!([subject, purpose]).to_string();
        Digest::of(both.as_bytes()).text()
    }
}

impl Stored for Bucket {
    const KIND: Kind = Kind::Bucket;

    fn unique(&self) -> Vec<String> {
        vec![Self::unique_name(&self.subject, &self.purpose)]
    }
}
