//! From an API's answer about itself to SDL.

use serde_json::Value;

/// Asks for everything that a schema needs (GraphQL specification §4).
pub(super) const INTROSPECTION_QUERY: &str = "
query {
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types {
      kind name description specifiedByURL
      fields(includeDeprecated: true) {
        name description isDeprecated deprecationReason
        args { ...Input } type { ...Type }
      }
      inputFields { ...Input }
      interfaces { name }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { name }
    }
    directives { name description locations args { ...Input } }
  }
}
fragment Input on __InputValue { name description defaultValue type { ...Type } }
fragment Type on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType {
    kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }
}";

const BUILT_IN: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];
const BUILT_IN_DIRECTIVES: [&str; 5] = ["deprecated", "include", "oneOf", "skip", "specifiedBy"];

/// The SDL of an introspection answer; `None` if it is none.
pub(super) fn sdl_of(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let schema = answer.get("data")?.get("__schema")?;
    let mut out = String::from("schema {\n");
    for (member, root) in
        [("queryType", "query"), ("mutationType", "mutation"), ("subscriptionType", "subscription")]
    {
        if let Some(name) = schema.get(member).and_then(|of| of.get("name")).and_then(Value::as_str)
        {
            out.extend(["  ", root, ": ", plain(name)?, "\n"]);
        }
    }
    out.push_str("}\n");
    for directive in list(schema, "directives") {
        out.push_str(&directive_sdl(directive)?);
    }
    for definition in list(schema, "types") {
        out.push_str(&type_sdl(definition)?);
    }
    Some(out)
}

fn directive_sdl(directive: &Value) -> Option<String> {
    let name = name(directive)?;
    let locations: Vec<_> =
        list(directive, "locations").filter_map(Value::as_str).map(plain).collect();
    let locations: Option<Vec<_>> = locations.into_iter().collect();
    let locations = locations?;
    if BUILT_IN_DIRECTIVES.contains(&name) || locations.is_empty() {
        return Some(String::new());
    }
    Some(format!("directive @{name}{} on {}\n", arguments(directive)?, locations.join(" | ")))
}

fn type_sdl(definition: &Value) -> Option<String> {
    let name = name(definition)?;
    if name.starts_with("__") || BUILT_IN.contains(&name) {
        return Some(String::new());
    }
    let head = description(definition);
    let implements: Option<Vec<_>> = list(definition, "interfaces").map(self::name).collect();
    let implements = implements?;
    let implements = if implements.is_empty() {
        String::new()
    } else {
        format!(" implements {}", implements.join(" & "))
    };
    let body = |lines: Option<Vec<String>>| {
        let lines = lines?;
        Some(if lines.is_empty() { String::new() } else { format!(" {{\n{}}}", lines.concat()) })
    };
    let fields = || body(list(definition, "fields").map(field).collect());
    Some(match definition.get("kind")?.as_str()? {
        "SCALAR" => format!("{head}scalar {name}\n"),
        "OBJECT" => format!("{head}type {name}{implements}{}\n", fields()?),
        "INTERFACE" => format!("{head}interface {name}{implements}{}\n", fields()?),
        "UNION" => {
            let members: Option<Vec<_>> =
                list(definition, "possibleTypes").map(self::name).collect();
            format!("{head}union {name} = {}\n", members?.join(" | "))
        }
        "ENUM" => {
            let values: Option<Vec<_>> = list(definition, "enumValues")
                .map(|value| {
                    let line = format!("{}  {}", description(value), self::name(value)?);
                    Some(format!("{line}{}\n", deprecated(value)))
                })
                .collect();
            format!("{head}enum {name}{}\n", body(values)?)
        }
        "INPUT_OBJECT" => {
            let inputs: Option<Vec<_>> = list(definition, "inputFields")
                .map(|value| Some(format!("  {}\n", input(value)?)))
                .collect();
            format!("{head}input {name}{}\n", body(inputs)?)
        }
        _ => return None,
    })
}

