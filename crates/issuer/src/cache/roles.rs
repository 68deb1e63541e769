//! The roles of a site, which of them a person has, and where they let people sign in.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use castellan_proto::scope::{RoleScopes, Scope, Scopes, within_roles};
use moka::sync::Cache;

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
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
    all: Vec<(Role, RoleScopes)>,
    /// What people have of them, with the account that it was found for.
    known: Cache<String, (Arc<Account>, Standing)>,
    /// Who may sign in at which SiteAccess.
    logins: HashMap<String, Login>,
}

/// Whom roles let sign in at one SiteAccess.
#[derive(Default)]
struct Login {
    anonymous: bool,
    everybody: bool,
    users: HashSet<String>,
    groups: HashSet<String>,
}

impl Login {
    fn add(&mut self, role: &Role) {
        self.anonymous |= role.anonymous;
        self.everybody |= role.everybody;
        self.users.extend(role.users.iter().cloned());
        self.groups.extend(role.groups.iter().cloned());
    }

    fn is_for_people(&self) -> bool {
        self.everybody || !self.users.is_empty() || !self.groups.is_empty()
    }

    /// Whether it is for the person with this id and these groups; without one, for a caller who is
    /// not signed in.
    fn is_for(&self, person: Option<(&str, &[String])>) -> bool {
        let Some((id, groups)) = person else { return self.anonymous };
        self.everybody
            || self.users.contains(id)
            || groups.iter().any(|group| self.groups.contains(group))
    }
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
        let mut logins: HashMap<String, Login> = HashMap::new();
        for Versioned { body: role, .. } in &records {
            for site_access in &role.login {
                logins.entry(site_access.clone()).or_default().add(role);
            }
        }
        let named = |Versioned { id, body, .. }: Versioned<Role>| {
            let scopes = RoleScopes { role: id, scopes: body.scope.clone() };
            (body, scopes)
        };
        Self {
            all: records.into_iter().map(named).collect(),
            known: Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).build(),
            logins,
        }
    }
}

impl Roles {
    fn standing(&self, id: &str, account: &Arc<Account>) -> Standing {
        if self.all.is_empty() && account.groups.is_empty() {
            return Standing::default();
        }
        // The same account as it was read once is one value as long as it does not change.
        if let Some((of, standing)) = self.known.get(id)
            && Arc::ptr_eq(&of, account)
        {
            return standing;
        }
        let theirs = self.all.iter().filter(|(role, _)| role.is_for(id, account));
        let standing = Standing {
            groups: account.groups.clone().into(),
            roles: theirs.map(|(_, scopes)| scopes.clone()).collect(),
        };
        self.known.insert(id.to_owned(), (Arc::clone(account), standing.clone()));
        standing
    }

    /// The ids of people whom roles name that `person` does not have, or nobody without one.
    pub(crate) fn named_beyond(&self, person: Option<(&str, &Account)>) -> HashSet<String> {
        let is_theirs = |role: &Role| person.is_some_and(|(id, account)| role.is_for(id, account));
        let others = self.all.iter().map(|(role, _)| role).filter(|role| !is_theirs(role));
        others.flat_map(|role| role.users.iter().cloned()).collect()
    }

    fn let_in(&self, site_access: &str, person: Option<(&str, &[String])>) -> bool {
        let at = [site_access, Role::EVERY_LOGIN];
        at.iter().any(|name| self.logins.get(*name).is_some_and(|login| login.is_for(person)))
    }
}

/// The SiteAccesses at which nobody can sign in.
#[derive(Debug, Default)]
pub struct ClosedSiteAccesses {
    /// Those for which no person has the permission.
    pub to_people: Vec<String>,
    /// Those for which Anonymous has not.
    pub to_anonymous: Vec<String>,
}

impl Issuer {
    /// The groups and roles of the person `id`, without a round trip as long as no role changed.
    ///
    /// # Errors
    /// [`StoreError`] if the roles have to be read and the store fails.
    pub async fn standing(&self, id: &str, account: &Arc<Account>) -> Result<Standing, StoreError> {
        Ok(self.whole(self.roles()).await?.standing(id, account))
    }

