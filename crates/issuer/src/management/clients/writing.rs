//! What is to be written of a client, and the document in progress.

use serde_json::{Map, Value, json};

use super::attributes::Attributes;

/// What is written.
pub(super) struct Writing<'a> {
    /// The document as it is shown, and the attributes of the client as it is; of a new one, neither.
    pub(super) before: Option<(&'a Value, &'a Attributes)>,
    /// The attributes that it is to have.
    pub(super) after: &'a Attributes,
    /// Whether the caller may let it introspect all tokens of the site.
    pub(super) introspects_any: bool,
}

/// The document in progress.
pub(super) struct Draft<'a> {
    pub(super) document: Map<String, Value>,
    pub(super) unserved: Map<String, Value>,
    pub(super) writing: &'a Writing<'a>,
}

impl Writing<'_> {
    /// How the client proves who it is before anything is written, as it is shown.
    pub(super) fn proof_before(&self) -> Option<&Value> {
        let (_, before) = self.before?;
        before.get("client_authentication")?.get("primary")
    }

    /// The attribute `name`; none if it is null or not there.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.after.get(name).filter(|value| !value.is_null())
    }

    /// The member `member` of the attribute `name`.
    pub(super) fn member(&self, name: &str, member: &str) -> Option<&Value> {
        self.value(name)?.get(member).filter(|value| !value.is_null())
    }

    /// Whether the attribute `name` is to be another than it is.
    pub(super) fn changes(&self, name: &str) -> bool {
        let before = self.before.map(|(_, before)| before.get(name));
        before.is_none_or(|before| before != self.after.get(name))
    }

    /// Whether the client is to prove who it is.
    pub(super) fn has_proof(&self) -> bool {
        let primary = self.member("client_authentication", "primary");
        primary.is_some_and(|primary| primary.get("no_authentication").is_none())
    }
}

impl Draft<'_> {
    /// Writes `value`, or removes what is there. Nothing is written that would only be empty.
    pub(super) fn set(&mut self, member: &str, value: Option<&Value>) {
        let is_empty = |value: &Value| match value {
            Value::Array(values) => values.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        match value.filter(|value| !is_empty(value)) {
            Some(value) => self.document.insert(member.to_owned(), value.clone()),
            None => self.document.shift_remove(member),
        };
    }

    /// Notes that `value` was given at `path` and has no effect.
    pub(super) fn note(&mut self, path: &[&str], value: &Value) {
        let Some((last, parts)) = path.split_last() else { return };
        let mut place = &mut self.unserved;
        for part in parts {
            let next = place.entry((*part).to_owned()).or_insert_with(|| json!({}));
            match next {
                Value::Object(next) => place = next,
                _ => return,
            }
        }
        place.insert((*last).to_owned(), value.clone());
    }
}
