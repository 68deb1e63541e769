//! The engine `json-schema`: JSON Schema draft 7 over a request (`docs/contracts/aidbox.md` §8).

use std::{fmt, sync::Arc};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

/// A schema that was read and found good.
#[derive(Clone)]
pub struct JsonSchema(Arc<Validator>);

impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonSchema")
    }
}

impl JsonSchema {
    /// Reads `schema`. References to other documents are refused: nothing is fetched.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(schema: &Value) -> Result<Self, String> {
        if schema.as_object().is_none_or(Map::is_empty) {
            return Err("schema must be an object that is not empty".to_owned());
        }
        jsonschema::options()
            .with_draft(Draft::Draft7)
            // The engine without backtracking: what is matched comes from callers.
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map(|validator| Self(Arc::new(validator)))
            .map_err(|error| format!("schema: {}", error.schema_path()))
    }

    /// Where `request` violates the schema; `None` if it satisfies it.
    pub(super) fn violation(&self, request: &Value) -> Option<String> {
        let request = without_empty(request).unwrap_or_else(|| Value::Object(Map::new()));
        let error = self.0.iter_errors(&request).next()?;
        // The place and the keyword, without what stands in the request.
        Some(format!(
            "{} does not satisfy {}",
            or_root(error.instance_path().as_str()),
            error.schema_path()
        ))
    }
}

fn or_root(path: &str) -> &str {
    if path.is_empty() { "the request" } else { path }
}

/// `value` without `[]`, `{}`, `""` and `null` in it; `None` if nothing is left.
fn without_empty(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let kept = members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without_empty(value)?)));
            let kept: Map<String, Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        other => Some(other.clone()),
    }
}
