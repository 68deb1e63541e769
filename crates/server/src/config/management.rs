//! The `[management]` table (`docs/contracts/curity.md` §§2.1, 3).

use std::collections::BTreeMap;

use castellan_issuer::managers::{GroupsManager, Managers};
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;

/// The management APIs over GraphQL. Without a manager, they refuse every request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManagementConfig {
    /// Whether callers who may read may also read the schemas. Default `true`.
    pub introspection: bool,
    /// Whether mutations are accepted by GET. Default `false`.
    pub mutations_over_get: bool,
    /// Whether `message` says why an operation failed where that is not meant for callers. Default
    /// `false`.
    pub detailed_errors: bool,
    /// The realm in `WWW-Authenticate`. Default: the name of the site.
    pub realm: Option<String>,
    /// Maximum size of a page; a larger `first` is cut. Default 1000.
    pub max_page: u32,
    /// Decides by the groups in the access token.
    pub groups: Option<GroupsManager>,
    /// The tags that clients may carry, and what each is for. Default: none.
    pub tags: BTreeMap<String, String>,
    /// Managers of the Granted Authorizations API instead of those above.
    pub granted_authorizations: Option<ManagersConfig>,
    /// Managers of the Database Clients API instead of those above.
    pub database_clients: Option<ManagersConfig>,
}

/// The managers of one API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManagersConfig {
    /// Decides by the groups in the access token.
    pub groups: Option<GroupsManager>,
}

impl Default for ManagementConfig {
    fn default() -> Self {
        Self {
            introspection: true,
            mutations_over_get: false,
            detailed_errors: false,
            realm: None,
            max_page: 1_000,
            groups: None,
            tags: BTreeMap::new(),
            granted_authorizations: None,
            database_clients: None,
        }
    }
}

impl ManagementConfig {
    /// The managers of one API: its own, or those of all.
    #[must_use]
    pub fn managers(&self, own: Option<&ManagersConfig>) -> Managers {
        let groups = own.map_or(&self.groups, |own| &own.groups);
        Managers { groups: groups.clone() }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.max_page == 0 {
            let text = "management.max_page must be at least 1";
            return Err(ConfigError::Conflict(text.to_owned()));
        }
        if self
            .realm
            .as_ref()
            .is_some_and(|realm| !realm.bytes().all(|b| (b' '..=b'~').contains(&b)))
        {
            let text = "management.realm must be printable ASCII characters";
            return Err(ConfigError::Conflict(text.to_owned()));
        }
        Ok(())
    }
}
