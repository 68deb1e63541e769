//! Puts one answer together from the upstream's, our own, and nulls for what was denied.

use http::StatusCode;
use serde_json::{Map, Value, json};

/// A denied or emptied field that would have run, as it appears in the answer.
#[derive(Clone, Debug)]
pub(crate) struct FieldError {
    pub(crate) path: Vec<String>,
    pub(crate) error: Value,
}

/// What the upstream said, if it was asked.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    /// `None`: no `data` member, because the upstream refused the request.
    pub(crate) data: Option<Value>,
    pub(crate) errors: Vec<Value>,
    pub(crate) extensions: Option<Value>,
    pub(crate) status: StatusCode,
}

impl Upstream {
    /// Reads an answer; `None` if it is no GraphQL response.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Option<Self> {
        let Ok(Value::Object(mut members)) = serde_json::from_slice(body) else { return None };
        let data = members.shift_remove("data");
        let errors = match members.shift_remove("errors") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(errors)) => errors,
            Some(_) => return None,
        };
        match &data {
            None if errors.is_empty() => return None,
            None | Some(Value::Null | Value::Object(_)) => {}
            Some(_) => return None,
        }
        Some(Self { data, errors, extensions: members.shift_remove("extensions"), status })
    }

    /// What stands for an upstream that was not asked.
    pub(crate) fn unasked() -> Self {
        Self { data: Some(json!({})), ..Self::default() }
    }
}

/// The answer: `keys` in document order, each from the upstream, from us, or null.
pub(crate) fn merge(
    keys: &[&str],
    upstream: Upstream,
    mut local: Map<String, Value>,
    field_errors: Vec<FieldError>,
) -> Value {
    let Upstream { data, mut errors, extensions, .. } = upstream;
    let data = match data {
        Some(Value::Object(mut theirs)) => {
            let mut merged = Map::new();
            for key in keys {
                let denied = field_errors
                    .iter()
                    .any(|field_error| field_error.path.len() == 1 && field_error.path[0] == *key);
                let value = if denied {
                    Some(Value::Null)
                } else {
                    local.shift_remove(*key).or_else(|| theirs.shift_remove(*key))
                };
                if let Some(value) = value {
                    merged.insert((*key).to_owned(), value);
                }
            }
            let mut data = Value::Object(merged);
            for field_error in field_errors.iter().filter(|field_error| field_error.path.len() > 1)
            {
                leave_null(&mut data, &field_error.path);
            }
            Some(data)
        }
        // The upstream's null has gone all the way up, or it refused the request.
        other => other,
    };
    errors.extend(field_errors.into_iter().map(|field_error| field_error.error));
    let mut answer = Map::new();
    if !errors.is_empty() {
        answer.insert("errors".to_owned(), Value::Array(errors));
    }
    if let Some(data) = data {
        answer.insert("data".to_owned(), data);
    }
    if let Some(extensions) = extensions {
        answer.insert("extensions".to_owned(), extensions);
    }
    Value::Object(answer)
}

/// Sets `path` to null in every object that it leads through.
fn leave_null(value: &mut Value, path: &[String]) {
    match (value, path) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| leave_null(item, path)),
        (Value::Object(members), [last]) => {
            members.insert(last.clone(), Value::Null);
        }
        (Value::Object(members), [head, rest @ ..]) => {
            if let Some(below) = members.get_mut(head) {
                leave_null(below, rest);
            }
        }
        _ => {}
    }
}
