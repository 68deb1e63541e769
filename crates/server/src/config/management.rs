//! The `[management]` table (`docs/contracts/curity.md` §§2.1, 3).

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
    /// Whether `userName` of an account can be changed. Default `false`.
    pub allow_username_updates: bool,
    /// Whether the accounts API has buckets. Default `false`.
    pub buckets: bool,
    /// Whether `Account.dynamicClients` lists the clients that the person registered; otherwise it is
    /// null. Default `false`.
    pub dynamic_clients_in_accounts: bool,
    /// Whether there is a `[credential_policy]`, so that the accounts API has its state.
    #[serde(skip)]
    pub has_credential_policy: bool,
    /// Decides by the groups in the access token.
    pub groups: Option<GroupsManager>,
    /// Managers of the accounts API instead of those above.
    pub accounts: Option<ManagersConfig>,
    /// Managers of the Granted Authorizations API instead of those above.
    pub granted_authorizations: Option<ManagersConfig>,
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
            allow_username_updates: false,
            buckets: false,
            dynamic_clients_in_accounts: false,
            has_credential_policy: false,
            groups: None,
            accounts: None,
            granted_authorizations: None,
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
