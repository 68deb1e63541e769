//! JSON documents as GraphQL objects.

use apollo_compiler::{
    Schema,
    ast::Type,
    resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    schema::ExtendedType,
};
use serde_json::{Map, Value};

/// A JSON object as an object of the schema: each field is the member of its name, and null if there
/// is none.
struct Node<'a> {
    type_name: &'a str,
    members: &'a Map<String, Value>,
}

impl ObjectValue for Node<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let value = self.members.get(info.field_name()).unwrap_or(&Value::Null);
        Ok(resolved(info.schema(), &info.field_definition().ty, value))
    }
}

/// `value` as a value of the type `ty`.
pub(super) fn resolved<'a>(
    schema: &'a Schema,
    ty: &'a Type,
    value: &'a Value,
) -> ResolvedValue<'a> {
    let leaf = || ResolvedValue::Leaf(value.clone().into());
    match (ty, value) {
        (Type::List(inner) | Type::NonNullList(inner), Value::Array(items)) => {
            ResolvedValue::list(items.iter().map(move |item| resolved(schema, inner, item)))
        }
        (Type::Named(name) | Type::NonNullNamed(name), Value::Object(members)) => {
            let named = || members.get("__typename").and_then(Value::as_str);
            match schema.types.get(name) {
                Some(ExtendedType::Object(_)) => {
                    ResolvedValue::object(Node { type_name: name.as_str(), members })
                }
                Some(ExtendedType::Interface(_) | ExtendedType::Union(_)) => {
                    ResolvedValue::object(Node { type_name: named().unwrap_or_default(), members })
                }
                _ => leaf(),
            }
        }
        _ => leaf(),
    }
}
