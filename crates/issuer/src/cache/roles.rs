//! The roles of a site, and which of them a person has.

use std::sync::Arc;

use castellan_proto::scope::RoleScopes;
use moka::sync::Cache;

use crate::{
    Issuer,
    cache::whole::Digest,
    records::{Account, Role, repository::Versioned},
    store::StoreError,
};

/// What a person is and may do, by their groups and roles.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The groups they are in.
    pub groups: Arc<[String]>,
    /// Their roles, in the order of the roles' ids.
    pub roles: Arc<[RoleScopes]>,
}

/// All roles of a site.
pub(crate) struct Roles {
    roles: Vec<(Role, RoleScopes)>,
    /// What people have of them, with the account that it was found for.
    known: Cache<String, (Arc<Account>, Standing)>,
}

/// Bytes of what is known of people at most.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// What one person takes by themselves.
const ENTRY: usize = 256;

impl Digest for Roles {
    type Record = Role;

    fn of(records: Vec<Versioned<Role>>) -> Self {
        let weigh = |id: &String, (_, standing): &(Arc<Account>, Standing)| {
            let groups: usize = standing.groups.iter().map(|group| 24 + group.len()).sum();
            let roles = standing.roles.len() * size_of::<RoleScopes>();
            u32::try_from(ENTRY + id.len() + groups + roles).unwrap_or(u32::MAX)
        };
        let named = |Versioned { id, body, .. }: Versioned<Role>| {
            let scopes = RoleScopes { role: id, scopes: body.scope.clone() };
            (body, scopes)
        };
        Self {
            roles: records.into_iter().map(named).collect(),
            known: Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).build(),
        }
    }
}

impl Roles {
    fn standing(&self, id: &str, account: &Arc<Account>) -> Standing {
        if self.roles.is_empty() && account.groups.is_empty() {
            return Standing::default();
        }
        // The same account as it was read once is one value as long as it does not change.
        if let Some((of, standing)) = self.known.get(id)
            && Arc::ptr_eq(&of, account)
        {
            return standing;
        }
        let theirs = self.roles.iter().filter(|(role, _)| role.is_for(id, account));
        let standing = Standing {
            groups: account.groups.clone().into(),
            roles: theirs.map(|(_, scopes)| scopes.clone()).collect(),
        };
        self.known.insert(id.to_owned(), (Arc::clone(account), standing.clone()));
        standing
    }
}

impl Issuer {
    /// The groups and roles of the person `id`, without a round trip as long as no role changed.
    ///
    /// # Errors
    /// [`StoreError`] if the roles have to be read and the store fails.
    pub async fn standing(&self, id: &str, account: &Arc<Account>) -> Result<Standing, StoreError> {
        Ok(self.whole(self.roles()).await?.standing(id, account))
    }
}
