//! A document to try on an API that nobody here has seen, made from its schema.

use apollo_compiler::{
    Schema,
    ast::{OperationType, Type},
    schema::ExtendedType,
};

/// How deep input objects are filled in.
const DEPTH: usize = 4;

/// An operation that selects the first field of its root type which can be written down without
/// knowing the API; `None` if there is none.
pub(super) fn operation(sdl: &str, kind: OperationType) -> Option<String> {
    let schema = Schema::parse_and_validate(sdl, "schema").ok()?;
    let root = schema.get_object(schema.root_operation(kind)?)?;
    root.fields.values().find_map(|field| {
        let required = field.arguments.iter().filter(|argument| argument.is_required());
        let arguments: Option<Vec<String>> = required
            .map(|argument| {
                Some(format!("{}: {}", argument.name, value(&schema, &argument.ty, DEPTH)?))
            })
            .collect();
        let arguments = arguments?;
        let arguments = if arguments.is_empty() {
            String::new()
        } else {
            format!("({})", arguments.join(", "))
        };
        let returned = schema.types.get(field.ty.inner_named_type())?;
        let below = if returned.is_leaf() { "" } else { " { __typename }" };
        Some(format!("{kind} {{ {}{arguments}{below} }}", field.name))
    })
}

/// A value that the type `ty` takes.
fn value(schema: &Schema, ty: &Type, depth: usize) -> Option<String> {
    if ty.is_list() {
        return Some("[]".to_owned());
    }
    match schema.types.get(ty.inner_named_type())? {
        ExtendedType::Scalar(scalar) => match scalar.name.as_str() {
            "Int" | "Float" => Some("1".to_owned()),
            "Boolean" => Some("true".to_owned()),
            _ => Some("\"example\"".to_owned()),
        },
        ExtendedType::Enum(choices) => choices.values.keys().next().map(ToString::to_string),
        ExtendedType::InputObject(input) if depth > 0 => {
            let required = input.fields.values().filter(|field| field.is_required());
            let members: Option<Vec<String>> = required
                .map(|field| {
                    Some(format!("{}: {}", field.name, value(schema, &field.ty, depth - 1)?))
                })
                .collect();
            Some(format!("{{{}}}", members?.join(", ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use apollo_compiler::ExecutableDocument;

    use super::*;

    #[test]
    fn an_example_is_valid_for_its_schema() {
        let sdl = "type Query { a(n: Int!, on: Kind!, in: In!, all: [ID!]!, opt: Int): B b: ID }
            enum Kind { X Y } input In { t: String! deep: Deep! opt: Int }
            input Deep { f: Float! b: Boolean! } type B { id: ID }
            type Mutation { write(id: ID!): Int }";
        let schema = Schema::parse_and_validate(sdl, "s").unwrap();
        for (kind, expected) in [
            (
                OperationType::Query,
                "query { a(n: 1, on: X, in: {t: \"example\", deep: {f: 1, b: true}}, all: []) { __typename } }",
            ),
            (OperationType::Mutation, "mutation { write(id: \"example\") }"),
        ] {
            let text = operation(sdl, kind).unwrap();
            assert_eq!(text, expected);
            ExecutableDocument::parse_and_validate(&schema, text, "q").unwrap();
        }
        assert_eq!(operation("type Query { a: Int }", OperationType::Mutation), None);
    }
}
