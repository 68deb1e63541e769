//! What people may do, by role.

use castellan_proto::{Timestamp, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{
    records::{Account, repository::Stored},
    store::Kind,
};

/// What the people whom it is for may do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    /// What to call it; its id if empty.
    pub name: String,
    /// What it is for, in the words of whoever wrote it.
    pub description: String,
    /// What it allows.
    pub scope: Scopes,
    /// People in any of these groups have it.
    pub groups: Vec<String>,
    /// The ids of people who have it.
    pub users: Vec<String>,
    /// Everybody at the site has it.
    pub everybody: bool,
    /// Callers who are not signed in have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// The names of the SiteAccesses at which it lets people sign in; [`Self::EVERY_LOGIN`] stands
    /// for all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub login: Vec<String>,
    /// Which of all that had this id it is.
    #[serde(skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
    /// When the record was made.
    pub created: Timestamp,
    /// When a document last changed it.
    pub modified: Timestamp,
}

impl Role {
    /// What stands in [`Self::login`] for every SiteAccess.
    pub const EVERY_LOGIN: &str = "*";

    /// Whether the person `id` has it.
    #[must_use]
    pub fn is_for(&self, id: &str, account: &Account) -> bool {
        self.everybody
            || self.users.iter().any(|user| user == id)
            || self.groups.iter().any(|group| account.groups.contains(group))
    }
}

impl Stored for Role {
    const KIND: Kind = Kind::Role;
}
