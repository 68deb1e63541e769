//! Names by which records are listed.

use castellan_proto::Digest;

/// Names by which records are listed, and which any number of them may have: each ends with the id of
/// its record. They begin with capital letters, which no login name has, and end with a space, with
/// which no login name ends; so neither end of one is found by looking for login names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingName {
    /// The groups of an account.
    Group,
    /// What another system calls it.
    ExternalId,
    /// What is shown as the name of a group, folded.
    DisplayName,
}

impl ListingName {
    /// What every listing name for `value` begins with. The digest bounds its length.
    #[must_use]
    pub fn prefix(self, value: &str) -> String {
        let kind = match self {
            Self::Group => "GROUP",
            Self::ExternalId => "EXTERNAL",
            Self::DisplayName => "NAME",
        };
        format!("{kind}:{}:", Digest::of(value.as_bytes()).text())
    }

    /// The listing name for `value` of the record `id`.
    #[must_use]
    pub fn of(self, value: &str, id: &str) -> String {
        format!("{}{id} ", self.prefix(value))
    }
}
