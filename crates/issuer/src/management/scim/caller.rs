//! Who calls, and what they may do.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Map, Value};

use super::{
    error::ScimError,
    patch::Change,
    schema::{ENTERPRISE, GROUP, Named, Type, USER},
};
use crate::{
    Issuer,
    management::accounts::Actor,
    managers::{Allowed, Operation, Permissions, Question},
    store::StoreError,
    tokens::verified::Live,
};

/// Who calls, and what they may do.
#[derive(Debug)]
pub struct ScimCaller<'a> {
    permissions: &'a Permissions,
    pub(super) actor: Actor,
    /// Whether user names can be changed.
    pub(super) renames: bool,
    /// How long an answer may take that can be given earlier.
    pub(super) patience: Duration,
}

impl Issuer {
    /// The caller `live`, whom the managers of the API allow `permissions`. They count as being in the
    /// groups `acts_for`, which the configuration lets them put people into.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn scim_caller<'a>(
        &self,
        live: &Live,
        permissions: &'a Permissions,
        acts_for: &[String],
        renames: bool,
    ) -> Result<ScimCaller<'a>, StoreError> {
        let actor = self.actor(live).await?.acting_for(acts_for);
        Ok(ScimCaller { permissions, actor, renames, patience: Duration::MAX })
    }
}

#[cfg(test)]
impl<'a> ScimCaller<'a> {
    /// An administrator, with `permissions`.
    pub(super) fn administrator(permissions: &'a Permissions) -> Self {
        Self { permissions, actor: Actor::operator(), renames: true, patience: Duration::MAX }
    }
}

impl ScimCaller<'_> {
    /// The same, who waits for an answer no longer than `patience`: what is not done by then of many
    /// operations is told to be not done.
    #[must_use]
    pub fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How `need` is allowed: of what belongs to the account `owner`, if it touches that alone, and
    /// writing the attributes `written`.
    pub(super) fn allow(
        &self,
        need: Operation,
        owner: Option<&str>,
        written: &[String],
    ) -> Result<Allowed<'_>, ScimError> {
        let question = Question { field: "scim", needs: &[need], owner, written };
        self.permissions.decide(&question).ok_or_else(ScimError::forbidden)
    }

    /// Whether `need` is allowed at all, whatever it writes.
    pub(super) fn begin(&self, need: Operation, owner: Option<&str>) -> Result<(), ScimError> {
        if self.permissions.may(need, owner) { Ok(()) } else { Err(ScimError::forbidden()) }
    }

    /// Refuses to change who is in `group`, whoever that is, if the caller may neither put people into
    /// it nor see who is in it: a refusal that depends on who is would tell.
    pub(super) fn may_regroup_unseen(&self, group: &str) -> Result<(), ScimError> {
        let allowed = self.allow(Operation::Read, None, &[]);
        let is_seen = allowed.is_ok_and(|allowed| allowed.may_read("groups"));
        if is_seen || self.actor.may_regroup(&group.to_owned()) {
            return Ok(());
        }
        Err(ScimError::new(403, "Access denied: members"))
    }

    /// Refuses `changes` of the user `id` that choose values by what the caller may not read: whether
    /// there are such values would be told by what becomes of the change.
    pub(super) fn may_choose(&self, id: &str, changes: &[Change]) -> Result<(), ScimError> {
        let allowed = self.allow(Operation::Read, Some(id), &[]);
        let mut is_hidden = false;
        for change in changes {
            change.each_chosen(&mut |named| {
                let path = rule_path(&USER, named);
                is_hidden |= !allowed.as_ref().is_ok_and(|allowed| allowed.may_read(&path));
            });
        }
        if is_hidden { Err(ScimError::forbidden()) } else { Ok(()) }
    }

    /// Whether the caller may read something of the member `name` of the user `id`.
    pub(super) fn sees_some(&self, id: &str, name: &str) -> bool {
        let allowed = self.allow(Operation::Read, Some(id), &[]);
        allowed.is_ok_and(|allowed| paths_of(name).iter().any(|path| allowed.may_read(path)))
    }

    /// Whether they may read all of it.
    pub(super) fn sees_all(&self, id: &str, name: &str) -> bool {
        let allowed = self.allow(Operation::Read, Some(id), &[]);
        allowed.is_ok_and(|allowed| paths_of(name).iter().all(|path| allowed.may_read(path)))
    }

    /// `error`, unless it would tell somebody who may not read what there is.
    pub(super) fn hide(&self, owner: Option<&str>, error: ScimError) -> ScimError {
        let tells = error.status == 404 || error.status == 412;
        if tells && self.allow(Operation::Read, owner, &[]).is_err() {
            return ScimError::forbidden();
        }
        error
    }
}

/// What rules call `named` of resources of `kind` (`docs/scim.md`).
pub(super) fn rule_path(kind: &Type, named: &Named) -> String {
    match (kind.name, named.attribute) {
        // A membership is an attribute of the account.
        ("Group", Some(attribute)) if attribute.name == "members" => "groups".to_owned(),
        ("Group", _) => format!("group.{}", named.path()),
        _ => named.path(),
    }
}

/// What rules call the member `name` of users and everything below it, or a part of it.
fn paths_of(name: &str) -> Vec<String> {
    if name.starts_with("name.") {
        return vec![name.to_owned()];
    }
    let extension = USER.extension.filter(|(urn, ..)| *urn == name);
    let (urn, attributes) = match extension {
        Some((urn, _, attributes)) => (Some(urn), attributes),
        None => (None, USER.attributes),
    };
    let mut paths = Vec::new();
    if urn.is_some() {
        paths.push(rule_path(&USER, &Named { extension: urn, attribute: None, sub: None }));
    }
    for attribute in attributes.iter().filter(|one| urn.is_some() || one.name == name) {
        let named = Named { extension: urn, attribute: Some(attribute), sub: None };
        paths.push(rule_path(&USER, &named));
        let below = attribute.sub.iter().map(|sub| Named { sub: Some(sub), ..named });
        paths.extend(below.map(|named| rule_path(&USER, &named)));
    }
    paths
}

/// Every path that rules may have for SCIM, those of groups and of what is above others among them.
#[must_use]
pub fn rule_paths() -> BTreeSet<String> {
    let mut paths = BTreeSet::from(["group".to_owned()]);
    for kind in [&USER, &GROUP] {
        let own = [(None, kind.attributes)];
        let extension = kind.extension.map(|(urn, _, attributes)| (Some(urn), attributes));
        for (extension, attributes) in own.into_iter().chain(extension) {
            if extension.is_some() {
                paths.insert(rule_path(kind, &Named { extension, attribute: None, sub: None }));
            }
            for one in attributes {
                let attribute = Some(one);
                paths.insert(rule_path(kind, &Named { extension, attribute, sub: None }));
                paths.extend(
                    one.sub.iter().map(|sub| {
                        rule_path(kind, &Named { extension, attribute, sub: Some(sub) })
                    }),
                );
            }
        }
    }
    paths
}

/// The attributes that `fields` of an account write, by their paths.
pub(super) fn written(fields: &Map<String, Value>) -> Vec<String> {
    let mut paths = Vec::new();
    for (name, value) in fields {
        let parts = match value {
            Value::Object(parts) => parts.keys().collect::<Vec<_>>(),
            Value::Array(values) => {
                values.iter().filter_map(Value::as_object).flat_map(Map::keys).collect()
            }
            _ => Vec::new(),
        };
        let is_plain = parts.is_empty() || name == ENTERPRISE && value.is_null();
        if is_plain {
            paths.push(name.clone());
        }
        for part in parts {
            let path = format!("{name}.{part}");
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}
