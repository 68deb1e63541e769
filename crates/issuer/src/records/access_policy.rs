//! A policy about people (`docs/contracts/aidbox.md` §2.5).

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    policy::{Link, Policy, Rule, RuleDocument},
    records::repository::Stored,
    store::Kind,
};

/// A policy about people, as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// What it is for, in words.
    #[serde(default)]
    pub description: Option<String>,
    /// Which requests it is asked about; all of them if there are none.
    pub links: Vec<Link>,
    /// Only people who have this role are asked about.
    #[serde(default)]
    pub role: Option<String>,
    /// What it says.
    pub rule: RuleDocument,
    /// Which of all that had this id it is.
    #[serde(default, skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
    /// When the record was made.
    pub created: Timestamp,
    /// When a document last changed it.
    pub modified: Timestamp,
}

impl Stored for AccessPolicy {
    const KIND: Kind = Kind::AccessPolicy;
}

impl AccessPolicy {
    /// The policy, ready to be asked.
    ///
    /// # Errors
    /// What is wrong with its rule, if this version does not know it.
    pub fn ready(self, id: String) -> Result<Policy, String> {
        let rule =
            Rule::read(&self.rule).map_err(|problem| format!("AccessPolicy/{id}: {problem}"))?;
        Ok(Policy { id, links: self.links, role: self.role, rule })
    }
}
