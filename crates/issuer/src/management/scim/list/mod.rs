//! Lists of users and of groups (RFC 7644 §3.4.2). What has an index is found by it; everything else is
//! looked at one by one, up to a bound, beyond which the query is refused: an answer is right, or it is
//! none.

mod page;
mod walk;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    ScimAnswer, ScimCaller, ScimRequest,
    caller::rule_path,
    error::ScimError,
    filter::{Filter, Operand, Operator},
    groups, members,
    query::Query,
    schema::{GROUP, Type, USER},
    users,
};
use crate::{
    Issuer,
    managers::{Allowed, Operation},
    records::{
        Account, Group,
        repository::{Stored, Versioned},
    },
};

use page::Page;

/// Groups on a page that are shown with their members at most: each of them is a request to the data
/// source.
const MOST_WITH_MEMBERS: usize = 20;

/// What lists are made of.
trait Listable: Stored + Clone + Send + Sync {
    /// As it is shown, without what stands in other records.
    fn shown(base: &str, stored: &Versioned<Self>) -> Value;
}

impl Listable for Account {
    fn shown(base: &str, stored: &Versioned<Self>) -> Value {
        users::shown(base, stored)
    }
}

impl Listable for Group {
    fn shown(base: &str, stored: &Versioned<Self>) -> Value {
        groups::shown(base, stored, None)
    }
}

/// A list as it is answered.
pub(super) fn list_response(total: Option<u64>, start: usize, resources: Vec<Value>) -> Value {
    let mut body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]});
    if let Some(total) = total {
        body["totalResults"] = json!(total);
    }
    body["startIndex"] = json!(start);
    body["itemsPerPage"] = json!(resources.len());
    body["Resources"] = Value::Array(resources);
    body
}

/// Which groups the accounts are in whose ids a filter compares members with: who is in a group does
/// not stand in its record.
#[derive(Debug, Default)]
struct Memberships(BTreeMap<String, Vec<String>>);

impl Memberships {
    /// `group` with those members that a filter asks for.
    fn add_to(&self, group: &mut Value) {
        let Some(id) = group["id"].as_str() else { return };
        let is_in = |(_, groups): &(&String, &Vec<String>)| groups.iter().any(|one| one == id);
        let members: Vec<Value> =
            self.0.iter().filter(is_in).map(|(member, _)| json!({"value": member})).collect();
        if !members.is_empty() {
            group["members"] = Value::Array(members);
        }
    }
}

impl Issuer {
    pub(super) async fn scim_list_users(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        let allowed = caller.allow(Operation::Read, None, &[])?;
        let query = Query::read(&USER, request, false)?;
        check_readable(&query, &allowed)?;
        let page = self.scim_page::<Account>(&query, &Memberships::default()).await?;
        let base = self.scim_base();
        let of = |stored: &Versioned<Account>| {
            query.selection.of(&USER, &allowed, users::shown(&base, stored))
        };
        let resources = page.found.iter().map(of).collect();
        Ok(ScimAnswer::ok(page.answer(&query, resources)))
    }

    pub(super) async fn scim_list_groups(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        let allowed = caller.allow(Operation::Read, None, &[])?;
        let mut query = Query::read(&GROUP, request, false)?;
        check_readable(&query, &allowed)?;
        let (page, resources) = self.scim_groups_page(&mut query, &allowed).await?;
        Ok(ScimAnswer::ok(page.answer(&query, resources)))
    }

    async fn scim_groups_page(
        &self,
        query: &mut Query,
        allowed: &Allowed<'_>,
    ) -> Result<(Page<Group>, Vec<Value>), ScimError> {
        let with_members = query.selection.wants("members") && allowed.may_read("groups");
        if with_members {
            query.count = query.count.min(MOST_WITH_MEMBERS);
        }
        let memberships = self.scim_memberships(query.filter.as_ref()).await?;
        let page = self.scim_page::<Group>(query, &memberships).await?;
        let base = self.scim_base();
        let mut resources = Vec::new();
        for stored in &page.found {
            let members =
                if with_members { Some(self.scim_members(&stored.id).await?) } else { None };
            let group = groups::shown(&base, stored, members.as_deref());
            resources.push(query.selection.of(&GROUP, allowed, group));
        }
        Ok((page, resources))
    }

