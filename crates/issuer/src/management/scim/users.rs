//! Users: accounts in the form of RFC 7643 §4.1, written as the other management APIs write them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    ScimAnswer, ScimCaller, ScimRequest,
    caller::written,
    error::ScimError,
    patch::{self, Change},
    query::Query,
    schema::{ENTERPRISE, USER},
    selection::Selection,
    value,
};
use crate::{
    Issuer,
    management::accounts::{AccountError, account_view, document::UNSTATED, entry_view},
    managers::Operation,
    records::{Account, repository::Versioned},
    resources::{UserDocument, version_of},
};

/// Members of an account that SCIM does not have.
const OTHERS: [&str; 4] = ["website", "devices", "linkedAccounts", "mfaOptIn"];
/// The attribute of which each part is an attribute of the account.
const NAME: &str = "name";
/// Attributes that stay as they are where a replacement does not name them: who leaves out a password
/// does not know it, and who leaves out `active` does not mean to let somebody in again.
const STAY: [&str; 3] = ["userName", "password", "active"];
/// The attributes of which the first value is used where none is the primary one.
const EFFECTIVE: [&str; 4] = ["emails", "phoneNumbers", "photos", "addresses"];

/// The version of an account, as in its `ETag`.
pub(super) fn version(stored: &Versioned<Account>) -> String {
    version_of::<UserDocument>(&stored.id, stored.version, &stored.body).id()
}

/// An account as a user, at an API at `base`.
pub(super) fn shown(base: &str, stored: &Versioned<Account>) -> Value {
    let (id, account) = (&stored.id, &stored.body);
    let Value::Object(mut members) = account_view(id, account) else { return Value::Null };
    for name in OTHERS {
        members.shift_remove(name);
    }
    // By their kinds, by which clients find them, whether they were verified or not.
    let reached = [("emails", account.email_entries()), ("phoneNumbers", account.phone_entries())];
    for (name, entries) in reached {
        if let Some(values) = members.get_mut(name) {
            *values = entries.iter().map(entry_view).collect();
        }
    }
    if let Some(zone) = members.shift_remove("timeZone") {
        members.insert("timezone".to_owned(), zone);
    }
    for name in &account.attributes.unstated {
        if name == "active" && !account.active {
            members.shift_remove("active");
        }
        if let Some(Value::Array(values)) = members.get_mut(name) {
            for value in values {
                value["primary"] = json!(false);
            }
        }
    }
    if !account.groups.is_empty() {
        let group = |group: &String| json!({"value": group, "$ref": location(base, "Groups", group), "type": "direct"});
        members.insert("groups".to_owned(), account.groups.iter().map(group).collect());
    }
    let mut schemas = vec![USER.schema];
    if let Some((urn, ..)) = USER.extension.filter(|_| !account.attributes.enterprise.is_empty()) {
        let mut known = json!(account.attributes.enterprise);
        if let Some(manager) = &account.attributes.enterprise.manager {
            known["manager"] = json!({"value": manager, "$ref": location(base, "Users", manager)});
        }
        members.insert(urn.to_owned(), known);
        schemas.push(urn);
    }
    members.insert("schemas".to_owned(), json!(schemas));
    let meta = json!({
        "resourceType": "User",
        "created": account.created.rfc3339(),
        "lastModified": account.modified.max(account.created).rfc3339(),
        "location": location(base, "Users", id),
        "version": format!("W/\"{}\"", version(stored)),
    });
    members.insert("meta".to_owned(), meta);
    Value::Object(members)
}

