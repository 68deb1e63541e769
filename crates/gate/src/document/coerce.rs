//! Values of variables, checked against the types that the document declares for them (GraphQL
//! specification §6.1.2). They are forwarded as they were sent; the coerced values are used for
//! local fields and for `@skip` and `@include`.
//!
//! Numbers are taken as graphql-js takes them, which knows one kind: `1.0` is an `Int`, and every
//! integer is an `ID` and a `Float`, whatever its size (§3.5).

use std::{borrow::Cow, collections::HashMap};

use apollo_compiler::{
    Schema,
    ast::Type,
    executable::Operation,
    parser::SourceSpan,
    response::{JsonMap, JsonValue},
    schema::{ExtendedType, InputObjectType},
};

use super::{
    arguments,
    numbers::{exact, id, whole_or_double},
};
use crate::{
    envelope::Variables,
    json::{Json, JsonString},
};

/// A value that does not fit, or one that is missing.
pub(super) struct CoercionError {
    pub(super) message: String,
    pub(super) at: Option<SourceSpan>,
}

impl CoercionError {
    const fn new(message: String) -> Self {
        Self { message, at: None }
    }
}

/// The values of the variables of `operation`, of those that are `given` and of defaults.
pub(super) fn coerce_variables(
    schema: &Schema,
    operation: &Operation,
    given: &Variables,
) -> Result<JsonMap, CoercionError> {
    let mut coerced = JsonMap::new();
    if operation.variables.is_empty() {
        return Ok(coerced);
    }
    let given: HashMap<_, _> = given.iter().collect();
    for definition in &operation.variables {
        let name = definition.name.as_str();
        let value = if let Some(text) = given.get(name) {
            let of = format!("variable {name}");
            // What is given has been read before.
            let value = Json::read(text).ok_or_else(|| does_not_fit(&of, text, &definition.ty))?;
            Coercion { schema, of: &of }.coerce(&definition.ty, &value)?
        } else if let Some(default) = &definition.default_value {
            arguments::typed(schema, &definition.ty, default, None)
        } else if definition.ty.is_non_null() {
            let message = format!("missing value for non-null variable '{name}'");
            return Err(CoercionError { message, at: definition.location() });
        } else {
            continue;
        };
        coerced.insert(name, value);
    }
    Ok(coerced)
}

/// One value on its way.
struct Coercion<'a> {
    schema: &'a Schema,
    /// Whose value it is, in words.
    of: &'a str,
}

impl Coercion<'_> {
    fn coerce(&self, ty: &Type, value: &Json<'_>) -> Result<JsonValue, CoercionError> {
        if value.is_null() {
            if ty.is_non_null() {
                let message = format!("null value for {} of non-null type {ty}", self.of);
                return Err(CoercionError::new(message));
            }
            return Ok(JsonValue::Null);
        }
        let name = match ty {
            Type::List(item) | Type::NonNullList(item) => {
                // A value that is not a list counts as a list of one item (§3.11).
                let items = if let Json::Array(items) = value {
                    items
                } else {
                    std::slice::from_ref(value)
                };
                return items.iter().map(|value| self.coerce(item, value)).collect();
            }
            Type::Named(name) | Type::NonNullNamed(name) => name,
        };
        let coerced = match self.schema.types.get(name) {
            Some(ExtendedType::Scalar(_)) => scalar(name, value),
            Some(ExtendedType::Enum(definition)) => text(value)
                .filter(|text| definition.values.contains_key(&**text))
                .map(|text| JsonValue::from(&*text)),
            Some(ExtendedType::InputObject(definition)) => match value {
                Json::Object(members) => return self.object(definition, members),
                _ => None,
            },
            // Validation lets no variable be of another type.
            _ => None,
        };
        coerced.ok_or_else(|| does_not_fit(self.of, value, ty))
    }

    fn object(
        &self,
        definition: &InputObjectType,
        members: &[(JsonString<'_>, Json<'_>)],
    ) -> Result<JsonValue, CoercionError> {
        let type_name = &definition.name;
        let mut given = HashMap::with_capacity(members.len());
        for (name, value) in members {
            let known = name.text().filter(|name| definition.fields.contains_key(&**name));
            let Some(known) = known else {
                let name = String::from_utf8_lossy(&name.bytes()).into_owned();
                let message = format!("Input object has key {name} not in type {type_name}");
                return Err(CoercionError::new(message));
            };
            given.insert(known, value);
        }
        let mut coerced = JsonMap::new();
        for (name, field) in &definition.fields {
            let of = format!("input field {type_name}.{name}");
            let value = if let Some(value) = given.get(name.as_str()) {
                Coercion { of: &of, ..*self }.coerce(&field.ty, value)?
            } else if let Some(default) = &field.default_value {
                arguments::typed(self.schema, &field.ty, default, Some(field))
            } else if field.ty.is_non_null() {
                let message = format!("Missing value for non-null {of}");
                return Err(CoercionError::new(message));
            } else {
                continue;
            };
            coerced.insert(name.as_str(), value);
        }
        Ok(coerced.into())
    }
}

/// A value of the scalar type `name`; those that are not built in take any.
fn scalar(name: &str, value: &Json<'_>) -> Option<JsonValue> {
    match name {
        "Int" => {
            let integer = integer(value)?;
            let within = f64::from(i32::MIN)..=f64::from(i32::MAX);
            #[expect(clippy::cast_possible_truncation, reason = "within the bounds")]
            within.contains(&integer).then(|| JsonValue::from(integer as i32))
        }
        "Float" => number(value).map(whole_or_double),
        "ID" => match value {
            Json::Number(digits) => integer(value).map(|whole| id(whole, digits)),
            _ => text(value).map(|text| JsonValue::from(&*text)),
        },
        "String" => text(value).map(|text| JsonValue::from(&*text)),
        "Boolean" => matches!(value, Json::Bool(_)).then(|| plain(value)),
        _ => Some(plain(value)),
    }
}

/// The nearest double-precision number that is finite, if it is a number.
fn number(value: &Json<'_>) -> Option<f64> {
    let Json::Number(digits) = value else { return None };
    digits.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The same, if it has no fraction.
fn integer(value: &Json<'_>) -> Option<f64> {
    number(value).filter(|number| number.fract() == 0.0)
}

/// What a string says. Half of a surrogate pair is a string to graphql-js as well.
fn text<'a>(value: &Json<'a>) -> Option<Cow<'a, str>> {
    let Json::String(string) = value else { return None };
    let lossy = || String::from_utf8_lossy(&string.bytes()).into_owned().into();
    Some(string.text().unwrap_or_else(lossy))
}

/// As near as our own types come to a value that only the API reads.
fn plain(value: &Json<'_>) -> JsonValue {
    match value {
        Json::Null => JsonValue::Null,
        Json::Bool(value) => (*value).into(),
        Json::Number(digits) => exact(digits),
        Json::String(_) => text(value).as_deref().unwrap_or_default().into(),
        Json::Array(items) => items.iter().map(plain).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| {
                (String::from_utf8_lossy(&name.bytes()).into_owned(), plain(value))
            })
            .collect(),
    }
}

fn does_not_fit(of: &str, value: impl std::fmt::Display, ty: &Type) -> CoercionError {
    let name = ty.inner_named_type();
    CoercionError::new(format!("could not coerce {of}: {value} to type {name}"))
}
