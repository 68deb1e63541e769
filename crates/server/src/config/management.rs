//! The `[management]` table (`docs/contracts/curity.md` §§2.1, 3).

use std::collections::BTreeMap;

use castellan_issuer::{
    managers::{AttributesManager, GroupsManager, Managers, ScopesManager, SelfServiceManager},
    records::Group,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Problem;

/// The management APIs over GraphQL. Without a manager, they refuse every request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "settings that are on or off")]
pub struct ManagementConfig {
    /// Whether callers who may read may also read the schemas. Default `true`.
    pub introspection: bool,
    /// Whether mutations are accepted by GET. Default `false`.
    pub mutations_over_get: bool,
    /// Whether `message` says why an operation failed where the server, or a service that it uses,
    /// is the reason. Default `false`.
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
    /// Maximum number of agreements, and of token families, that one query about granted
    /// authorizations reads. Default 500.
    pub max_delegations: u32,
    /// Ids of the `TokenIntrospector` resources whose tokens are accepted beside those of the site:
    /// their issuers then decide who is in which group. Default: none.
    pub introspectors: Vec<String>,
    /// Decides by the groups in the access token.
    pub groups: Option<GroupsManager>,
    /// The tags that clients may carry, and what each is for. Default: none.
    pub tags: BTreeMap<String, String>,
    /// Decides by the scopes of the access token; beside `groups`, both must allow an operation.
    pub scopes: Option<ScopesManager>,
    /// Narrows by attributes what `groups` and `scopes` allow; without them, it decides alone.
    pub attributes: Option<AttributesManager>,
    /// Lets people do what is listed with their own account, at the APIs of accounts and of granted
    /// authorizations.
    pub self_service: Option<SelfServiceManager>,
    /// Managers of the accounts API instead of those above.
    pub accounts: Option<ManagersConfig>,
    /// Managers of the Granted Authorizations API instead of those above.
    pub granted_authorizations: Option<ManagersConfig>,
    /// Managers of the Database Clients API instead of those above.
    pub database_clients: Option<ManagersConfig>,
    /// SCIM (`docs/scim.md`).
    pub scim: Option<ScimConfig>,
    /// Managers of the API of clients that registered themselves instead of those above.
    pub dynamic_clients: Option<ManagersConfig>,
}

/// The managers of one API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManagersConfig {
    /// Decides by the groups in the access token.
    pub groups: Option<GroupsManager>,
    /// Decides by the scopes of the access token; beside `groups`, both must allow an operation.
    pub scopes: Option<ScopesManager>,
    /// Narrows by attributes what `groups` and `scopes` allow; without them, it decides alone.
    pub attributes: Option<AttributesManager>,
    /// Lets people do what is listed with what is their own.
    pub self_service: Option<SelfServiceManager>,
}

/// SCIM: its managers instead of those of all, and what it may do besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScimConfig {
    /// Decides by the groups in the access token.
    pub groups: Option<GroupsManager>,
    /// Decides by the scopes of the access token; beside `groups`, both must allow an operation.
    pub scopes: Option<ScopesManager>,
    /// Narrows by attributes what `groups` and `scopes` allow; without them, it decides alone.
    pub attributes: Option<AttributesManager>,
    /// Groups into which callers may put people without being in them. Default: none.
    pub assignable_groups: Vec<String>,
}

/// The largest number of things that one query reads or answers.
const LARGEST: u32 = 10_000;

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
            max_delegations: 500,
            introspectors: Vec::new(),
            groups: None,
            tags: BTreeMap::new(),
            scopes: None,
            attributes: None,
            self_service: None,
            accounts: None,
            granted_authorizations: None,
            database_clients: None,
            dynamic_clients: None,
            scim: None,
        }
    }
}

impl ScimConfig {
    fn has_managers(&self) -> bool {
        self.groups.is_some() || self.scopes.is_some() || self.attributes.is_some()
    }

    fn check(&self) -> Result<(), String> {
        let mut groups = self.assignable_groups.iter();
        match groups.find(|group| *group == Group::ADMINISTRATORS || !Group::is_name(group)) {
            None => Ok(()),
            Some(group) if group == Group::ADMINISTRATORS => {
                Err("administrators are made by administrators alone".to_owned())
            }
            Some(group) => Err(format!("{group:?} is not the name of a group")),
        }
    }
}

impl ManagementConfig {
    /// The managers of an API that people use for what is their own: the API's, or those of all.
    #[must_use]
    pub fn managers(&self, own: Option<&ManagersConfig>) -> Managers {
        let of_all = || Managers {
            groups: self.groups.clone(),
            scopes: self.scopes.clone(),
            attributes: self.attributes.clone(),
            self_service: self.self_service.clone(),
        };
        own.map_or_else(of_all, |own| Managers {
            groups: own.groups.clone(),
            scopes: own.scopes.clone(),
            attributes: own.attributes.clone(),
            self_service: own.self_service.clone(),
        })
    }

    /// The same of an API of which nothing is anybody's own.
    #[must_use]
    pub fn managers_without_self_service(&self, own: Option<&ManagersConfig>) -> Managers {
        Managers { self_service: None, ..self.managers(own) }
    }

    /// The managers of SCIM: its own, or those of all.
    #[must_use]
    pub fn scim_managers(&self) -> Managers {
        match &self.scim {
            Some(own) if own.has_managers() => Managers {
                groups: own.groups.clone(),
                scopes: own.scopes.clone(),
                attributes: own.attributes.clone(),
                self_service: None,
            },
            _ => self.managers_without_self_service(None),
        }
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        for (name, number) in
            [("max_page", self.max_page), ("max_delegations", self.max_delegations)]
        {
            if number == 0 || number > LARGEST {
                let text = format!("management.{name} must be from 1 to {LARGEST}");
                return Err(Problem::at(&["management", name], &text));
            }
        }
        self.check_self_service()?;
        self.check_names()?;
        if let Some(scim) = &self.scim {
            scim.check().map_err(|problem| {
                let way = ["management", "scim", "assignable_groups"];
                Problem::at(&way, &format!("{}: {problem}", way.join(".")))
            })?;
        }
        if self
            .realm
            .as_ref()
            .is_some_and(|realm| !realm.bytes().all(|b| (b' '..=b'~').contains(&b)))
        {
            let text = "management.realm must be printable ASCII characters";
            return Err(Problem::at(&["management", "realm"], text));
        }
        Ok(())
    }

    fn check_self_service(&self) -> Result<(), Problem> {
        let of = |name: &str| self.own_managers(name).and_then(|own| own.self_service.as_ref());
        for (way, manager) in [
            (&["management", "self_service"][..], self.self_service.as_ref()),
            (&["management", "accounts", "self_service"][..], of("accounts")),
            (
                &["management", "granted_authorizations", "self_service"][..],
                of("granted_authorizations"),
            ),
        ] {
            if let Some(Err((key, problem))) = manager.map(SelfServiceManager::check) {
                let way = [way, &[key]].concat();
                return Err(Problem::at(&way, &format!("{}: {problem}", way.join("."))));
            }
        }
        for api in ["database_clients", "dynamic_clients"] {
            if of(api).is_some() {
                let way = ["management", api, "self_service"];
                let name = way.join(".");
                let text = format!("{name}: nothing of this API is anybody's own; remove it");
                return Err(Problem::at(&way, &text));
            }
        }
        Ok(())
    }
}
