//! Orders (RFC 7644 §3.4.2.3).

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    error::ScimError,
    filter::values,
    schema::{Kind, Named, Returned, Type},
};

/// The attribute `name`, by which resources of `kind` are sorted.
pub(super) fn by(kind: &Type, name: &str) -> Result<Named, ScimError> {
    let shown: String = name.chars().take(64).collect();
    let wrong = |what: &str| ScimError::value(format!("sortBy: {shown:?} {what}"));
    let named = kind.named(name).ok_or_else(|| wrong("is not an attribute"))?;
    let Some(last) = named.last() else { return Err(wrong("is not an attribute")) };
    if last.returned == Returned::Never || last.name == "members" || named_members(&named) {
        return Err(wrong("is nothing to sort by"));
    }
    match (last.kind, last.sub.iter().find(|sub| sub.name == "value")) {
        // Several values are sorted by the primary one.
        (Kind::Complex, Some(value)) if last.many => Ok(Named { sub: Some(value), ..named }),
        (Kind::Complex, _) => Err(wrong("has no value of its own; name a part of it")),
        _ => Ok(named),
    }
}

fn named_members(named: &Named) -> bool {
    named.attribute.is_some_and(|one| one.name == "members")
}

/// What a resource is sorted by. One without a value comes last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key(Option<String>);

impl Key {
    /// That of `resource`.
    pub(super) fn of(resource: &Value, named: &Named) -> Self {
        let attribute = Named { sub: None, ..*named };
        let all = values(resource, &attribute);
        let primary = all.iter().find(|value| value.get("primary") == Some(&Value::Bool(true)));
        let value = primary.or(all.first()).and_then(|value| match named.sub {
            Some(sub) => value.get(sub.name),
            None => Some(value),
        });
        Self(value.map(|value| match value {
            Value::String(text) if named.last().is_some_and(|last| last.exact) => text.clone(),
            Value::String(text) => text.to_lowercase(),
            other => other.to_string(),
        }))
    }

    /// The order of two, in one direction or the other.
    pub(super) fn order(&self, other: &Self, descends: bool) -> Ordering {
        let order = match (&self.0, &other.0) {
            (Some(one), Some(other)) => one.cmp(other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        };
        if descends { order.reverse() } else { order }
    }
}