    /// Users and then groups, as one list.
    pub(super) async fn scim_list_all(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        let allowed = caller.allow(Operation::Read, None, &[])?;
        Query::check_plain(request)?;
        let users = Query::read(&USER, request, true)?;
        let base = self.scim_base();
        let people = self.scim_page::<Account>(&users, &Memberships::default()).await?;
        let of = |stored: &Versioned<Account>| {
            users.selection.of(&USER, &allowed, users::shown(&base, stored))
        };
        let mut resources: Vec<Value> = people.found.iter().map(of).collect();
        let before = usize::try_from(people.total.unwrap_or_default()).unwrap_or(usize::MAX);
        let mut groups = Query::read(&GROUP, request, true)?;
        groups.skip = users.skip.saturating_sub(before);
        groups.count = users.count - resources.len();
        let (page, shown) = self.scim_groups_page(&mut groups, &allowed).await?;
        resources.extend(shown);
        let total = people.total.zip(page.total).map(|(one, other)| one + other);
        Ok(ScimAnswer::ok(list_response(total, users.skip + 1, resources)))
    }

    /// The groups of the accounts with which `filter` compares members.
    async fn scim_memberships(&self, filter: Option<&Filter>) -> Result<Memberships, ScimError> {
        let mut named = Vec::new();
        let mut problem = None;
        if let Some(filter) = filter {
            filter.each(&mut |attribute, compared| {
                let is_members = attribute.attribute.is_some_and(|one| one.name == "members");
                if !is_members {
                    return;
                }
                let is_value = attribute.sub.is_none_or(|sub| sub.name == "value");
                match compared {
                    Some((Operator::Eq | Operator::Ne, Operand::Text(id))) if is_value => {
                        named.push(id.clone());
                    }
                    _ => problem = Some("members: are compared by eq and ne with ids"),
                }
            });
        }
        if let Some(problem) = problem {
            return Err(ScimError::filter(problem));
        }
        let mut memberships = Memberships::default();
        for id in named {
            let account = self.stored_account(&id).await?;
            let groups = account.map(|stored| stored.body.groups).unwrap_or_default();
            memberships.0.insert(id, groups);
        }
        Ok(memberships)
    }

    /// The members of a group as they are shown: the first ones of many.
    pub(super) async fn scim_members(&self, group: &str) -> Result<Vec<String>, ScimError> {
        self.scim_needs_index().await?;
        let found = self.members(group, None, members::MOST_SHOWN).await?;
        Ok(found.into_iter().map(|member| member.id).collect())
    }

    /// Refuses until the index has what older versions wrote.
    pub(super) async fn scim_needs_index(&self) -> Result<(), ScimError> {
        if self.members_are_indexed().await? {
            return Ok(());
        }
        let text = "The members of groups are being indexed; try again in a moment";
        Err(ScimError { retry_after: Some(5), ..ScimError::new(503, text) })
    }
}

/// Refuses a query that finds or sorts by what the caller may not read.
fn check_readable(query: &Query, allowed: &Allowed<'_>) -> Result<(), ScimError> {
    let may_read = |kind: &Type, named: &super::schema::Named| {
        let is_public = named.attribute.is_some_and(|one| matches!(one.name, "id" | "schemas"));
        is_public || allowed.may_read(&rule_path(kind, named))
    };
    let mut is_hidden = query.sort.as_ref().is_some_and(|(named, _)| !may_read(query.kind, named));
    if let Some(filter) = &query.filter {
        filter.each(&mut |named, _| is_hidden |= !may_read(query.kind, named));
    }
    if is_hidden { Err(ScimError::forbidden()) } else { Ok(()) }
}