    /// The first of `scopes` that the roles of the person `id` do not allow at a guard that requires
    /// roles.
    pub(crate) async fn beyond_roles(
        &self,
        id: &str,
        account: &Arc<Account>,
        scopes: &Scopes,
    ) -> Result<Option<Scope>, StoreError> {
        let standing = self.standing(id, account).await?;
        let limited = self.address().guards.iter().filter(|guard| guard.requires_roles);
        for guard in limited {
            let left = within_roles(scopes, &standing.roles, &guard.aliases);
            if let Some(denied) = left.first_uncovered(scopes) {
                return Ok(Some(denied.clone()));
            }
        }
        Ok(None)
    }

    /// Whether the person with this id and these groups has the permission `user/login` at
    /// `site_access`, without a round trip as long as no role changed; without a person, whether
    /// callers have it who are not signed in. A site without SiteAccesses has no such permission:
    /// everybody may (`docs/contracts/ibexa.md` §7.3).
    ///
    /// # Errors
    /// [`StoreError`] if the roles have to be read and the store fails.
    pub async fn may_sign_in_at(
        &self,
        site_access: &str,
        person: Option<(&str, &[String])>,
    ) -> Result<bool, StoreError> {
        if self.address().site_accesses.is_empty() {
            return Ok(true);
        }
        let may = self.whole(self.roles()).await?.let_in(site_access, person);
        if !may {
            let by = person.map_or_else(Party::default, |(id, _)| Party::user(id));
            let event = Event::of(AuditKind::AccessDenied).by(by).target("SiteAccess", site_access);
            self.audit(event.denied("no role has the permission user/login"));
        }
        Ok(may)
    }

    /// The SiteAccesses of the site at which no role lets anybody sign in: a person needs the
    /// permission, and so does Anonymous, as which everybody begins (`docs/contracts/ibexa.md` §7.3).
    ///
    /// # Errors
    /// [`StoreError`] if the roles have to be read and the store fails.
    pub async fn closed_site_accesses(&self) -> Result<ClosedSiteAccesses, StoreError> {
        let names = &self.address().site_accesses;
        if names.is_empty() {
            return Ok(ClosedSiteAccesses::default());
        }
        let roles = self.whole(self.roles()).await?;
        let closed = |lets_in: fn(&Login) -> bool| {
            let is_open = |name: &&String| {
                let logins = [name.as_str(), Role::EVERY_LOGIN].map(|name| roles.logins.get(name));
                logins.into_iter().flatten().any(lets_in)
            };
            names.iter().filter(|name| !is_open(name)).cloned().collect()
        };
        Ok(ClosedSiteAccesses {
            to_people: closed(Login::is_for_people),
            to_anonymous: closed(|login| login.anonymous),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(login: &[&str], is_for: impl FnOnce(&mut Role)) -> Versioned<Role> {
        let login = login.iter().map(|name| (*name).to_owned()).collect();
        let mut body = Role { login, ..Role::default() };
        is_for(&mut body);
        Versioned { id: "r".to_owned(), version: 1, body }
    }

    #[test]
    fn who_may_sign_in_where() {
        let roles = Roles::of(vec![
            role(&["site", "restapi"], |role| role.anonymous = true),
            role(&["site"], |role| role.everybody = true),
            role(&["restapi"], |role| role.users = vec!["ann".to_owned()]),
            role(&["*"], |role| role.groups = vec!["staff".to_owned()]),
            role(&[], |role| (role.everybody, role.anonymous) = (true, true)),
        ]);
        let staff = ["staff".to_owned()];
        let (ann, bob, carla) =
            (Some(("ann", &[][..])), Some(("bob", &[][..])), Some(("carla", &staff[..])));
        for (site_access, person, expected) in [
            ("site", None, true),
            ("restapi", None, true),
            ("admin", None, false),
            ("site", bob, true),
            ("restapi", ann, true),
            ("restapi", bob, false),
            ("admin", ann, false),
            ("admin", carla, true),
            ("unknown", bob, false),
            ("*", bob, false),
        ] {
            assert_eq!(roles.let_in(site_access, person), expected, "{site_access} {person:?}");
        }
        assert!(!Roles::of(Vec::new()).let_in("site", bob));
    }
}
