//! JSON documents as GraphQL objects.

use std::cell::RefCell;

use apollo_compiler::{
    Schema,
    ast::Type,
    resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    schema::ExtendedType,
};
use castellan_issuer::managers::Allowed;
use serde_json::{Map, Value};

use super::error::Failure;

/// How answers of one root field are shaped.
#[derive(Clone, Copy)]
pub(super) struct Shaping<'a> {
    pub(super) schema: &'a Schema,
    /// How the field is allowed, and so which attributes are shown.
    pub(super) allowed: Allowed<'a>,
    /// Types whose fields are attributes ([`ApiSchema::entities`](crate::management_schemas::ApiSchema::entities)).
    pub(super) entities: &'a [(&'static str, &'static str)],
    /// What went wrong so far.
    pub(super) failures: &'a Failures,
}

impl Shaping<'_> {
    /// Whether an item of a list is shown: devices are by their category.
    fn shows(&self, ty: &Type, item: &Value) -> bool {
        ty.inner_named_type() != "Device"
            || self.allowed.covers_device(item["category"]["name"].as_str(), false)
    }
}

/// Failures by number: resolvers can only give the executor a text.
#[derive(Default)]
pub(super) struct Failures(RefCell<Vec<Failure>>);

/// What stands before the number of a failure in the message of an error.
const FAILURE: &str = "failure ";

impl Failures {
    pub(super) fn error(&self, failure: Failure) -> FieldError {
        let mut all = self.0.borrow_mut();
        all.push(failure);
        FieldError { message: format!("{FAILURE}{}", all.len() - 1) }
    }

    /// The failure behind an error of the executor with `message`.
    pub(super) fn behind(&self, message: &str) -> Option<Failure> {
        let number = message.strip_prefix("resolver error: ")?.strip_prefix(FAILURE)?;
        self.0.borrow().get(number.parse::<usize>().ok()?).cloned()
    }
}

/// A JSON object as an object of the schema: each field is the member of its name, and null if there
/// is none.
struct Node<'a> {
    shaping: Shaping<'a>,
    type_name: &'a str,
    members: &'a Map<String, Value>,
    /// The attribute that it is, if it is one; empty for what has attributes.
    attribute: Option<String>,
}

impl Node<'_> {
    /// The attribute that its field `name` is.
    fn attribute(&self, name: &str) -> Option<String> {
        match self.attribute.as_deref()? {
            "" => Some(name.to_owned()),
            above => Some(format!("{above}.{name}")),
        }
    }
}

impl ObjectValue for Node<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let (name, ty) = (info.field_name(), &info.field_definition().ty);
        let attribute = self.attribute(name);
        if attribute.as_ref().is_some_and(|path| !self.shaping.allowed.may_read(path)) {
            return if ty.is_non_null() {
                Err(self.shaping.failures.error(Failure::access_denied()))
            } else {
                Ok(ResolvedValue::null())
            };
        }
        let value = self.members.get(name).unwrap_or(&Value::Null);
        Ok(resolved(self.shaping, ty, value, attribute))
    }
}

/// `value` as a value of the type `ty`, with the attribute that it is.
pub(super) fn resolved<'a>(
    shaping: Shaping<'a>,
    ty: &'a Type,
    value: &'a Value,
    attribute: Option<String>,
) -> ResolvedValue<'a> {
    let leaf = || ResolvedValue::Leaf(value.clone().into());
    match (ty, value) {
        (Type::List(inner) | Type::NonNullList(inner), Value::Array(items)) => {
            let is_shown = move |item: &&Value| shaping.shows(inner, item);
            let item = move |item| resolved(shaping, inner, item, attribute.clone());
            ResolvedValue::list(items.iter().filter(is_shown).map(item))
        }
        (Type::Named(name) | Type::NonNullNamed(name), Value::Object(members)) => {
            let type_name = match shaping.schema.types.get(name) {
                Some(ExtendedType::Object(_)) => name.as_str(),
                Some(ExtendedType::Interface(_) | ExtendedType::Union(_)) => {
                    members.get("__typename").and_then(Value::as_str).unwrap_or_default()
                }
                _ => return leaf(),
            };
            if !shaping.shows(ty, value) {
                return ResolvedValue::null();
            }
            let entity = shaping.entities.iter().find(|(entity, _)| *entity == type_name);
            let attribute = entity.map(|(_, path)| (*path).to_owned()).or(attribute);
            ResolvedValue::object(Node { shaping, type_name, members, attribute })
        }
        _ => leaf(),
    }
}