fn field(field: &Value) -> Option<String> {
    let (head, name, ty) = (description(field), name(field)?, type_of(field.get("type")?)?);
    Some(format!("{head}  {name}{}: {ty}{}\n", arguments(field)?, deprecated(field)))
}

fn arguments(of: &Value) -> Option<String> {
    let inputs: Option<Vec<_>> = list(of, "args").map(input).collect();
    let inputs = inputs?;
    Some(if inputs.is_empty() { String::new() } else { format!("({})", inputs.join(", ")) })
}

fn input(value: &Value) -> Option<String> {
    let default = value.get("defaultValue").and_then(Value::as_str);
    let default = default.map_or_else(String::new, |text| format!(" = {text}"));
    Some(format!("{}: {}{default}", name(value)?, type_of(value.get("type")?)?))
}

fn type_of(ty: &Value) -> Option<String> {
    match ty.get("kind")?.as_str()? {
        "NON_NULL" => Some(format!("{}!", type_of(ty.get("ofType")?)?)),
        "LIST" => Some(format!("[{}]", type_of(ty.get("ofType")?)?)),
        _ => name(ty).map(ToOwned::to_owned),
    }
}

fn deprecated(of: &Value) -> String {
    if of.get("isDeprecated").and_then(Value::as_bool) != Some(true) {
        return String::new();
    }
    match of.get("deprecationReason").and_then(Value::as_str) {
        // A JSON string is a GraphQL string.
        Some(reason) => format!(" @deprecated(reason: {})", Value::from(reason)),
        None => " @deprecated".to_owned(),
    }
}

fn description(of: &Value) -> String {
    match of.get("description").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        Some(text) => format!("{}\n", Value::from(text)),
        None => String::new(),
    }
}

fn name(of: &Value) -> Option<&str> {
    plain(of.get("name")?.as_str()?)
}

/// A GraphQL name: what an API says of itself must not be able to add to our SDL.
fn plain(name: &str) -> Option<&str> {
    let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (good && !name.is_empty()).then_some(name)
}

fn list<'a>(of: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    of.get(member).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use apollo_compiler::{
        ExecutableDocument, Schema, introspection, request::coerce_variable_values,
        response::JsonMap,
    };

    use super::*;

    #[test]
    fn what_an_api_shows_reads_back_as_its_schema() {
        let sdl = crate::sample_api::Archive::sdl();
        let schema = Schema::parse_and_validate(&sdl, "archive").unwrap();
        let document =
            ExecutableDocument::parse_and_validate(&schema, INTROSPECTION_QUERY, "q").unwrap();
        let operation = document.operations.get(None).unwrap();
        let variables = coerce_variable_values(&schema, operation, &JsonMap::default()).unwrap();
        let implementers = schema.implementers_map();
        let shown = introspection::partial_execute(
            &schema,
            &implementers,
            &document,
            operation,
            &variables,
        )
        .unwrap();
        let back = sdl_of(&serde_json::to_vec(&shown).unwrap()).unwrap();
        let again = Schema::parse_and_validate(back, "back").unwrap();
        for (name, definition) in &schema.types {
            let other = &again.types[name];
            assert_eq!(definition.is_built_in(), other.is_built_in(), "{name}");
            if let (Some(ours), Some(theirs)) = (definition.as_object(), other.as_object()) {
                let fields = |of: &apollo_compiler::schema::ObjectType| {
                    of.fields.iter().map(|(n, f)| format!("{n}: {}", f.ty)).collect::<Vec<_>>()
                };
                assert_eq!(fields(ours), fields(theirs), "{name}");
            }
        }
    }

    #[test]
    fn no_schema_is_none() {
        for answer in [
            "",
            "{}",
            r#"{"data":null}"#,
            r#"{"data":{"__schema":{"types":[{"kind":"OBJECT","name":"A } type B"}]}}}"#,
        ] {
            assert!(sdl_of(answer.as_bytes()).is_none(), "{answer}");
        }
    }
}