/// Where the resource `id` of `endpoint` is.
pub(super) fn location(base: &str, endpoint: &str, id: &str) -> String {
    use std::fmt::Write as _;

    let mut path = format!("{base}/{endpoint}/");
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@+".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// The fields of an account that attributes of a user are.
fn fields(members: Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in members {
        let extension = USER.extension.is_some_and(|(urn, ..)| urn == name);
        match &*name {
            "timezone" => fields.insert("timeZone".to_owned(), value),
            _ if extension => fields.insert(ENTERPRISE.to_owned(), enterprise(value)),
            _ => fields.insert(name, value),
        };
    }
    fields
}

/// Of a manager, the account has the id alone.
fn enterprise(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut()
        && let Some(manager) = members.shift_remove("manager")
        && let Some(id) = manager.get("value")
    {
        members.insert("manager".to_owned(), id.clone());
    }
    value
}

/// Says what is left open after `fields` were written: of which attributes no value is the primary one,
/// and whether somebody is active, who then is not.
fn note_unstated(account: &Account, fields: &mut Map<String, Value>) {
    let mut none: Vec<String> = account.attributes.unstated.clone();
    let mut is_touched = false;
    for name in EFFECTIVE {
        let Some(value) = fields.get(name) else { continue };
        is_touched = true;
        none.retain(|one| one != name);
        let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_primary = |value: &Value| value.get("primary") == Some(&json!(true));
        if !values.is_empty() && !values.iter().any(is_primary) {
            none.push(name.to_owned());
        }
    }
    if let Some(active) = fields.get_mut("active") {
        none.retain(|one| one != "active");
        if active.is_null() {
            *active = json!(false);
            none.push("active".to_owned());
        }
    }
    none.sort_unstable();
    // Writing an attribute forgets what was left open of it.
    if is_touched || none != account.attributes.unstated {
        fields.insert(UNSTATED.to_owned(), json!(none));
    }
}

/// The fields in which the user `after` differs from `before`, and what is at the paths `besides`.
fn changed(
    before: &Map<String, Value>,
    mut after: Map<String, Value>,
    besides: &[String],
) -> Map<String, Value> {
    let is_besides = |path: &str| besides.iter().any(|one| one == path);
    let mut members = Map::new();
    let names: Vec<&str> = USER
        .attributes
        .iter()
        .filter(|attribute| !attribute.is_read_only())
        .map(|attribute| attribute.name)
        .chain(USER.extension.map(|(urn, ..)| urn))
        .collect();
    for name in names {
        let value = after.shift_remove(name).unwrap_or(Value::Null);
        let earlier = before.get(name).unwrap_or(&Value::Null);
        if name == NAME {
            // Its parts are written one by one.
            let parts = |name: &Value| name.as_object().cloned().unwrap_or_default();
            let (earlier, later) = (parts(earlier), parts(&value));
            let all: BTreeSet<&String> = earlier.keys().chain(later.keys()).collect();
            let is_written = |part: &&String| {
                earlier.get(*part) != later.get(*part)
                    || is_besides(NAME)
                    || is_besides(&format!("{NAME}.{part}"))
            };
            let written = all.into_iter().filter(is_written);
            let written: Map<String, Value> = written
                .map(|part| (part.clone(), later.get(part).cloned().unwrap_or(Value::Null)))
                .collect();
            if !written.is_empty() {
                members.insert(NAME.to_owned(), Value::Object(written));
            }
        } else if earlier != &value || is_besides(name) {
            members.insert(name.to_owned(), value);
        }
    }
    fields(members)
}

impl Issuer {
    pub(super) async fn scim_create_user(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        caller.begin(Operation::Create, None)?;
        let selection = Query::selection_of(&USER, request)?;
        let mut fields = fields(value::resource(&USER, &request.body)?);
        fields.retain(|_, value| !value.is_null());
        caller.allow(Operation::Create, None, &written(&fields))?;
        note_unstated(&Account::default(), &mut fields);
        let created = self.create_account(&caller.actor, &fields).await?;
        let id = created["id"].as_str().unwrap_or_default().to_owned();
        let answer = self.scim_shown_user(caller, &id, &selection).await?;
        let location = location(&self.scim_base(), "Users", &id);
        Ok(ScimAnswer { status: 201, location: Some(location), ..answer })
    }

    pub(super) async fn scim_user(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.allow(Operation::Read, Some(id), &[])?;
        let selection = Query::selection_of(&USER, request)?;
        let answer = self.scim_shown_user(caller, id, &selection).await?;
        match &answer.version {
            Some(version) if request.has(version) => Ok(ScimAnswer::not_modified(version)),
            _ => Ok(answer),
        }
    }

    pub(super) async fn scim_replace_user(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.begin(Operation::Update, Some(id))?;
        let told = value::resource(&USER, &request.body)?;
        let replace = |before: &Map<String, Value>| {
            let mut after = told.clone();
            after.retain(|_, value| !value.is_null());
            for name in before.keys() {
                // What the caller may not see, they do not mean to remove by leaving it out.
                let is_seen = caller.sees_some(id, name);
                if !told.contains_key(name) && (STAY.contains(&&**name) || !is_seen) {
                    after.insert(name.clone(), before[name].clone());
                }
            }
            let known = before.get(NAME).and_then(Value::as_object).into_iter().flatten();
            if let Some(Value::Object(parts)) = after.get_mut(NAME) {
                for (part, value) in known {
                    if !parts.contains_key(part) && !caller.sees_some(id, &format!("{NAME}.{part}"))
                    {
                        parts.insert(part.clone(), value.clone());
                    }
                }
            }
            Ok(after)
        };
        let told: Vec<String> =
            told.iter().flat_map(|(name, value)| patch::paths(name, None, value)).collect();
        self.scim_edit_user(caller, request, (id, &told), replace).await
    }

    pub(super) async fn scim_patch_user(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.begin(Operation::Update, Some(id))?;
        let changes = patch::read(&USER, id, &request.body)?;
        caller.may_choose(id, &changes)?;
        let change = |before: &Map<String, Value>| {
            let mut after = before.clone();
            for change in &changes {
                change.apply(&USER, &mut after)?;
            }
            Ok(after)
        };
        let told: Vec<String> = changes.iter().flat_map(Change::paths).collect();
        self.scim_edit_user(caller, request, (id, &told), change).await
    }

    pub(super) async fn scim_delete_user(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        id: &str,
    ) -> Result<ScimAnswer, ScimError> {
        caller.allow(Operation::Delete, Some(id), &[])?;
        let check = |stored: &Versioned<Account>| request.check_version(&version(stored));
        let deleted = self.delete_account_if(&caller.actor, id, check).await;
        let deleted = deleted.map_err(|error| caller.hide(Some(id), error))?;
        match deleted.account {
            Some(_) => Ok(ScimAnswer::empty(204)),
            None => Err(caller.hide(Some(id), ScimError::not_found())),
        }
    }

    /// Writes what `edit` makes of the user `id`, and shows it. Of what was `told`, attributes that the
    /// caller may not see are written even if they are so already: a refusal of those alone that are not
    /// would say what they are.
    async fn scim_edit_user(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
        (id, told): (&str, &[String]),
        edit: impl Fn(&Map<String, Value>) -> Result<Map<String, Value>, ScimError> + Sync,
    ) -> Result<ScimAnswer, ScimError> {
        let selection = Query::selection_of(&USER, request)?;
        let base = self.scim_base();
        let mut unseen = told.to_vec();
        unseen.retain(|path| !caller.sees_all(id, path));
        let edit = |stored: &Versioned<Account>| {
            request.check_version(&version(stored))?;
            let Value::Object(before) = shown(&base, stored) else {
                return Err(ScimError::not_found());
            };
            let mut fields = changed(&before, edit(&before)?, &unseen);
            if !fields.is_empty() {
                caller.allow(Operation::Update, Some(id), &written(&fields))?;
            }
            note_unstated(&stored.body, &mut fields);
            Ok(fields)
        };
        let edited = self.edit_account(&caller.actor, id, caller.renames, edit).await;
        edited.map_err(|error| caller.hide(Some(id), error))?;
        self.scim_shown_user(caller, id, &selection).await
    }

    /// The user `id` as the caller may see it: whoever may not read at all is shown its id.
    async fn scim_shown_user(
        &self,
        caller: &ScimCaller<'_>,
        id: &str,
        selection: &Selection,
    ) -> Result<ScimAnswer, ScimError> {
        let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
        let version = version(&stored);
        let user = shown(&self.scim_base(), &stored);
        let Ok(allowed) = caller.allow(Operation::Read, Some(id), &[]) else {
            return Ok(ScimAnswer::ok(json!({"schemas": user["schemas"], "id": id})));
        };
        let body = selection.of(&USER, &allowed, user);
        Ok(ScimAnswer::ok(body).versioned(&allowed, &version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_another_is_written_and_parts_of_names_one_by_one() {
        let before = json!({"userName": "ann", "title": "x", "groups": [{"value": "g"}],
            "name": {"givenName": "A", "familyName": "B"}, "timezone": "Etc/UTC"});
        let after = json!({"userName": "ann", "name": {"givenName": "C"}, "timezone": "Etc/GMT"});
        let of = |value: Value| value.as_object().unwrap().clone();
        let expected = json!({"name": {"givenName": "C", "familyName": null}, "title": null,
            "timeZone": "Etc/GMT"});
        let (before, after) = (of(before), of(after));
        assert_eq!(Value::Object(changed(&before, after, &[])), expected);
        let paths = ["userName", "nickName", "name.givenName"].map(str::to_owned);
        let besides = changed(&before, before.clone(), &paths);
        let expected = json!({"userName": "ann", "nickName": null, "name": {"givenName": "A"}});
        assert_eq!(Value::Object(besides), expected);
    }
}
