//! Groups (RFC 7643 §4.2). What a group is called stands in its record, and who is in it in the
//! accounts.

use castellan_proto::{Digest, is_identifier, random};
use serde_json::{Map, Value, json};

use super::{
    ScimAnswer, ScimCaller, ScimRequest, error::ScimError, members::Changes, patch, query::Query,
    schema::GROUP, selection::Selection, users::location, value,
};
use crate::{
    Issuer,
    audit::{AuditKind, Event},
    managers::Operation,
    records::{
        Group,
        repository::{Versioned, Written},
    },
    resources::{
        GroupDocument, Precondition, Resource as _, ResourceKind, WriteOptions, fresh_incarnation,
        group::check_texts, version_of,
    },
    store::Kind,
};

/// Times that an id is looked for, or a change is tried while others are faster.
const TRIES: usize = 16;
/// Characters of an id that is made of a name at most.
const LONGEST_ID: usize = 64;

/// The version of a group: that of its record, and of its members, if they are shown.
fn version(stored: &Versioned<Group>, members: Option<&[String]>) -> String {
    let record = version_of::<GroupDocument>(&stored.id, stored.version, &stored.body).id();
    match members {
        None => record,
        Some(members) => {
            let digest = Digest::of(members.join("\n").as_bytes()).text();
            format!("{record}.{}", &digest[..16])
        }
    }
}

/// A group at an API at `base`, with its `members`, if they are known.
pub(super) fn shown(base: &str, stored: &Versioned<Group>, members: Option<&[String]>) -> Value {
    let (id, group) = (&stored.id, &stored.body);
    let mut shown = json!({
        "schemas": [GROUP.schema],
        "id": id,
        "displayName": group.shown_name(id),
    });
    if let Some(external) = &group.external_id {
        shown["externalId"] = json!(external);
    }
    if let Some(members) = members.filter(|members| !members.is_empty()) {
        let member =
            |id: &String| json!({"value": id, "$ref": location(base, "Users", id), "type": "User"});
        shown["members"] = members.iter().map(member).collect();
    }
    shown["meta"] = json!({
        "resourceType": "Group",
        "created": group.created.rfc3339(),
        "lastModified": group.modified.max(group.created).rfc3339(),
        "location": location(base, "Groups", id),
        "version": format!("W/\"{}\"", version(stored, members)),
    });
    shown
}

/// The paths of what is written of a group, as rules call them.
fn written(told: &Map<String, Value>, members: bool) -> Vec<String> {
    let names = ["displayName", "externalId"].into_iter().filter(|name| told.contains_key(*name));
    let mut paths: Vec<String> = names.map(|name| format!("group.{name}")).collect();
    if members {
        paths.push("groups".to_owned());
    }
    paths
}

fn text(told: &Map<String, Value>, name: &str) -> Option<String> {
    told.get(name).and_then(Value::as_str).map(ToOwned::to_owned)
}

/// The id that a group with the name `name` gets: the name, if it can be an id, and otherwise what is
/// left of it.
fn id_for(name: &str) -> String {
    if is_identifier(name) {
        return name.to_owned();
    }
    let mut id = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' | '.' | '_' | '@' | '+' | '~' => id.push(c),
            _ if id.ends_with('-') || id.is_empty() => {}
            _ => id.push('-'),
        }
    }
    id.truncate(LONGEST_ID);
    let id = id.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let id = id.trim_end_matches(['-', '.']);
    if id.is_empty() { "group".to_owned() } else { id.to_owned() }
}

impl Issuer {
    pub(super) async fn scim_create_group(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        caller.begin(Operation::Create, None)?;
        let selection = Query::selection_of(&GROUP, request)?;
        let mut told = value::resource(&GROUP, &request.body)?;
        let members = told.shift_remove("members").unwrap_or(Value::Null);
        let mut changes = Changes::join(&members)?;
        let has_members = !members.is_null();
        caller.allow(Operation::Create, None, &written(&told, has_members))?;
        let name = text(&told, "displayName")
            .ok_or_else(|| ScimError::value("displayName: is required"))?;
        let now = self.now();
        let group = Group {
            display_name: Some(name),
            external_id: text(&told, "externalId"),
            created: now,
            modified: now,
            incarnation: fresh_incarnation(),
        };
        check_texts(&group).map_err(ScimError::value)?;
        // Under the name that it will most likely have; nobody is in a group of no name.
        let wanted = group.display_name.as_deref().map(id_for).unwrap_or_default();
        self.scim_check_members(caller, &wanted, &mut changes).await?;
        let id = self.scim_insert_group(&wanted, &group).await?;
        if id != wanted {
            // Rules could let them into another one.
            if let Err(error) = self.scim_check_members(caller, &id, &mut changes).await {
                self.repository().delete(Kind::Group, &id, now).await?;
                return Err(error);
            }
        }
        self.audit(Event::of(AuditKind::ResourceCreated).target("Group", &id));
        self.scim_change_members(caller, &id, &changes).await?;
        let answer = self.scim_shown_group(caller, &id, &selection).await?;
        let location = location(&self.scim_base(), "Groups", &id);
        Ok(ScimAnswer { status: 201, location: Some(location), ..answer })
    }

