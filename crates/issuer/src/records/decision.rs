//! Denials that can be explained.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// A denial that can be explained. Its id is the decision's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// When.
    pub at: Timestamp,
    /// At which guard.
    pub guard: String,
    /// What the gate said of it; opaque here.
    pub denial: serde_json::Value,
}

impl Stored for DecisionRecord {
    const KIND: Kind = Kind::Decision;

    /// A day (`docs/rules.md` rule 5).
    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.at.0 + 86_400))
    }
}
