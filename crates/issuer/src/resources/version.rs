//! Which state of a resource it is, and what a request wants that to be (RFC 9110 §13.1).

use castellan_proto::{Timestamp, random};
use serde_json::{Value, json};

/// A state of a resource. Each has an id of its own: one that is deleted and made again does not
/// come to the ids of before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which resource of all that had this kind and id.
    pub(super) incarnation: String,
    /// Counts from 1 when the resource is made.
    pub(super) number: u64,
    /// When the resource was made.
    pub created: Timestamp,
    /// When a document last changed it.
    pub modified: Timestamp,
}

impl Version {
    /// Its id, as in `meta.versionId`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.number, self.incarnation)
    }

    /// The member `meta` of its document.
    #[must_use]
    pub fn meta(&self) -> Value {
        json!({
            "versionId": self.id(),
            "lastUpdated": self.modified.rfc3339(),
            "createdAt": self.created.rfc3339(),
        })
    }
}

/// What must hold for a write; otherwise nothing is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The resource exists: `If-Match: *`.
    Exists,
    /// It is in one of these versions: `If-Match`.
    Versions(Vec<String>),
    /// It does not exist: `If-None-Match: *`.
    Absent,
}

impl Precondition {
    /// Whether it holds for a resource that is in the version `current`, or does not exist.
    pub(super) fn holds(&self, current: Option<&Version>) -> bool {
        match (self, current) {
            (Self::Exists, current) => current.is_some(),
            (Self::Absent, current) => current.is_none(),
            (Self::Versions(ids), Some(current)) => ids.contains(&current.id()),
            (Self::Versions(_), None) => false,
        }
    }
}

/// One for a resource that is made now; no two are alike.
pub(crate) fn fresh_incarnation() -> u32 {
    u32::from_be_bytes(random()).max(1)
}

/// How it is written. Records that an older version made have none, and are told apart by when.
pub(super) fn incarnation(of: u32, created: Timestamp) -> String {
    if of == 0 { format!("{:x}", created.0) } else { format!("{of:08x}") }
}