    /// Writes a new group under an id that nobody uses yet, as a record or in an account.
    async fn scim_insert_group(&self, wanted: &str, group: &Group) -> Result<String, ScimError> {
        self.scim_needs_index().await?;
        for number in 1..=TRIES {
            let id = match number {
                1 => wanted.to_owned(),
                2..=8 => format!("{wanted}-{number}"),
                _ => format!("{wanted}-{:08x}", u32::from_be_bytes(random())),
            };
            if id == Group::ADMINISTRATORS || self.group(&id).await?.is_some() {
                continue;
            }
            if self.repository().insert(&id, group, self.now()).await? == Written::Done {
                return Ok(id);
            }
        }
        Err(ScimError::uniqueness("displayName: no id could be made of it"))
    }

    pub(super) async fn scim_group(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.allow(Operation::Read, None, &[])?;
        let selection = Query::selection_of(&GROUP, request)?;
        let answer = self.scim_shown_group(caller, id, &selection).await?;
        match &answer.version {
            Some(version) if request.has(version) => Ok(ScimAnswer::not_modified(version)),
            _ => Ok(answer),
        }
    }

    pub(super) async fn scim_replace_group(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.begin(Operation::Update, None)?;
        let selection = Query::selection_of(&GROUP, request)?;
        let mut told = value::resource(&GROUP, &request.body)?;
        if !told.get("displayName").is_some_and(Value::is_string) {
            return Err(ScimError::value("displayName: is required"));
        }
        let members = told.shift_remove("members").unwrap_or(Value::Null);
        told.entry("externalId").or_insert(Value::Null);
        let changes = Changes::replace(&members)?;
        let edit = |_: &Map<String, Value>| Ok(told.clone());
        self.scim_edit_group(caller, request, (id, changes), edit).await?;
        self.scim_shown_group(caller, id, &selection).await
    }

    pub(super) async fn scim_patch_group(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.begin(Operation::Update, None)?;
        let selection = Query::selection_of(&GROUP, request)?;
        let (of_members, others): (Vec<_>, Vec<_>) = patch::read(&GROUP, id, &request.body)?
            .into_iter()
            .partition(|change| change.attribute().is_some_and(|one| one.name == "members"));
        let mut changes = Changes::default();
        for change in &of_members {
            changes.take(change)?;
        }
        let edit = |before: &Map<String, Value>| {
            let mut after = before.clone();
            for change in &others {
                change.apply(&GROUP, &mut after)?;
            }
            Ok(after)
        };
        self.scim_edit_group(caller, request, (id, changes), edit).await?;
        if request.parameters.is_empty() {
            // A group can be large, and few who change it want to see all of it.
            return Ok(ScimAnswer::empty(204));
        }
        self.scim_shown_group(caller, id, &selection).await
    }

    pub(super) async fn scim_delete_group(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.allow(Operation::Delete, None, &[])?;
        if id == Group::ADMINISTRATORS {
            return Err(ScimError::forbidden());
        }
        let hide = |error| caller.hide(None, error);
        let found = self.scim_stored_group(request, id).await.map_err(hide)?;
        self.scim_needs_index().await?;
        self.scim_may_empty(caller, id).await?;
        let version = version_of::<GroupDocument>(&found.id, found.version, &found.body);
        let unchanged = [Precondition::Versions(vec![version.id()])];
        self.remove_if(ResourceKind::GROUP, id, &unchanged).await?;
        Ok(ScimAnswer::empty(204))
    }

    /// The group `id`, if it is in a version that `request` wants.
    async fn scim_stored_group(
        &self,
        request: &ScimRequest,
        id: &str,
    ) -> Result<Versioned<Group>, ScimError> {
        let found = self.group(id).await?.ok_or_else(ScimError::not_found)?;
        if request.if_match.is_some() {
            let members = self.scim_members(id).await?;
            let is_seen = request.check_version(&version(&found, Some(&members))).is_ok()
                || request.check_version(&version(&found, None)).is_ok();
            if !is_seen {
                return Err(ScimError::precondition());
            }
        }
        Ok(found)
    }

