//! Constraints of arguments and input fields that stand in the schemas as directives
//! (`docs/contracts/curity.md` §6): `@Size` on texts, `@ContainerSize` and `@ContainerNotEmpty` on
//! lists; and what values the scalars `Long` and `Object` have.

use apollo_compiler::{
    Name, Schema,
    ast::{self, InputValueDefinition, Type},
    collections::IndexMap,
    schema::ExtendedType,
};
use serde_json::{Map, Value, json};

use super::error::Failure;

/// Checks coerced `arguments` of the field `field`.
pub(super) fn check(
    schema: &Schema,
    field: (&str, &ast::FieldDefinition),
    arguments: &Map<String, Value>,
) -> Result<(), Failure> {
    let (name, definition) = field;
    let mut checking = Checking { schema, path: vec![name.to_owned()] };
    for argument in &definition.arguments {
        if let Some(value) = arguments.get(argument.name.as_str()) {
            checking.input(argument, value)?;
        }
    }
    Ok(())
}

struct Checking<'a> {
    schema: &'a Schema,
    /// The way to the value: the field, the argument, members of input objects.
    path: Vec<String>,
}

impl Checking<'_> {
    fn input(&mut self, input: &InputValueDefinition, value: &Value) -> Result<(), Failure> {
        self.path.push(input.name.to_string());
        if !value.is_null() {
            self.directives(input, value)?;
            self.value(&input.ty, value)?;
        }
        self.path.pop();
        Ok(())
    }

    fn directives(&self, input: &InputValueDefinition, value: &Value) -> Result<(), Failure> {
        for directive in &input.directives {
            let bound = |name: &str, default: usize| {
                let bound = directive.specified_argument_by_name(name);
                let bound = bound.and_then(|value| value.to_i32());
                bound.and_then(|bound| usize::try_from(bound).ok()).unwrap_or(default)
            };
            let (min, max) = (bound("min", 0), bound("max", usize::MAX));
            let is_within = |length: usize| (min..=max).contains(&length);
            let is_good = match (directive.name.as_str(), value) {
                ("Size", Value::String(text)) => is_within(text.chars().count()),
                ("Size", Value::Array(items)) => {
                    let mut texts = items.iter().filter_map(Value::as_str);
                    texts.all(|text| is_within(text.chars().count()))
                }
                ("ContainerSize", Value::Array(items)) => is_within(items.len()),
                ("ContainerNotEmpty", Value::Array(items)) => !items.is_empty(),
                _ => true,
            };
            if !is_good {
                let what = match directive.name.as_str() {
                    "ContainerNotEmpty" => "must not be empty".to_owned(),
                    _ if max == usize::MAX => format!("size must be at least {min}"),
                    _ => format!("size must be between {min} and {max}"),
                };
                return Err(self.failure(&what).with("constraint", format!("@{}", directive.name)));
            }
        }
        Ok(())
    }

    fn value(&mut self, ty: &Type, value: &Value) -> Result<(), Failure> {
        match (ty, value) {
            (_, Value::Null) => Ok(()),
            (Type::List(inner) | Type::NonNullList(inner), Value::Array(items)) => {
                items.iter().try_for_each(|item| self.value(inner, item))
            }
            // One item stands for a list of it.
            (Type::List(inner) | Type::NonNullList(inner), item) => self.value(inner, item),
            (Type::Named(name) | Type::NonNullNamed(name), value) => self.named(name, value),
        }
    }

    fn named(&mut self, name: &Name, value: &Value) -> Result<(), Failure> {
        match (self.schema.types.get(name), value) {
            (Some(ExtendedType::InputObject(object)), Value::Object(members)) => {
                self.members(&object.fields, members)
            }
            (Some(ExtendedType::Scalar(_)), value) => match name.as_str() {
                "Long" if !value.is_i64() => Err(self.failure("must be a 64-bit integer")),
                "Object" if !value.is_object() => Err(self.failure("must be an object")),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn members(
        &mut self,
        fields: &IndexMap<Name, apollo_compiler::schema::Component<InputValueDefinition>>,
        members: &Map<String, Value>,
    ) -> Result<(), Failure> {
        for (name, field) in fields {
            if let Some(value) = members.get(name.as_str()) {
                self.input(field, value)?;
            }
        }
        Ok(())
    }

    fn failure(&self, what: &str) -> Failure {
        let path = self.path.join("/");
        Failure::validation(format!("/{path} {what}")).with("validatedPath", json!(self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDL: &str = "
        directive @Size(min: Int = 0, max: Int = 2147483647) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
        directive @ContainerSize(min: Int = 0, max: Int = 2147483647) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
        directive @ContainerNotEmpty on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
        scalar Long
        scalar Object
        type Query { f(a: String @Size(min: 1, max: 3), l: [String!] @ContainerSize(min: 1, max: 2) @Size(min: 2), i: [I!], n: Long): Int }
        input I { b: String @Size(max: 2), c: [Int] @ContainerNotEmpty, o: Object }
    ";

    #[test]
    fn constraints_hold_for_arguments_and_for_members_of_input_objects() {
        let schema = Schema::parse_and_validate(SDL, "s").unwrap();
        let definition = schema.type_field("Query", "f").unwrap();
        for (arguments, way) in [
            (json!({}), None),
            (json!({"a": "äöü", "l": ["xy"], "i": [{"b": "xy", "c": [1], "o": {}}], "n": 9}), None),
            (json!({"a": null, "i": [{"b": null}]}), None),
            (json!({"a": ""}), Some(vec!["f", "a"])),
            (json!({"a": "abcd"}), Some(vec!["f", "a"])),
            (json!({"l": []}), Some(vec!["f", "l"])),
            (json!({"l": ["x"]}), Some(vec!["f", "l"])),
            (json!({"l": ["xy", "xy", "xy"]}), Some(vec!["f", "l"])),
            (json!({"i": [{}, {"b": "abc"}]}), Some(vec!["f", "i", "b"])),
            (json!({"i": [{"c": []}]}), Some(vec!["f", "i", "c"])),
            (json!({"i": [{"o": "x"}]}), Some(vec!["f", "i", "o"])),
            (json!({"n": "1"}), Some(vec!["f", "n"])),
            (json!({"n": 1.5}), Some(vec!["f", "n"])),
        ] {
            let found = check(&schema, ("f", definition), arguments.as_object().unwrap());
            let found = found.err().map(|failure| failure.to_json(None, false));
            let path = found.as_ref().map(|error| error["extensions"]["validatedPath"].clone());
            assert_eq!(path, way.map(|way| json!(way)), "{arguments}");
        }
    }
}
