//! Where the configuration has tables. A list would be read as one: its values would be taken one by
//! one, so that a secret becomes another setting and is shown as that.

use std::sync::LazyLock;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{Rosters, schema};

/// Tables within tables at most, in the schema of the configuration.
const DEPTH: usize = 16;

/// A step on the way to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a table.
    Key(&'static str),
    /// The same, where the name is what somebody chose.
    Named(String),
    /// Into a list.
    At(usize),
}

impl Step {
    /// The name of the setting or table that it leads into.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Key(name) => Some(name),
            Self::Named(name) => Some(name),
            Self::At(_) => None,
        }
    }
}

/// The way to the first setting of `table` that is a list where a table belongs.
pub(super) fn list_for_table(table: &Table) -> Option<Vec<Step>> {
    /// What is in the rosters makes no difference to what is a table.
    static SCHEMA: LazyLock<Json> = LazyLock::new(|| schema::of(&Rosters::default()));
    let mut way = Vec::new();
    let walk = Walk { root: &SCHEMA };
    walk.finds_list(table.iter().map(|(name, value)| (name.as_str(), value)), &SCHEMA, &mut way)
        .then_some(way)
}

struct Walk<'a> {
    root: &'a Json,
}

impl<'a> Walk<'a> {
    /// The schema that `schema` stands for.
    fn resolve(&self, schema: &'a Json) -> &'a Json {
        let mut schema = schema;
        for _ in 0..DEPTH {
            let Some(name) = schema["$ref"].as_str().and_then(|way| way.strip_prefix('#')) else {
                break;
            };
            schema = self.root.pointer(name).unwrap_or(&Json::Null);
        }
        schema
    }

    /// All that a value may be, by `schema`.
    fn choices(&self, schema: &'a Json) -> Vec<&'a Json> {
        let mut all = vec![self.resolve(schema)];
        // A choice may have choices of its own.
        let mut at = 0;
        while let Some(schema) = all.get(at).copied() {
            let choices = ["anyOf", "oneOf"].iter().filter_map(|name| schema[*name].as_array());
            all.extend(choices.flatten().map(|one| self.resolve(one)));
            at += 1;
        }
        all
    }

    fn finds_list<'t>(
        &self,
        mut settings: impl Iterator<Item = (&'t str, &'t Value)>,
        schema: &'a Json,
        way: &mut Vec<Step>,
    ) -> bool {
        settings.any(|(name, value)| {
            let own = schema.pointer("/properties").and_then(|all| all.get(name));
            let Some(schema) = own.or_else(|| schema.get("additionalProperties")) else {
                return false;
            };
            way.push(Step::Named(name.to_owned()));
            let is_found = self.is_list(value, schema, way);
            if !is_found {
                way.pop();
            }
            is_found
        })
    }

    /// Whether `value` is a list where a table belongs, or holds one; `way` leads to it.
    fn is_list(&self, value: &Value, schema: &'a Json, way: &mut Vec<Step>) -> bool {
        let choices = self.choices(schema);
        let is = |schema: &Json, kind: &str| schema["type"] == kind;
        match value {
            Value::Array(list) => {
                let items = choices.iter().filter(|one| is(one, "array"));
                let mut items = items.map(|one| &one["items"]).peekable();
                if items.peek().is_none() {
                    // What may be a text as well refuses lists itself.
                    let is_text = |one: &&Json| is(one, "string") || one["enum"].is_array();
                    return choices.iter().any(|one| is(one, "object"))
                        && !choices.iter().any(is_text);
                }
                let items: Vec<_> = items.collect();
                list.iter().enumerate().any(|(at, value)| {
                    way.push(Step::At(at));
                    let is_found = items.iter().any(|items| self.is_list(value, items, way));
                    if !is_found {
                        way.pop();
                    }
                    is_found
                })
            }
            Value::Table(table) => choices.iter().filter(|one| is(one, "object")).any(|schema| {
                let settings = table.iter().map(|(name, value)| (name.as_str(), value));
                self.finds_list(settings, schema, way)
            }),
            _ => false,
        }
    }
}

/// The name of the setting at the end of `way`.
pub(super) fn name(way: &[Step]) -> String {
    way.iter().filter_map(Step::name).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_place_of_any_table_is_found() {
        for (text, found) in [
            ("passkeys = [\"x\"]", "passkeys"),
            ("registration = [\"x\"]", "registration"),
            ("jwt.keys = [[\"x\"]]", "jwt.keys"),
            ("[[guard]]\nlimits = [1]", "guard.limits"),
            ("[[guard]]\nname = \"a\"\n[[guard]]\nscopes = [[\"x\"]]", "guard.scopes"),
            ("server.tls = [\"x\"]", "server.tls"),
            ("management.scim = [\"x\"]", "management.scim"),
            ("site = [[\"x\"]]", "site"),
        ] {
            let table = toml::from_str(text).unwrap();
            assert_eq!(
                list_for_table(&table).as_deref().map(name).as_deref(),
                Some(found),
                "{text}"
            );
        }
        for text in [
            "",
            "security.private_origins = [\"x\"]",
            "data.master_key = [\"x\"]",
            "audit.output = [\"x\"]",
            "[[guard]]\npublic = [\"Query:*\"]\nauthenticate = [\"jwt\"]",
            "server.trusted_proxies = [\"10.0.0.0/8\"]",
            "[[jwt.keys]]\nid = \"a\"\nscopes = [\"*\"]",
        ] {
            assert_eq!(list_for_table(&toml::from_str(text).unwrap()), None, "{text}");
        }
    }
}
