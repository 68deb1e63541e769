//! Which attributes a caller wants to see (RFC 7644 §3.9), and which they may.

use serde_json::{Map, Value};

use super::{
    caller::rule_path,
    error::ScimError,
    schema::{Attribute, Named, Returned, Type},
};
use crate::managers::Allowed;

/// Which attributes are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// Those alone; none: all.
    wanted: Option<Vec<Named>>,
    unwanted: Vec<Named>,
}

impl Selection {
    /// What `attributes` and `excludedAttributes` say about resources of `kind`. Where there are several
    /// kinds (`is_lenient`), names of others say nothing.
    pub(super) fn read(
        kind: &Type,
        attributes: Option<&str>,
        excluded: Option<&str>,
        is_lenient: bool,
    ) -> Result<Self, ScimError> {
        if attributes.is_some() && excluded.is_some() {
            let text = "attributes and excludedAttributes exclude each other";
            return Err(ScimError::value(text));
        }
        let named = |list: &str| {
            let listed = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            let mut all = Vec::new();
            for name in listed {
                match kind.named(name) {
                    Some(named) => all.push(named),
                    None if is_lenient => {}
                    None => {
                        let name: String = name.chars().take(64).collect();
                        let text = format!("{name:?} is not an attribute of {}", kind.name);
                        return Err(ScimError::value(text));
                    }
                }
            }
            Ok(all)
        };
        Ok(Self {
            wanted: attributes.map(named).transpose()?,
            unwanted: excluded.map(named).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether something of the attribute `name` is wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        let is_it = |named: &Named| named.attribute.is_some_and(|one| one.name == name);
        match &self.wanted {
            Some(wanted) => wanted.iter().any(is_it),
            None => !self.unwanted.iter().any(|one| is_it(one) && one.sub.is_none()),
        }
    }

    /// What of `resource` is wanted and may be read.
    pub(super) fn of(&self, kind: &'static Type, allowed: &Allowed<'_>, resource: Value) -> Value {
        let Value::Object(members) = resource else { return resource };
        let shown = Shown { selection: self, kind, allowed, extension: None };
        let mut kept = Map::new();
        for (name, value) in members {
            let extension = kind.extension.filter(|(urn, ..)| *urn == name);
            let value = match (extension, kind.attributes.iter().find(|one| one.name == name)) {
                (Some((urn, _, attributes)), _) => {
                    Shown { extension: Some(urn), ..shown }.members(attributes, value)
                }
                (None, Some(attribute)) => shown.attribute(attribute, value),
                (None, None) => None,
            };
            kept.extend(value.map(|value| (name, value)));
        }
        Value::Object(kept)
    }
}

#[derive(Clone, Copy)]
struct Shown<'a> {
    selection: &'a Selection,
    kind: &'static Type,
    allowed: &'a Allowed<'a>,
    extension: Option<&'static str>,
}

impl Shown<'_> {
    fn members(self, attributes: &'static [Attribute], value: Value) -> Option<Value> {
        let Value::Object(members) = value else { return None };
        let kept: Map<_, _> = members
            .into_iter()
            .filter_map(|(name, value)| {
                let attribute = attributes.iter().find(|one| one.name == name)?;
                Some((name, self.attribute(attribute, value)?))
            })
            .collect();
        (!kept.is_empty()).then_some(Value::Object(kept))
    }

    fn attribute(self, attribute: &'static Attribute, value: Value) -> Option<Value> {
        let named = Named { extension: self.extension, attribute: Some(attribute), sub: None };
        match attribute.returned {
            Returned::Always => return Some(value),
            Returned::Never => return None,
            Returned::Default => {}
        }
        if attribute.sub.is_empty() {
            return self.shows(&named).then_some(value);
        }
        let parts = |value: Value| {
            let Value::Object(parts) = value else { return None };
            let kept: Map<_, _> = parts
                .into_iter()
                .filter(|(name, _)| {
                    let sub = attribute.sub.iter().find(|sub| sub.name == name);
                    sub.is_some_and(|sub| self.shows(&Named { sub: Some(sub), ..named }))
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        };
        match value {
            Value::Array(values) => {
                let kept: Vec<Value> = values.into_iter().filter_map(parts).collect();
                (!kept.is_empty()).then_some(Value::Array(kept))
            }
            value => parts(value),
        }
    }

    fn shows(self, named: &Named) -> bool {
        let name = |one: Option<&'static Attribute>| one.map(|one| one.name);
        // One is the other, or something of it.
        let covers = |one: &Named| {
            one.extension == named.extension
                && (one.attribute.is_none()
                    || name(one.attribute) == name(named.attribute)
                        && (one.sub.is_none() || name(one.sub) == name(named.sub)))
        };
        let is_wanted = match &self.selection.wanted {
            Some(wanted) => wanted.iter().any(covers),
            None => !self.selection.unwanted.iter().any(covers),
        };
        is_wanted && self.allowed.may_read(&rule_path(self.kind, named))
    }
}
