//! `Role` documents: what people may do (`docs/resources.md`).

use castellan_proto::{
    is_identifier,
    scope::{Scope, Scopes},
};
use crc::{CRC_32_ISO_HDLC, Crc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Facts, Problem, ReadDocument, Resource,
    version::{fresh_incarnation, incarnation},
};
use crate::{Issuer, records::Role, store::Kind};

/// A role.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleDocument {
    /// What to call it. Default: its id.
    #[serde(default)]
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// What it allows: patterns `Operation:Type:Action`, and named scopes of guards. Required unless
    /// there is `login`.
    #[serde(default)]
    scope: Vec<String>,
    /// People in any of these groups have it.
    #[serde(default)]
    groups: Vec<String>,
    /// People who have it: ids, `{resourceType: User, id: …}` or `{reference: User/…}`.
    #[serde(default)]
    users: Vec<Value>,
    /// Everybody at the site has it.
    #[serde(default)]
    everybody: bool,
    /// Callers who are not signed in have it; of what it allows, `login` is for them.
    #[serde(default)]
    anonymous: bool,
    /// The SiteAccesses at which it lets people sign in: their names, or their CRC32 sums as decimal
    /// numbers, or `*` for all of them (`docs/contracts/ibexa.md` §7.3).
    #[serde(default)]
    login: Vec<String>,
}

/// The sum by which Ibexa names SiteAccesses in policies.
const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// Roles of one site at most: all of them are held in memory.
const MOST_ROLES: u64 = 1_000;
/// Scopes, groups or people of one role at most.
const MOST: usize = 256;
/// Characters of a name or a description at most.
const MOST_TEXT: usize = 1_024;

impl Resource for RoleDocument {
    type Record = Role;

    const NAME: &'static str = "Role";
    const SCOPE_MEMBER: Option<&'static str> = Some("scope");

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, role: &Role) -> Value {
        let mut shown = json!({"resourceType": "Role", "id": id});
        if !role.name.is_empty() {
            shown["name"] = json!(role.name);
        }
        if !role.description.is_empty() {
            shown["description"] = json!(role.description);
        }
        if role.login.is_empty() || !role.scope.is_empty() {
            shown["scope"] = json!(role.scope);
        }
        if !role.groups.is_empty() {
            shown["groups"] = json!(role.groups);
        }
        if !role.users.is_empty() {
            let users = role.users.iter().map(|id| json!({"resourceType": "User", "id": id}));
            shown["users"] = users.collect();
        }
        if role.everybody {
            shown["everybody"] = json!(true);
        }
        if role.anonymous {
            shown["anonymous"] = json!(true);
        }
        if !role.login.is_empty() {
            shown["login"] = json!(role.login);
        }
        shown
    }

    fn incarnation(_: &str, role: &Role) -> String {
        incarnation(role.incarnation, role.created)
    }

    fn facts(id: &str, role: &Role) -> Facts {
        let name = if role.name.is_empty() { id } else { &role.name };
        Facts { name: name.to_lowercase(), created: role.created, modified: role.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Role>,
    ) -> Result<ReadDocument<Role>, Problem> {
        let (scope, users) = (self.scope()?, self.users()?);
        let login = logins(&self.login, &issuer.address().site_accesses)?;
        self.check()?;
        let now = issuer.now();
        if before.is_none() {
            let repository = issuer.repository();
            let there = repository.store().count(repository.site(), Kind::Role, now).await?;
            if there >= MOST_ROLES {
                let text = format!("a site has at most {MOST_ROLES} roles");
                return Err(Problem::Text(text));
            }
        }
        let role = Role {
            name: self.name,
            description: self.description,
            scope,
            groups: distinct(self.groups),
            users,
            everybody: self.everybody,
            anonymous: self.anonymous,
            login,
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
            created: before.map_or(now, |before| before.created),
            modified: now,
        };
        Ok(ReadDocument::without_secret(role))
    }
}

