//! Changes to a part of a resource (RFC 7644 §3.5.2), with the habits of Entra ID and Okta: operations
//! in any letter case, paths as names of members where there is no path, and values to be removed
//! beside the path.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::{
    error::ScimError,
    filter::{self, Filter, Operand, Operator, Path},
    schema::{Attribute, Mutability, Named, Type},
    value,
};

/// Operations of one change at most.
const MOST: usize = 1_000;

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub operation: Operation,
    pub path: Path,
    pub value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Remove,
    Replace,
}

/// The operations that `body` asks for of the resource `id`.
pub(super) fn read(kind: &'static Type, id: &str, body: &Value) -> Result<Vec<Change>, ScimError> {
    let wrong = || {
        ScimError::syntax(
            "the body must be {\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"], \"Operations\": [{\"op\", \"path\", \"value\"}]}",
        )
    };
    let operations = member(body, "Operations").and_then(Value::as_array).ok_or_else(wrong)?;
    if operations.is_empty() {
        return Err(wrong());
    }
    if operations.len() > MOST {
        return Err(ScimError::too_many(format!("at most {MOST} operations can be in one change")));
    }
    let mut changes = Vec::new();
    for operation in operations {
        let name = member(operation, "op").and_then(Value::as_str).ok_or_else(wrong)?;
        let kinds = [
            ("add", Operation::Add),
            ("remove", Operation::Remove),
            ("replace", Operation::Replace),
        ];
        let found = kinds.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, operation_kind) = found.ok_or_else(|| {
            ScimError::syntax(format!("op: {name:?} is not add, remove or replace"))
        })?;
        let told = member(operation, "value");
        if told.is_none() && operation_kind != Operation::Remove {
            return Err(ScimError::value(format!("value: is needed to {name} something")));
        }
        let value = told.cloned().unwrap_or(Value::Null);
        match member(operation, "path") {
            Some(Value::String(path)) => {
                changes.push(Change::of(operation_kind, filter::path(kind, path)?, value)?);
            }
            Some(value) if !value.is_null() => {
                return Err(ScimError::path("path: must be a string"));
            }
            _ => spread((kind, id), operation_kind, &value, &mut changes)?,
        }
    }
    Ok(changes)
}

