//! Changes of who is in a group. Each is a compare-and-set of one account ([`crate::resources::members`]).
//! Everything is looked at before anything is written, so that a change that is refused has changed
//! nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    ScimCaller,
    error::ScimError,
    filter::{Filter, Operand, Operator},
    patch::{Change, Operation as Op},
    schema::{Attribute, GROUP},
    value,
};
use crate::{
    Issuer,
    management::accounts::AccountError,
    managers::Operation,
    records::{
        Account, Group,
        repository::{Versioned, read},
    },
    resources::members::too_many_names,
    store::{Key, Kind},
};

/// Members of a group that are shown at most.
pub(super) const MOST_SHOWN: usize = 1_000;
/// People who join or leave in one request at most.
const MOST_CHANGED: usize = 1_000;
/// Accounts that are read at a time.
const STEP: usize = 100;

/// Who joins and who leaves.
#[derive(Debug, Default)]
pub(super) struct Changes {
    joining: BTreeSet<String>,
    leaving: BTreeSet<String>,
    /// All others leave.
    replaces: bool,
}

impl Changes {
    /// These are the members from now on.
    pub(super) fn replace(members: &Value) -> Result<Self, ScimError> {
        Ok(Self { joining: ids(members)?, leaving: BTreeSet::new(), replaces: true })
    }

    /// These join.
    pub(super) fn join(members: &Value) -> Result<Self, ScimError> {
        Ok(Self { joining: ids(members)?, ..Self::default() })
    }

    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        !self.replaces && self.joining.is_empty() && self.leaving.is_empty()
    }

    /// Takes in what `change` says about members.
    pub(super) fn take(&mut self, change: &Change) -> Result<(), ScimError> {
        let told = match &change.path.filter {
            Some(filter) => named_by(filter)?,
            None if change.value.is_null() => BTreeSet::new(),
            None => ids(&value::value(attribute(), &change.value)?)?,
        };
        let is_part = change.path.filter.is_some() || change.path.sub.is_some();
        match change.operation {
            _ if change.path.sub.is_some() => {
                return Err(ScimError::mutability(
                    "members: a member is added or removed as a whole",
                ));
            }
            Op::Remove if !is_part && change.value.is_null() => {
                *self = Self { replaces: true, ..Self::default() };
            }
            Op::Remove => {
                for id in told {
                    self.joining.remove(&id);
                    self.leaving.insert(id);
                }
            }
            _ if is_part => {
                return Err(ScimError::path("members: are added by value, without a filter"));
            }
            Op::Add => {
                for id in told {
                    self.leaving.remove(&id);
                    self.joining.insert(id);
                }
            }
            Op::Replace => {
                *self = Self { joining: told, leaving: BTreeSet::new(), replaces: true };
            }
        }
        Ok(())
    }
}

/// The attribute `members`.
fn attribute() -> &'static Attribute {
    let found = GROUP.attributes.iter().find(|one| one.name == "members");
    // The table is next door; a test reads members.
    found.unwrap_or(&GROUP.attributes[0])
}

/// The ids of the people in `members`, which were read.
fn ids(members: &Value) -> Result<BTreeSet<String>, ScimError> {
    let members = members.as_array().map(Vec::as_slice).unwrap_or_default();
    members
        .iter()
        .map(|member| {
            let kind = member.get("type").and_then(Value::as_str).unwrap_or("User");
            if !kind.eq_ignore_ascii_case("User") {
                return Err(ScimError::value("members: groups cannot be members of groups"));
            }
            let id = member.get("value").and_then(Value::as_str);
            id.map(ToOwned::to_owned)
                .ok_or_else(|| ScimError::value("members: each needs the id of a user as value"))
        })
        .collect()
}

/// The ids in a filter such as `members[value eq "a" or value eq "b"]`.
fn named_by(filter: &Filter) -> Result<BTreeSet<String>, ScimError> {
    match filter {
        Filter::Or(one, other) => {
            let mut all = named_by(one)?;
            all.extend(named_by(other)?);
            Ok(all)
        }
        Filter::Compare(named, Operator::Eq, Operand::Text(id))
            if named.attribute.is_some_and(|one| one.name == "value") =>
        {
            Ok([id.clone()].into())
        }
        _ => Err(ScimError::filter("members: are named by value eq, and or between these")),
    }
}

/// `account` as it is when it is in `group` no more.
fn without(group: &str, account: &Account) -> Account {
    let mut left = account.clone();
    left.groups.retain(|one| one != group);
    left
}

/// An account that joins a group or leaves it.
#[derive(Clone, Copy)]
struct Regrouping<'a> {
    id: &'a str,
    group: &'a str,
    before: &'a Account,
    after: &'a Account,
}

