//! From what an API shows of itself to SDL.

use serde_json::Value;

const BUILT_IN: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];
const BUILT_IN_DIRECTIVES: [&str; 5] = ["deprecated", "include", "oneOf", "skip", "specifiedBy"];
/// Where a directive may stand (specification of September 2025 §3.13).
const LOCATIONS: [&str; 19] = [
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
    "SCHEMA",
    "SCALAR",
    "OBJECT",
    "FIELD_DEFINITION",
    "ARGUMENT_DEFINITION",
    "INTERFACE",
    "UNION",
    "ENUM",
    "ENUM_VALUE",
    "INPUT_OBJECT",
    "INPUT_FIELD_DEFINITION",
];

/// The SDL of `__schema`; `None` if it has names or types that SDL cannot.
pub(super) fn of(schema: &Value) -> Option<String> {
    let mut out = format!("{}schema {{\n", description(schema));
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
    // Places that later drafts have, such as `DIRECTIVE_DEFINITION`, are none in a request.
    let locations = list(directive, "locations").filter_map(Value::as_str);
    let locations: Vec<_> = locations.filter(|one| LOCATIONS.contains(one)).collect();
    if BUILT_IN_DIRECTIVES.contains(&name) || locations.is_empty() {
        return Some(String::new());
    }
    let repeatable = if is(directive, "isRepeatable") { " repeatable" } else { "" };
    let (head, arguments) = (description(directive), arguments(directive)?);
    Some(format!("{head}directive @{name}{arguments}{repeatable} on {}\n", locations.join(" | ")))
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
        "SCALAR" => format!("{head}scalar {name}{}\n", specified_by(definition)),
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
            let one_of = if is(definition, "isOneOf") { " @oneOf" } else { "" };
            format!("{head}input {name}{one_of}{}\n", body(inputs)?)
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
    let (head, ty) = (description(value), type_of(value.get("type")?)?);
    Some(format!("{head}{}: {ty}{default}{}", name(value)?, deprecated(value)))
}

fn type_of(ty: &Value) -> Option<String> {
    match ty.get("kind")?.as_str()? {
        "NON_NULL" => Some(format!("{}!", type_of(ty.get("ofType")?)?)),
        "LIST" => Some(format!("[{}]", type_of(ty.get("ofType")?)?)),
        _ => name(ty).map(ToOwned::to_owned),
    }
}

/// Where the meaning of a scalar is written down.
fn specified_by(scalar: &Value) -> String {
    let url = scalar.get("specifiedByURL").and_then(Value::as_str);
    url.map_or_else(String::new, |url| format!(" @specifiedBy(url: {})", Value::from(url)))
}

fn is(of: &Value, member: &str) -> bool {
    of.get(member).and_then(Value::as_bool) == Some(true)
}

fn deprecated(of: &Value) -> String {
    if !is(of, "isDeprecated") {
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
    use serde_json::json;

    use super::super::{OFFER_QUERY, Offer, sdl_of};

    /// What an API with `schema` answers to `query`.
    fn answer(schema: &apollo_compiler::validation::Valid<Schema>, query: &str) -> Vec<u8> {
        let document = ExecutableDocument::parse_and_validate(schema, query, "q").unwrap();
        let operation = document.operations.get(None).unwrap();
        let variables = coerce_variable_values(schema, operation, &JsonMap::default()).unwrap();
        let implementers = schema.implementers_map();
        let shown =
            introspection::partial_execute(schema, &implementers, &document, operation, &variables);
        serde_json::to_vec(&shown.unwrap()).unwrap()
    }

    #[test]
    fn a_place_that_no_request_has_leaves_a_directive_its_others() {
        let directive = |name: &str, locations: &[&str]| json!({"name": name, "locations": locations, "args": []});
        let shown = json!({"data": {"__schema": {
            "queryType": {"name": "Query"},
            "types": [{"kind": "OBJECT", "name": "Query", "fields": [
                {"name": "a", "args": [], "type": {"kind": "SCALAR", "name": "Int"}},
            ]}],
            "directives": [
                directive("both", &["FIELD", "DIRECTIVE_DEFINITION"]),
                directive("new", &["DIRECTIVE_DEFINITION", "} type Query {"]),
            ],
        }}});
        let sdl = sdl_of(http::StatusCode::OK, shown.to_string().as_bytes()).unwrap();
        let schema = Schema::parse_and_validate(&sdl, "sdl").unwrap();
        assert!(schema.directive_definitions.contains_key("both"), "{sdl}");
        assert!(!sdl.contains("@new") && !sdl.contains("DIRECTIVE_DEFINITION"), "{sdl}");
    }

    #[test]
    fn what_an_api_shows_reads_back_as_its_schema() {
        let more = "
            \"\"\"Of many\nlines\"\"\" directive @tag(
                \"why\" name: String! old: [Int!] = [1] @deprecated(reason: \"say \\\"name\\\"\")
            ) repeatable on FIELD | QUERY
            scalar Odd @specifiedBy(url: \"https://odd.test/?a=\\\"\")
            input Filter { new: Odd, old: Float = 1.50 @deprecated }
            type Odds { odd(by: Filter, was: Odd @deprecated(reason: \"gone\")): Odd }";
        let sdl = format!("{}{more}", crate::sample_api::Archive::sdl());
        let schema = Schema::parse_and_validate(&sdl, "archive").unwrap();
        let offer = Offer::read(&answer(&schema, OFFER_QUERY)).unwrap();
        let shown = answer(&schema, &offer.introspection_query());
        let back = sdl_of(http::StatusCode::OK, &shown).unwrap();
        let again = Schema::parse_and_validate(back, "back").unwrap();
        let printed = |schema: &Schema| {
            let types = schema.types.iter().map(|(name, ty)| (name.to_string(), ty.to_string()));
            let directives = schema.directive_definitions.iter();
            let directives = directives.map(|(name, one)| (format!("@{name}"), one.to_string()));
            types.chain(directives).collect::<std::collections::BTreeMap<_, _>>()
        };
        for (name, before) in printed(&schema) {
            // A reason that is not told is the default one, which the API writes out.
            let before =
                before.replace("@deprecated\n", "@deprecated(reason: \"No longer supported\")\n");
            assert_eq!(printed(&again).get(&name), Some(&before), "{name}");
        }
    }
}
