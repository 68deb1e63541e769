//! A group of people.
//!
//! Who is in it stands in the accounts alone (`Account::groups`), so that one write of one record
//! changes a membership, and an account cannot say something else than the group. The members are
//! found by the listing names of the accounts.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    records::{account::login_name, listing_name::ListingName, repository::Stored},
    store::Kind,
};

/// A group of people. Its id is the name that accounts, roles, rules and tokens have for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// What to show as its name; its id if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What another system calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// When the record was made.
    pub created: Timestamp,
    /// When it was last changed; its members are not part of it.
    pub modified: Timestamp,
    /// Which of all that had this id it is.
    pub incarnation: u32,
}

impl Group {
    /// The group of administrators.
    pub const ADMINISTRATORS: &str = "administrators";

    /// Whether `name` can be the name of a group that has a record.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= 256
            && name.trim() == name
            && !name.contains(char::is_control)
    }

    /// What to show as the name of the group `id`.
    #[must_use]
    pub fn shown_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.display_name.as_deref().unwrap_or(id)
    }
}

impl Stored for Group {
    const KIND: Kind = Kind::Group;

    fn listed(&self, id: &str) -> Vec<String> {
        let name = ListingName::DisplayName.of(&login_name(self.shown_name(id)), id);
        let external = self.external_id.as_ref();
        let external = external.map(|external| ListingName::ExternalId.of(external, id));
        std::iter::once(name).chain(external).collect()
    }
}

/// That the accounts of a site have the names by which the members of a group are listed: those that
/// an earlier version wrote had none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberIndex {
    /// Since when.
    pub since: Timestamp,
}

impl MemberIndex {
    /// The id of the only one.
    pub const ID: &str = "group-members-1";
}

impl Stored for MemberIndex {
    const KIND: Kind = Kind::Upkeep;
}
