//! Filters (RFC 7644 §3.4.2.2): what they say, and whether they admit a resource.

mod moment;
mod parse;
mod plan;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::schema::{Attribute, Kind, Named};

use moment::moment;

pub(super) use parse::{filter, path};
pub(super) use plan::{Choice, choices};

/// A filter that was understood.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// The attribute has a value.
    Present(Named),
    Compare(Named, Operator, Operand),
    /// One value of the attribute meets all of it: `emails[type eq "work" and value co "@x.org"]`.
    /// Names within are of the attribute alone.
    Within(Named, Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

/// What an attribute is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Text(String),
    Boolean(bool),
    Null,
}

/// Which values a change is about (RFC 7644 §3.5.2): `emails[type eq "work"].value`.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub named: Named,
    /// Only those values of the attribute.
    pub filter: Option<Filter>,
    /// What of these.
    pub sub: Option<&'static Attribute>,
}

impl Operator {
    pub(super) fn read(text: &str) -> Option<Self> {
        let all = [
            ("eq", Self::Eq),
            ("ne", Self::Ne),
            ("co", Self::Co),
            ("sw", Self::Sw),
            ("ew", Self::Ew),
            ("gt", Self::Gt),
            ("ge", Self::Ge),
            ("lt", Self::Lt),
            ("le", Self::Le),
        ];
        all.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, one)| one)
    }
}

/// What sees an attribute that a filter looks at, and what that is compared with.
type Look<'a> = dyn FnMut(&Named, Option<(Operator, &Operand)>) + 'a;

impl Filter {
    /// Whether it admits `resource`.
    pub(super) fn admits(&self, resource: &Value) -> bool {
        match self {
            Self::And(one, other) => one.admits(resource) && other.admits(resource),
            Self::Or(one, other) => one.admits(resource) || other.admits(resource),
            Self::Not(one) => !one.admits(resource),
            Self::Present(named) => values(resource, named).iter().any(|value| !is_empty(value)),
            Self::Compare(named, Operator::Ne, operand) => {
                !compares(resource, named, Operator::Eq, operand)
            }
            Self::Compare(named, operator, operand) => {
                compares(resource, named, *operator, operand)
            }
            Self::Within(named, filter) => {
                values(resource, named).iter().any(|value| filter.admits(value))
            }
        }
    }

    /// Shows each attribute that it looks at to `look`.
    pub(super) fn each(&self, look: &mut Look<'_>) {
        match self {
            Self::And(one, other) | Self::Or(one, other) => {
                one.each(look);
                other.each(look);
            }
            Self::Not(one) => one.each(look),
            Self::Present(named) => look(named, None),
            Self::Compare(named, operator, operand) => look(named, Some((*operator, operand))),
            Self::Within(named, filter) => filter.each(&mut |inner, compared| {
                // Names within are of the attribute.
                let sub = inner.attribute.or(inner.sub);
                look(&Named { sub, ..*named }, compared);
            }),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The values of an attribute of `resource`: each, if it has several.
pub(super) fn values<'a>(resource: &'a Value, named: &Named) -> Vec<&'a Value> {
    let within = named.extension.map_or(Some(resource), |urn| resource.get(urn));
    let Some(within) = within else { return Vec::new() };
    let Some(attribute) = named.attribute else { return vec![within] };
    let found: Vec<&Value> = match within.get(attribute.name) {
        None => return Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    };
    match named.sub {
        None => found,
        Some(sub) => found.into_iter().filter_map(|value| value.get(sub.name)).collect(),
    }
}

fn compares(resource: &Value, named: &Named, operator: Operator, operand: &Operand) -> bool {
    let found = values(resource, named);
    if *operand == Operand::Null {
        return operator == Operator::Eq && found.iter().all(|value| is_empty(value));
    }
    let last = named.last();
    found.into_iter().any(|value| match (last, value) {
        // Several values with parts are compared by their value.
        (Some(attribute), Value::Object(members)) if attribute.kind == Kind::Complex => {
            let value = attribute.sub.iter().find(|sub| sub.name == "value");
            value
                .zip(members.get("value"))
                .is_some_and(|(sub, value)| meets(sub, value, operator, operand))
        }
        (Some(attribute), value) => meets(attribute, value, operator, operand),
        (None, _) => false,
    })
}

fn meets(attribute: &Attribute, value: &Value, operator: Operator, operand: &Operand) -> bool {
    let (text, operand) = match (value, operand) {
        (Value::Bool(value), Operand::Boolean(operand)) => {
            return operator == Operator::Eq && value == operand;
        }
        (Value::String(value), Operand::Text(operand)) => (value, operand),
        _ => return false,
    };
    let order = match attribute.kind {
        Kind::DateTime => match (moment(text), moment(operand)) {
            (Some(value), Some(operand)) => value.cmp(&operand),
            _ => return false,
        },
        _ if attribute.exact => text.cmp(operand),
        _ => text.to_lowercase().cmp(&operand.to_lowercase()),
    };
    let folded = |text: &str| if attribute.exact { text.to_owned() } else { text.to_lowercase() };
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Co => folded(text).contains(&folded(operand)),
        Operator::Sw => folded(text).starts_with(&folded(operand)),
        Operator::Ew => folded(text).ends_with(&folded(operand)),
    }
}
