//! Denials that can be explained.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// A denial that can be explained. Its id is the decision's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The time of the decision.
    pub at: Timestamp,
    /// The guard that decided.
    pub guard: String,
    /// The gate's record of the denial; opaque here.
    pub denial: serde_json::Value,
}

impl Stored for DecisionRecord {
    const KIND: Kind = Kind::Decision;

    /// A day (`docs/rules.md` rule 5).
    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.at.0 + 86_400))
    }
}
