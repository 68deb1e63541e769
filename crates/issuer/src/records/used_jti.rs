//! Identifiers of used assertions and proofs, so that each can be used only once.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// An assertion that was used. Its id is the digest of its client and its `jti`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct UsedAssertion {
    /// First second at which the assertion is worthless anyway.
    pub ends: Timestamp,
}

impl Stored for UsedAssertion {
    const KIND: Kind = Kind::Assertion;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}
