//! What an API's introspection offers, and the query that asks for all of it.

use std::collections::BTreeSet;

use serde_json::Value;

/// Asks which fields the types of introspection have, and which of them take `includeDeprecated`. It
/// has one `__schema`, no `__type` and one `fields`: some libraries refuse a document with more.
pub(in crate::guards) const OFFER_QUERY: &str =
    "query { __schema { types { name fields { name args { name } } } } }";

/// The types of introspection, and what they are called here.
const TYPES: [(&str, &str); 5] = [
    ("__Schema", "schema"),
    ("__Type", "type"),
    ("__Field", "field"),
    ("__InputValue", "input"),
    ("__Directive", "directive"),
];

/// What an API's introspection offers. By default that of the specification of June 2018.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::guards) struct Offer {
    /// `type.field`, for every field.
    fields: BTreeSet<String>,
    /// The same, for those that take `includeDeprecated`.
    deprecated: BTreeSet<String>,
    is_known: bool,
}

impl Offer {
    /// Reads the answer to [`OFFER_QUERY`]; `None` if it does not tell.
    pub(in crate::guards) fn read(answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let types = answer.get("data")?.get("__schema")?.get("types")?.as_array()?;
        let mut offer = Self { is_known: true, ..Self::default() };
        for (name, ty) in TYPES {
            let is_it = |shown: &&Value| shown.get("name").and_then(Value::as_str) == Some(name);
            for field in types.iter().find(is_it)?.get("fields")?.as_array()? {
                let name = format!("{ty}.{}", field.get("name")?.as_str()?);
                let arguments = field.get("args").and_then(Value::as_array);
                let takes = |argument: &Value| argument.get("name")?.as_str().map(str::to_owned);
                let mut arguments = arguments.into_iter().flatten().filter_map(takes);
                if arguments.any(|argument| argument == "includeDeprecated") {
                    offer.deprecated.insert(name.clone());
                }
                offer.fields.insert(name);
            }
        }
        Some(offer)
    }

    /// The query that asks for the schema with all that is offered.
    pub(in crate::guards) fn introspection_query(&self) -> String {
        // Since the specification of October 2021, of September 2025, and in drafts before.
        let later = |ty: &str, field: &'static str| {
            if self.fields.contains(&format!("{ty}.{field}")) { field } else { "" }
        };
        let with_deprecated = |name: &str, from_the_start: bool| {
            let takes = self.deprecated.contains(name) || (from_the_start && !self.is_known);
            if takes { "(includeDeprecated: true)" } else { "" }
        };
        let url = match (later("type", "specifiedByURL"), later("type", "specifiedByUrl")) {
            ("", "") => "",
            // The spelling of a draft, which some libraries had.
            ("", draft) => &format!("specifiedByURL: {draft}"),
            (url, _) => url,
        };
        let [fields, values, inputs, arguments, of_directives, directives] = [
            ("type.fields", true),
            ("type.enumValues", true),
            ("type.inputFields", false),
            ("field.args", false),
            ("directive.args", false),
            ("schema.directives", false),
        ]
        .map(|(name, from_the_start)| with_deprecated(name, from_the_start));
        let one_of = later("type", "isOneOf");
        let repeatable = later("directive", "isRepeatable");
        let description = later("schema", "description");
        let (is_deprecated, reason) =
            (later("input", "isDeprecated"), later("input", "deprecationReason"));
        format!(
            "
query {{
  __schema {{
    {description}
    queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
    types {{
      kind name description {url} {one_of}
      fields{fields} {{
        name description isDeprecated deprecationReason
        args{arguments} {{ ...Input }} type {{ ...Type }}
      }}
      inputFields{inputs} {{ ...Input }}
      interfaces {{ name }}
      enumValues{values} {{ name description isDeprecated deprecationReason }}
      possibleTypes {{ name }}
    }}
    directives{directives} {{
      name description locations {repeatable} args{of_directives} {{ ...Input }}
    }}
  }}
}}
fragment Input on __InputValue {{
  name description defaultValue {is_deprecated} {reason} type {{ ...Type }}
}}
fragment Type on __Type {{
  kind name ofType {{ kind name ofType {{ kind name ofType {{ kind name ofType {{ kind name ofType {{
    kind name ofType {{ kind name ofType {{ kind name ofType {{ kind name ofType {{ kind name
  }} }} }} }} }} }} }} }} }}
}}"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_api_is_asked_for_what_it_offers_and_no_more() {
        let least = Offer::default().introspection_query();
        for none in
            ["", "{\"errors\":[]}", r#"{"data":{"__schema":{"types":[{"name":"__Type"}]}}}"#]
        {
            assert_eq!(Offer::read(none.as_bytes()), None, "{none}");
        }
        for name in ["specifiedBy", "isOneOf", "isRepeatable", "args(", "inputFields("] {
            assert!(!least.contains(name), "{name}: {least}");
        }
        assert!(least.contains("fields(includeDeprecated: true)"), "{least}");
        let field = |name: &str| json!({"name": name, "args": [{"name": "includeDeprecated"}]});
        let plain = |name: &str| json!({"name": name, "args": []});
        let offered = json!({"data": {"__schema": {"types": [
            {"name": "Query", "fields": [plain("isOneOf")]},
            {"name": "Int", "fields": null},
            {"name": "__Schema", "fields": [plain("description"), field("directives")]},
            {"name": "__Type", "fields":
                [plain("specifiedByUrl"), plain("isOneOf"), plain("fields"), field("inputFields")]},
            {"name": "__Field", "fields": [field("args")]},
            {"name": "__InputValue", "fields": [plain("isDeprecated"), plain("deprecationReason")]},
            {"name": "__Directive", "fields": [plain("isRepeatable"), plain("args")]},
        ]}}});
        let most = Offer::read(offered.to_string().as_bytes()).unwrap().introspection_query();
        for part in [
            "specifiedByURL: specifiedByUrl isOneOf",
            "fields {",
            "inputFields(includeDeprecated: true)",
            "directives(includeDeprecated: true)",
            "locations isRepeatable args {",
            "defaultValue isDeprecated deprecationReason type",
        ] {
            assert!(most.contains(part), "{part}: {most}");
        }
    }
}