impl RoleDocument {
    fn check(&self) -> Result<(), Problem> {
        let wrong = |text: String| Err(Problem::Text(text));
        for (name, text) in [("name", &self.name), ("description", &self.description)] {
            if text.chars().count() > MOST_TEXT || text.chars().any(char::is_control) {
                return wrong(format!(
                    "{name} must have at most {MOST_TEXT} characters and no control characters"
                ));
            }
        }
        if self.groups.len() > MOST || self.users.len() > MOST {
            return wrong(format!("groups and users must have at most {MOST} entries each"));
        }
        let is_name = |group: &String| {
            !group.trim().is_empty() && group.len() <= 256 && !group.chars().any(char::is_control)
        };
        if let Some(group) = self.groups.iter().find(|group| !is_name(group)) {
            return wrong(format!("groups: {group:?} is not the name of a group"));
        }
        let is_for_people = !self.groups.is_empty() || !self.users.is_empty() || self.everybody;
        if !is_for_people && !self.anonymous {
            let text =
                "this role is for nobody: set groups, users, everybody: true, or anonymous: true";
            return wrong(text.to_owned());
        }
        if self.anonymous && self.login.is_empty() {
            let text = "anonymous: true has no effect without login, which is all that a role \
                        allows to callers who are not signed in";
            return wrong(text.to_owned());
        }
        if !is_for_people && !self.scope.is_empty() {
            let text = "scope has no effect for callers who are not signed in: what they may use \
                        is `public` of a guard; remove it, or name people";
            return wrong(text.to_owned());
        }
        Ok(())
    }

    fn scope(&self) -> Result<Scopes, Problem> {
        if self.scope.is_empty() && self.login.is_empty() {
            let text = "scope is empty: this role would allow nothing";
            return Err(Problem::Text(text.to_owned()));
        }
        if self.scope.len() > MOST {
            return Err(Problem::Text(format!("scope must have at most {MOST} entries")));
        }
        let read = |text: &String| {
            let scope = Scope::try_from(text.clone()).map_err(|why| format!("scope: {why}"))?;
            match &scope {
                // An administrator is who is in the group; a second way in would be overlooked.
                Scope::Pattern(pattern) if pattern.reaches_own_rights() => Err(format!(
                    "scope: {text:?}: no role makes anybody an administrator of Castellan; add the \
                     person to the group \"administrators\" instead"
                )),
                _ => Ok(scope),
            }
        };
        Ok(self.scope.iter().map(read).collect::<Result<Scopes, String>>()?)
    }

    fn users(&self) -> Result<Vec<String>, Problem> {
        let read = |user: &Value| match user_id(user) {
            Some(id) if is_identifier(id) => Ok(id.to_owned()),
            _ => Err(format!(
                "users: {user} is neither the id of a person, nor {{resourceType: User, id: ID}}, \
                 nor {{reference: User/ID}}"
            )),
        };
        Ok(distinct(self.users.iter().map(read).collect::<Result<_, String>>()?))
    }
}

/// The names of the SiteAccesses in `login`, each of which is one of `known`.
fn logins(login: &[String], known: &[String]) -> Result<Vec<String>, Problem> {
    let wrong = |text: String| Err(Problem::Text(text));
    if login.is_empty() {
        return Ok(Vec::new());
    }
    if known.is_empty() {
        let text = "login has no effect at this site: it has no [[site_access]], so that everybody \
                    may sign in";
        return wrong(text.to_owned());
    }
    let mut names = Vec::with_capacity(login.len());
    for text in login {
        if text == Role::EVERY_LOGIN {
            if login.len() > 1 {
                return wrong(
                    "login: \"*\" stands for every SiteAccess; remove the others".to_owned(),
                );
            }
        } else if !known.contains(text) {
            // Ibexa writes its limitation values like this.
            let fits = |name: &&String| CRC32.checksum(name.as_bytes()).to_string() == *text;
            match &*known.iter().filter(fits).collect::<Vec<_>>() {
                [name] => names.push((*name).clone()),
                [] => {
                    return wrong(format!(
                        "login: {text:?} is no SiteAccess of this site; there are {}",
                        known.join(", ")
                    ));
                }
                several => {
                    let names: Vec<_> = several.iter().map(|name| &***name).collect();
                    return wrong(format!(
                        "login: {text:?} is the CRC32 sum of several SiteAccesses ({}); write their \
                         names",
                        names.join(", ")
                    ));
                }
            }
            continue;
        }
        names.push(text.clone());
    }
    Ok(distinct(names))
}

/// The id of the person whom `user` names, in one of the forms of a reference
/// (`docs/contracts/aidbox.md` §1.2).
fn user_id(user: &Value) -> Option<&str> {
    let members = match user {
        Value::String(id) => return Some(id),
        Value::Object(members) => members,
        _ => return None,
    };
    match members.get("reference") {
        Some(reference) if members.len() == 1 => reference.as_str()?.strip_prefix("User/"),
        None if members.len() == 2 && members.get("resourceType")? == "User" => {
            members.get("id")?.as_str()
        }
        _ => None,
    }
}

/// Each once, in the order in which they were written.
fn distinct(texts: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        if !out.contains(&text) {
            out.push(text);
        }
    }
    out
}
