//! A policy about people (`docs/contracts/aidbox.md` §2.5).

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    policy::{Link, Policy, Rule, RuleDocument},
    records::repository::Stored,
    store::{Kind, StoreError},
};

/// A policy about people, as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// What it is for, in words.
    #[serde(default)]
    pub description: Option<String>,
    /// Which requests it is asked about; all of them if there are none.
    pub links: Vec<Link>,
    /// What it says.
    pub rule: RuleDocument,
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
    /// [`StoreError`] if the record has a rule that this version does not know: what it would say
    /// is unknown then.
    pub fn ready(self, id: String) -> Result<Policy, StoreError> {
        let rule = Rule::read(&self.rule)
            .map_err(|problem| StoreError::new(format!("AccessPolicy/{id}: {problem}")))?;
        Ok(Policy { id, links: self.links, rule })
    }
}