impl Issuer {
    /// Completes and checks `changes` of the members of `group`; nothing is written.
    pub(super) async fn scim_check_members(
        &self,
        caller: &ScimCaller<'_>,
        group: &str,
        changes: &mut Changes,
    ) -> Result<(), ScimError> {
        if !changes.is_empty() {
            caller.may_regroup_unseen(group)?;
        }
        if changes.replaces {
            self.scim_needs_index().await?;
            let present = self.members(group, None, MOST_SHOWN + 1).await?;
            if present.len() > MOST_SHOWN {
                return Err(ScimError::too_many(format!(
                    "members: there are more than {MOST_SHOWN}; add and remove some by PATCH"
                )));
            }
            for member in present {
                if !changes.joining.remove(&member.id) {
                    changes.leaving.insert(member.id);
                }
            }
            changes.replaces = false;
        }
        if changes.joining.len() + changes.leaving.len() > MOST_CHANGED {
            return Err(ScimError::too_many(format!(
                "members: at most {MOST_CHANGED} can join and leave in one request"
            )));
        }
        for (all, joins) in [(&changes.joining, true), (&changes.leaving, false)] {
            let all: Vec<&String> = all.iter().collect();
            for some in all.chunks(STEP) {
                self.scim_check_some(caller, group, joins, some).await?;
            }
        }
        Ok(())
    }

    /// Whether `caller` may take everybody out of `group`.
    pub(super) async fn scim_may_empty(
        &self,
        caller: &ScimCaller<'_>,
        group: &str,
    ) -> Result<(), ScimError> {
        caller.may_regroup_unseen(group)?;
        let mut after = None::<String>;
        while !caller.actor.is_administrator() {
            let step = self.members(group, after.as_deref(), STEP).await?;
            let Some(last) = step.last() else { break };
            after = Some(last.id.clone());
            for member in &step {
                let left = without(group, &member.body);
                let change =
                    Regrouping { id: &member.id, group, before: &member.body, after: &left };
                self.scim_may_regroup(caller, change)?;
            }
        }
        Ok(())
    }

    async fn scim_check_some(
        &self,
        caller: &ScimCaller<'_>,
        group: &str,
        joins: bool,
        ids: &[&String],
    ) -> Result<(), ScimError> {
        let key = |id: &&String| self.repository().key(Kind::Account, id);
        let keys: Vec<Key> = ids.iter().map(key).collect();
        let found = self.repository().store().get_many(&keys, self.now()).await?;
        for (id, record) in ids.iter().zip(found) {
            let Some(record) = record else {
                // Who is not there is in no group.
                if joins {
                    let error = ScimError::new(404, "");
                    return Err(match caller.hide(None, error).status {
                        403 => ScimError::forbidden(),
                        _ => ScimError::value(format!("members: there is no user {id:?}")),
                    });
                }
                continue;
            };
            let before: Versioned<Account> = read(record)?;
            let mut after = without(group, &before.body);
            if joins {
                after.groups.push(group.to_owned());
            }
            let change = Regrouping { id, group, before: &before.body, after: &after };
            self.scim_may_regroup(caller, change)?;
        }
        Ok(())
    }

    /// Whether `caller` may do that.
    fn scim_may_regroup(
        &self,
        caller: &ScimCaller<'_>,
        Regrouping { id, group, before, after }: Regrouping<'_>,
    ) -> Result<(), ScimError> {
        let denied = |error: AccountError| match error {
            AccountError::Denied(_) if caller.allow(Operation::Read, None, &[]).is_err() => {
                ScimError::forbidden()
            }
            AccountError::Denied(None) => ScimError::new(
                403,
                format!("Access denied: members: you cannot change the groups of {id:?}"),
            ),
            AccountError::Denied(_) if group == Group::ADMINISTRATORS => ScimError::new(
                403,
                "Access denied: members: administrators alone put people into administrators",
            ),
            AccountError::Denied(_) => ScimError::new(
                403,
                format!(
                    "Access denied: members: you cannot change who is in {group:?}; its id has to be in \
                     management.scim.assignable_groups, or you in the group"
                ),
            ),
            other => other.into(),
        };
        caller.actor.may_touch(id, before).map_err(denied)?;
        caller.actor.may_write(id, Some(before), after).map_err(denied)?;
        match too_many_names(self, after).filter(|_| after.groups.len() > before.groups.len()) {
            Some(_) => Err(ScimError::value(format!(
                "members: {id:?} is in as many groups as the data source can keep of an account"
            ))),
            None => Ok(()),
        }
    }

    /// Makes `changes`, which were checked, of the members of `group`. A group that was deleted
    /// meanwhile has none.
    pub(super) async fn scim_change_members(
        &self,
        caller: &ScimCaller<'_>,
        group: &str,
        changes: &Changes,
    ) -> Result<(), ScimError> {
        let check = |id: &str| {
            let id = id.to_owned();
            move |before: &Account, after: &Account| {
                self.scim_may_regroup(caller, Regrouping { id: &id, group, before, after })
            }
        };
        for id in &changes.leaving {
            self.regroup(id, group, false, check(id)).await?;
        }
        for id in &changes.joining {
            self.regroup(id, group, true, check(id)).await?;
        }
        if changes.joining.is_empty() {
            return Ok(());
        }
        // Whoever deletes it takes out those who were in it before, or is seen here.
        if self.repository().get::<Group>(group, self.now()).await?.is_none() {
            for id in &changes.joining {
                self.regroup::<ScimError>(id, group, false, |_, _| Ok(())).await?;
            }
            return Err(ScimError::not_found());
        }
        Ok(())
    }
}
