//! Reading what bodies say: names in their spelling of the schema, values of the right kind.

use serde_json::{Map, Value};

use super::{
    error::ScimError,
    schema::{Attribute, Kind, Type, find},
};

/// The members of a resource that a body describes, by the names of the schema. What the server alone
/// writes is left out (RFC 7644 §3.3); null and the empty list both mean that there is no value
/// (RFC 7643 §2.5).
pub(super) fn resource(kind: &Type, body: &Value) -> Result<Map<String, Value>, ScimError> {
    let Value::Object(members) = body else {
        return Err(ScimError::syntax(format!("the body must be an object: a {}", kind.name)));
    };
    let mut read = Map::new();
    for (name, value) in members {
        if name.eq_ignore_ascii_case("schemas") {
            check_schemas(kind, value)?;
            continue;
        }
        let extension = kind.extension.filter(|(urn, ..)| urn.eq_ignore_ascii_case(name));
        let (name, value) = match (extension, find(kind.attributes, name)) {
            (Some((urn, _, attributes)), _) => (urn, object(attributes, name, value)?),
            (None, Some(attribute)) if attribute.is_read_only() => continue,
            (None, Some(attribute)) => (attribute.name, self::value(attribute, value)?),
            (None, None) => return Err(unknown(name)),
        };
        if read.insert(name.to_owned(), value).is_some() {
            return Err(ScimError::syntax(format!("{name}: stands there twice")));
        }
    }
    Ok(read)
}

fn unknown(name: &str) -> ScimError {
    let name: String = name.chars().take(64).collect();
    ScimError::syntax(format!("{name:?} is not an attribute here; see /Schemas"))
}

fn check_schemas(kind: &Type, value: &Value) -> Result<(), ScimError> {
    let known = |urn: &str| {
        urn.eq_ignore_ascii_case(kind.schema)
            || kind.extension.is_some_and(|(own, ..)| own.eq_ignore_ascii_case(urn))
    };
    let urns = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_own = |urn: &Value| urn.as_str().is_some_and(known);
    if !urns.is_empty() && urns.iter().all(is_own) {
        return Ok(());
    }
    Err(ScimError::syntax(format!("schemas: must be {} and extensions of it", kind.schema)))
}

/// `value` as one of `attribute`: all of its values, if it has several.
pub(super) fn value(attribute: &'static Attribute, value: &Value) -> Result<Value, ScimError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if !attribute.many {
        return single(attribute, value);
    }
    match value {
        Value::Array(values) if values.is_empty() => Ok(Value::Null),
        Value::Array(values) => values.iter().map(|one| single(attribute, one)).collect(),
        // Some clients leave the list out where there is one value.
        one => Ok(Value::Array(vec![single(attribute, one)?])),
    }
}

/// `value` as one value of `attribute`.
pub(super) fn single(attribute: &'static Attribute, value: &Value) -> Result<Value, ScimError> {
    let wrong = |what: &str| Err(ScimError::value(format!("{}: must be {what}", attribute.name)));
    match (attribute.kind, value) {
        (Kind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        // Entra ID sends them as texts.
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Value::Bool(true))
        }
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Value::Bool(false))
        }
        (Kind::Boolean, _) => wrong("true or false"),
        (Kind::Complex, Value::Object(_)) => object(attribute.sub, attribute.name, value),
        // Entra ID sends the id of a manager alone.
        (Kind::Complex, Value::String(text)) if find(attribute.sub, "value").is_some() => {
            Ok(serde_json::json!({"value": text}))
        }
        (Kind::Complex, _) => wrong("an object"),
        (_, Value::String(_)) => Ok(value.clone()),
        _ => wrong("a string"),
    }
}

/// Whether servers alone write the part `member` of the attribute `name`, which is not here: what
/// another one showed is often sent back (RFC 7643 §§2.4, 4.3 and 8.4, RFC 7644 §3.3).
fn is_shown_by_servers(parts: &'static [Attribute], name: &str, member: &str) -> bool {
    let is = |known: &str| member.eq_ignore_ascii_case(known);
    let has_value = find(parts, "value").is_some();
    (has_value && (is("$ref") || is("display"))) || (name == "manager" && is("displayName"))
}

/// `value` as an object with some of `attributes`.
pub(super) fn object(
    attributes: &'static [Attribute],
    name: &str,
    value: &Value,
) -> Result<Value, ScimError> {
    let members = match value {
        Value::Null => return Ok(Value::Null),
        Value::Object(members) => members,
        _ => return Err(ScimError::value(format!("{name}: must be an object"))),
    };
    let mut read = Map::new();
    for (member, value) in members {
        // Some clients send an extension as if it were a resource.
        if name.starts_with("urn:") && member.eq_ignore_ascii_case("schemas") {
            continue;
        }
        let Some(attribute) = find(attributes, member) else {
            if is_shown_by_servers(attributes, name, member) {
                continue;
            }
            return Err(unknown(member));
        };
        if attribute.is_read_only() {
            continue;
        }
        let value = self::value(attribute, value)?;
        if value.is_null() {
            continue;
        }
        if read.insert(attribute.name.to_owned(), value).is_some() {
            return Err(ScimError::syntax(format!("{name}.{member}: stands there twice")));
        }
    }
    Ok(if read.is_empty() { Value::Null } else { Value::Object(read) })
}