    /// Writes what `edit` makes of the group `id`, and changes who is in it.
    async fn scim_edit_group(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        (id, mut changes): (&str, Changes),
        edit: impl Fn(&Map<String, Value>) -> Result<Map<String, Value>, ScimError> + Sync,
    ) -> Result<(), ScimError> {
        let hide = |error| caller.hide(None, error);
        for _ in 0..TRIES {
            let found = self.scim_stored_group(request, id).await.map_err(hide)?;
            let before = plain(&found);
            let after = edit(&before)?;
            let is_changed = |name: &&str| {
                after.get(*name).unwrap_or(&Value::Null)
                    != before.get(*name).unwrap_or(&Value::Null)
            };
            let others: Map<String, Value> = ["displayName", "externalId"]
                .into_iter()
                .filter(is_changed)
                .map(|name| (name.to_owned(), after.get(name).cloned().unwrap_or_default()))
                .collect();
            let paths = written(&others, !changes.is_empty());
            if !paths.is_empty() {
                caller.allow(Operation::Update, None, &paths)?;
            }
            let is_of_administrators = id == Group::ADMINISTRATORS && !others.is_empty();
            if is_of_administrators && !caller.actor.is_administrator() {
                return Err(ScimError::forbidden());
            }
            self.scim_check_members(caller, id, &mut changes).await?;
            if found.version == 0 {
                self.ensure_groups(&[id.to_owned()]).await?;
            }
            if others.is_empty() {
                return self.scim_change_members(caller, id, &changes).await;
            }
            if found.version == 0 {
                continue;
            }
            if self.scim_write_group(&found, after).await? {
                return self.scim_change_members(caller, id, &changes).await;
            }
        }
        let text = "The group was changed at the same time; try again";
        Err(ScimError { retry_after: Some(1), ..ScimError::new(503, text) })
    }

    /// Writes `members` over the group `found`; `false` if somebody was faster.
    async fn scim_write_group(
        &self,
        found: &Versioned<Group>,
        mut members: Map<String, Value>,
    ) -> Result<bool, ScimError> {
        members.retain(|_, value| !value.is_null());
        let version = version_of::<GroupDocument>(&found.id, found.version, &found.body);
        let seen = [Precondition::Versions(vec![version.id()])];
        let options = WriteOptions::write_if(&seen);
        let written = GroupDocument::write(self, &found.id, Value::Object(members), options).await;
        match written {
            Ok(applied) => {
                self.audit_write(ResourceKind::GROUP, &found.id, &applied);
                Ok(true)
            }
            Err(crate::resources::ApplyError::Precondition(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The group `id` as the caller may see it: whoever may not read at all is shown its id.
    async fn scim_shown_group(
        &self,
        caller: &ScimCaller<'_>,
        id: &str,
        selection: &Selection,
    ) -> Result<ScimAnswer, ScimError> {
        let stored = self.group(id).await?.ok_or_else(ScimError::not_found)?;
        let Ok(allowed) = caller.allow(Operation::Read, None, &[]) else {
            let body = json!({"schemas": [GROUP.schema], "id": id});
            return Ok(ScimAnswer::ok(body));
        };
        let members = if selection.wants("members") && allowed.may_read("groups") {
            Some(self.scim_members(id).await?)
        } else {
            None
        };
        let group = shown(&self.scim_base(), &stored, members.as_deref());
        let version = version(&stored, members.as_deref());
        Ok(ScimAnswer::ok(selection.of(&GROUP, &allowed, group)).versioned(&allowed, &version))
    }
}

/// What stands in the record of a group.
fn plain(stored: &Versioned<Group>) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("displayName".to_owned(), json!(stored.body.shown_name(&stored.id)));
    if let Some(external) = &stored.body.external_id {
        members.insert("externalId".to_owned(), json!(external));
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_names_where_these_can_be_ids() {
        for (name, id) in [
            ("staff", "staff"),
            ("Tour.Guides@x", "Tour.Guides@x"),
            ("Tour Guides", "tour-guides"),
            ("  Führung / Nord ", "f-hrung-nord"),
            ("日本", "group"),
            ("..", "group"),
        ] {
            assert_eq!(id_for(name), id, "{name}");
            assert!(is_identifier(&id_for(name)), "{name}");
        }
    }
}