/// An operation without a path is one for each member of its value.
fn spread(
    (kind, id): (&'static Type, &str),
    operation: Operation,
    value: &Value,
    changes: &mut Vec<Change>,
) -> Result<(), ScimError> {
    if operation == Operation::Remove {
        return Err(ScimError::no_target("path: is needed to remove something"));
    }
    let Value::Object(members) = value else {
        return Err(ScimError::value("value: must be an object where there is no path"));
    };
    for (name, value) in members {
        if name.eq_ignore_ascii_case("schemas") || name.eq_ignore_ascii_case("meta") {
            continue;
        }
        // Okta sends it along.
        if name.eq_ignore_ascii_case("id") && value == id {
            continue;
        }
        changes.push(Change::of(operation, filter::path(kind, name)?, value.clone())?);
    }
    Ok(())
}

/// The paths at which `value` says something of the member `name`, or of its part `sub`: of a name,
/// those of its parts.
pub(super) fn paths(name: &str, sub: Option<&str>, value: &Value) -> Vec<String> {
    match (name, sub, value) {
        ("name", Some(sub), _) => vec![format!("{name}.{sub}")],
        ("name", None, Value::Object(parts)) => {
            parts.keys().map(|part| format!("{name}.{part}")).collect()
        }
        _ => vec![name.to_owned()],
    }
}

/// The member `name` of `value`, in any letter case.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value
        .as_object()?
        .iter()
        .find(|(one, _)| one.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

impl Change {
    /// Null says that there is no value (RFC 7643 §2.5), which is not one to add (RFC 7644 §3.5.2.1).
    fn of(operation: Operation, path: Path, value: Value) -> Result<Self, ScimError> {
        if operation == Operation::Add && value.is_null() {
            let name = path.named.attribute.map_or("value", |attribute| attribute.name);
            return Err(ScimError::value(format!("{name}: null cannot be added; use remove")));
        }
        Ok(Self { operation, path, value })
    }

    /// The attribute that is changed; none if it is a whole extension.
    pub(super) fn attribute(&self) -> Option<&'static Attribute> {
        self.path.named.attribute
    }

    /// The paths of the members that are changed.
    pub(super) fn paths(&self) -> Vec<String> {
        let attribute = self.attribute().map(|attribute| attribute.name);
        let Some(member) = self.path.named.extension.or(attribute) else { return Vec::new() };
        // What cannot be read is refused later.
        let value = self.attribute().and_then(|one| value::value(one, &self.value).ok());
        paths(member, self.path.sub.map(|sub| sub.name), &value.unwrap_or_default())
    }

    /// Calls `look` with everything that says which values are changed, or whether there are any.
    pub(super) fn each_chosen(&self, look: &mut impl FnMut(&Named)) {
        let Path { named, filter, sub } = &self.path;
        let Some(attribute) = named.attribute else { return };
        if let Some(filter) = filter {
            filter.each(&mut |inner, _| {
                look(&Named { sub: inner.attribute.or(inner.sub), ..*named });
            });
        } else if attribute.many && sub.is_some() {
            look(&Named { sub: *sub, ..*named });
        }
        let is_by_value = self.operation == Operation::Remove && !self.value.is_null();
        if !is_by_value || !attribute.many {
            return;
        }
        // What cannot be read is refused later.
        let told = value::value(attribute, &self.value).unwrap_or_default();
        let told = told.as_array().map(Vec::as_slice).unwrap_or_default();
        for name in told.iter().filter_map(Value::as_object).flat_map(Map::keys) {
            let sub = attribute.sub.iter().find(|sub| sub.name == *name);
            look(&Named { sub, ..*named });
        }
    }

    /// Makes the change in `document`, which is a resource as it is shown.
    pub(super) fn apply(
        &self,
        kind: &'static Type,
        document: &mut Map<String, Value>,
    ) -> Result<(), ScimError> {
        let Some(urn) = self.path.named.extension else {
            return self.apply_within(document);
        };
        let mut part = match document.shift_remove(urn) {
            Some(Value::Object(part)) => part,
            _ => Map::new(),
        };
        if self.path.named.attribute.is_some() {
            self.apply_within(&mut part)?;
        } else if self.operation == Operation::Remove {
            part.clear();
        } else {
            let attributes = kind.extension.map_or(&[][..], |(_, _, attributes)| attributes);
            if let Value::Object(told) = value::object(attributes, urn, &self.value)? {
                part.extend(told);
            }
        }
        if !part.is_empty() {
            document.insert(urn.to_owned(), Value::Object(part));
        }
        Ok(())
    }

    fn apply_within(&self, members: &mut Map<String, Value>) -> Result<(), ScimError> {
        let Some(attribute) = self.path.named.attribute else { return Ok(()) };
        let touched = self.path.sub.unwrap_or(attribute);
        if attribute.is_read_only() || touched.is_read_only() {
            return Err(ScimError::mutability(format!("{}: cannot be changed", attribute.name)));
        }
        if attribute.many {
            return self.apply_to_values(attribute, members);
        }
        match (self.path.sub, self.operation) {
            (None, Operation::Remove) => {
                check_removable(attribute)?;
                members.shift_remove(attribute.name);
            }
            (None, _) => {
                let told = value::value(attribute, &self.value)?;
                if told.is_null() {
                    check_removable(attribute)?;
                }
                match (told, members.get_mut(attribute.name)) {
                    (Value::Object(told), Some(Value::Object(present))) => present.extend(told),
                    (told, _) => put(members, attribute.name, told),
                }
            }
            (Some(sub), _) => {
                let mut parts = match members.shift_remove(attribute.name) {
                    Some(Value::Object(parts)) => parts,
                    _ => Map::new(),
                };
                self.set(sub, &mut parts)?;
                if !parts.is_empty() {
                    members.insert(attribute.name.to_owned(), Value::Object(parts));
                }
            }
        }
        Ok(())
    }

    /// Sets the part `sub`, or removes it.
    fn set(
        &self,
        sub: &'static Attribute,
        parts: &mut Map<String, Value>,
    ) -> Result<(), ScimError> {
        let value = match self.operation {
            Operation::Remove => Value::Null,
            _ => value::value(sub, &self.value)?,
        };
        put(parts, sub.name, value);
        Ok(())
    }

    fn apply_to_values(
        &self,
        attribute: &'static Attribute,
        members: &mut Map<String, Value>,
    ) -> Result<(), ScimError> {
        let mut values = match members.shift_remove(attribute.name) {
            Some(Value::Array(values)) => values,
            _ => Vec::new(),
        };
        match (&self.path.filter, self.path.sub) {
            (None, None) => self.change_list(attribute, &mut values)?,
            (filter, sub) => self.change_some(attribute, (filter.as_ref(), sub), &mut values)?,
        }
        let is_there = |value: &Value| value.as_object().is_none_or(|parts| !parts.is_empty());
        values.retain(|value| !value.is_null() && is_there(value));
        if !values.is_empty() {
            members.insert(attribute.name.to_owned(), Value::Array(values));
        }
        Ok(())
    }

    /// Changes which values there are.
    fn change_list(
        &self,
        attribute: &'static Attribute,
        values: &mut Vec<Value>,
    ) -> Result<(), ScimError> {
        let told = match value::value(attribute, &self.value)? {
            Value::Array(told) => told,
            _ => Vec::new(),
        };
        match self.operation {
            Operation::Remove if self.value.is_null() => values.clear(),
            Operation::Remove => values.retain(|one| !told.iter().any(|gone| is_same(gone, one))),
            Operation::Replace => *values = told,
            Operation::Add => {
                if told.iter().filter(|one| is_primary(one)).count() > 1 {
                    return Err(two_primary(attribute));
                }
                for one in told {
                    let found = values.iter().position(|present| is_same(&one, present));
                    let at = found.unwrap_or(values.len());
                    match values.get_mut(at) {
                        Some(present) => merge(present, one),
                        None => values.push(one),
                    }
                    keep_one_primary(values, at);
                }
            }
        }
        Ok(())
    }

    /// Changes those values that a filter admits, or all of them.
    fn change_some(
        &self,
        attribute: &'static Attribute,
        (filter, sub): (Option<&Filter>, Option<&'static Attribute>),
        values: &mut Vec<Value>,
    ) -> Result<(), ScimError> {
        let is_meant = |value: &Value| filter.is_none_or(|filter| filter.admits(value));
        let mut meant: Vec<usize> = (0..values.len()).filter(|at| is_meant(&values[*at])).collect();
        if meant.is_empty() {
            let fresh = match self.operation {
                // Entra ID adds a value by the filter that it will meet.
                Operation::Add => filter.map_or_else(|| Some(Map::new()), described_by),
                _ => None,
            };
            let Some(fresh) = fresh else {
                let text = format!("{}: no value is meant by the path", attribute.name);
                return Err(ScimError::no_target(text));
            };
            meant.push(values.len());
            values.push(Value::Object(fresh));
        }
        if self.operation == Operation::Remove && sub.is_none() {
            let mut at = 0;
            values.retain(|_| {
                at += 1;
                !meant.contains(&(at - 1))
            });
            return Ok(());
        }
        let several = meant.len() > 1;
        for at in meant {
            let was_primary = is_primary(&values[at]);
            match (sub, values[at].as_object_mut()) {
                (Some(sub), Some(parts)) => self.set(sub, parts)?,
                (None, Some(_)) => {
                    let told = value::single(attribute, &self.value)?;
                    match self.operation {
                        // All of the value (RFC 7644 §3.5.2.3).
                        Operation::Replace => values[at] = told,
                        _ => merge(&mut values[at], told),
                    }
                }
                (_, None) => {}
            }
            if several && is_primary(&values[at]) && !was_primary {
                return Err(two_primary(attribute));
            }
            keep_one_primary(values, at);
        }
        Ok(())
    }
}

fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        members.shift_remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

fn merge(present: &mut Value, told: Value) {
    match (present, told) {
        (Value::Object(present), Value::Object(told)) => present.extend(told),
        (present, told) => *present = told,
    }
}

/// Whether `told` is the value `present`: all that it says of it but which one is to be used is so.
fn is_same(told: &Value, present: &Value) -> bool {
    match (told, present) {
        (Value::Object(told), Value::Object(present)) => {
            let mut compared = told.iter().filter(|(name, _)| *name != "primary").peekable();
            compared.peek().is_some()
                && compared.all(|(name, value)| present.get(name) == Some(value))
        }
        (told, present) => told == present,
    }
}

/// Whoever signs in needs a name, and nobody takes a password away by a change.
fn check_removable(attribute: &Attribute) -> Result<(), ScimError> {
    if attribute.required || attribute.mutability == Mutability::WriteOnly {
        return Err(ScimError::mutability(format!("{}: cannot be removed", attribute.name)));
    }
    Ok(())
}

fn two_primary(attribute: &Attribute) -> ScimError {
    ScimError::value(format!("{}: at most one value can be primary", attribute.name))
}

fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&json!(true))
}

/// If the value at `at` is the primary one, no other is (RFC 7643 §2.4).
fn keep_one_primary(values: &mut [Value], at: usize) {
    if !is_primary(&values[at]) {
        return;
    }
    for (other, value) in values.iter_mut().enumerate() {
        if other != at && is_primary(value) {
            value["primary"] = json!(false);
        }
    }
}

/// A value that `filter` would admit, as far as it says what parts are equal to.
fn described_by(filter: &Filter) -> Option<Map<String, Value>> {
    match filter {
        Filter::And(one, other) => {
            let mut all = described_by(one)?;
            all.extend(described_by(other)?);
            Some(all)
        }
        Filter::Compare(named, Operator::Eq, operand) => {
            let value = match operand {
                Operand::Text(text) => json!(text),
                Operand::Boolean(value) => json!(value),
                Operand::Null => return None,
            };
            Some([(named.attribute?.name.to_owned(), value)].into_iter().collect())
        }
        _ => None,
    }
}
