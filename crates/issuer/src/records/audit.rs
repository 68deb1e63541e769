//! Audit records as they are stored: several in a block, so that recording what happens costs a
//! fraction of a write each.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{records::repository::Stored, store::Kind};

/// What the ids of blocks begin with.
pub(crate) const BLOCK: &str = "block/";
/// The id of the [`AuditHead`].
pub(crate) const HEAD: &str = "head";

/// Records that one process wrote at once, in the order of their numbers. Its id sorts later blocks
/// first. A record is read member by member: what a later version adds is under their codes as well.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditBlock<Record = Map<String, Value>> {
    /// First second at which it no longer exists.
    pub until: Timestamp,
    /// When the first of them happened.
    pub begins: Timestamp,
    /// The records.
    pub records: Vec<Record>,
}

impl<Record: Serialize + DeserializeOwned> Stored for AuditBlock<Record> {
    const KIND: Kind = Kind::Audit;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.until)
    }
}

/// The last process that began to record at a site: the next one refers to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditHead {
    /// The SHA-256 hash of its first record.
    pub hash: String,
    /// Until when that record is kept.
    pub until: Timestamp,
    /// An HMAC over both, as records have one.
    pub code: String,
}

impl Stored for AuditHead {
    const KIND: Kind = Kind::Audit;
}
