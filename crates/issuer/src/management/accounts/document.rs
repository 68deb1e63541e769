//! Fields of the API as members of `User` documents.
//!
//! A value sets an attribute, null removes it, and an absent field leaves it as it is
//! (`docs/contracts/curity.md` §6.3).

use serde_json::{Map, Value, json};

use super::error::AccountError;

/// Fields that cannot be removed.
const STAY: [&str; 3] = ["userName", "password", "active"];

/// Members of the document that say the same as a field: they go when it is written.
const SAME: [(&str, &str); 7] = [
    ("nickName", "nickname"),
    ("profileUrl", "profile"),
    ("timeZone", "zoneinfo"),
    ("phoneNumbers", "phone_number"),
    ("photos", "picture"),
    ("addresses", "address"),
    ("active", "inactive"),
];

/// The member of the document that says what was left open of attributes: it does not outlast these.
pub(in crate::management) const UNSTATED: &str = "unstated";

/// What documents have in longer forms than accounts of the API: texts by their characters, lists by
/// their items (`docs/contracts/curity.md` §6.3).
const LONGEST: [(&str, usize); 3] = [("password", 512), ("emails", 32), ("groups", 128)];
const LONGEST_USER_NAME: usize = 128;

/// Whether no field is longer than the API has it.
///
/// # Errors
/// [`AccountError::Invalid`] naming a field that is too long.
pub(super) fn check_lengths(fields: &Map<String, Value>) -> Result<(), AccountError> {
    check_user_name(fields)?;
    for (name, most) in LONGEST {
        let (length, what) = match fields.get(name) {
            Some(Value::String(text)) => (text.chars().count(), "characters"),
            Some(Value::Array(items)) => (items.len(), "values"),
            _ => continue,
        };
        if length > most {
            return Err(AccountError::Invalid(format!("{name}: must have at most {most} {what}")));
        }
    }
    Ok(())
}

/// The members of a new document.
///
/// # Errors
/// [`AccountError::Invalid`] naming a field that is too long.
pub(super) fn created(fields: &Map<String, Value>) -> Result<Map<String, Value>, AccountError> {
    check_lengths(fields)?;
    let mut members = Map::new();
    for (name, value) in fields {
        if !value.is_null() {
            members.insert(name.clone(), without_nulls(value));
        }
    }
    Ok(members)
}

fn check_user_name(fields: &Map<String, Value>) -> Result<(), AccountError> {
    let is_good = |name: &str| !name.trim().is_empty() && name.chars().count() <= LONGEST_USER_NAME;
    match fields.get("userName") {
        Some(Value::String(name)) if !is_good(name) => Err(AccountError::Invalid(format!(
            "userName: must have 1 to {LONGEST_USER_NAME} characters"
        ))),
        _ => Ok(()),
    }
}

/// Writes `fields` into the `members` of a document.
///
/// # Errors
/// [`AccountError::Invalid`] naming a field that cannot be removed.
pub(super) fn update(
    members: &mut Map<String, Value>,
    fields: &Map<String, Value>,
) -> Result<(), AccountError> {
    check_user_name(fields)?;
    for (name, value) in fields {
        if value.is_null() && STAY.contains(&&**name) {
            return Err(AccountError::Invalid(format!("{name}: cannot be removed")));
        }
        if name == "name" {
            update_name(members, value);
            continue;
        }
        if let Some((_, same)) = SAME.iter().find(|(field, _)| field == name) {
            members.shift_remove(*same);
        }
        members.shift_remove(name);
        if let Some(Value::Array(unmarked)) = members.get_mut(UNSTATED) {
            unmarked.retain(|one| one != name);
        }
        if !value.is_null() {
            members.insert(name.clone(), without_nulls(value));
        }
    }
    Ok(())
}

/// The parts of a name follow the same rule one by one.
fn update_name(members: &mut Map<String, Value>, value: &Value) {
    let Value::Object(parts) = value else {
        members.shift_remove("name");
        members.shift_remove("middle_name");
        return;
    };
    for (part, value) in parts {
        if part == "middleName" {
            members.shift_remove("middle_name");
        }
        let name = members.entry("name").or_insert_with(|| json!({}));
        let Some(name) = name.as_object_mut() else { continue };
        name.shift_remove(part);
        if !value.is_null() {
            name.insert(part.clone(), value.clone());
        }
    }
}

/// Null and absent are the same inside of a value.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            items.iter().filter(|item| !item.is_null()).map(without_nulls).collect()
        }
        Value::Object(members) => {
            let known = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(known.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_sets_null_removes_and_absent_leaves() {
        let document = json!({"userName": "ada", "nickname": "a", "phone_number": "1",
            "phoneNumbers": [{"value": "1"}, {"value": "2"}], "inactive": true,
            "name": {"givenName": "Ada", "familyName": "L"}, "middle_name": "M", "title": "t"});
        let Value::Object(mut members) = document else { panic!() };
        let fields = json!({"nickName": "b", "phoneNumbers": [{"value": "3", "type": null}],
            "active": true, "title": null,
            "name": {"givenName": null, "middleName": "N"}});
        update(&mut members, fields.as_object().unwrap()).unwrap();
        assert_eq!(
            Value::Object(members.clone()),
            json!({"userName": "ada", "nickName": "b", "phoneNumbers": [{"value": "3"}],
                "active": true, "name": {"familyName": "L", "middleName": "N"}})
        );
        let fields = json!({"name": null, "phoneNumbers": null});
        update(&mut members, fields.as_object().unwrap()).unwrap();
        assert_eq!(
            Value::Object(members.clone()),
            json!({"userName": "ada", "nickName": "b", "active": true})
        );
        for field in STAY {
            let fields = json!({field: null});
            let refused = update(&mut members, fields.as_object().unwrap());
            assert!(matches!(refused, Err(AccountError::Invalid(why)) if why.starts_with(field)));
        }
    }
}
