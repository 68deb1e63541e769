//! Puts one answer together from the upstream's, our own, and nulls for what was denied.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer_memory::HeldAnswer;

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
    /// The memory that it takes.
    pub(crate) held: HeldAnswer,
}

impl Upstream {
    /// Reads an answer; `None` if it is no GraphQL response.
    pub(crate) fn read(status: StatusCode, body: &[u8], held: HeldAnswer) -> Option<Self> {
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
        Some(Self { data, errors, extensions: members.shift_remove("extensions"), status, held })
    }

    /// What stands for an upstream that was not asked.
    pub(crate) fn unasked() -> Self {
        Self { data: Some(json!({})), ..Self::default() }
    }
}

/// The answer: `keys` in document order, each from the upstream, from us, or null. `None` if the
/// nulls for what was denied would take more than `most` bytes: a list of the API's has one for
/// each of its items, under a key that the caller has chosen.
pub(crate) fn merge(
    keys: &[&str],
    upstream: Upstream,
    mut local: Map<String, Value>,
    field_errors: Vec<FieldError>,
    most: usize,
) -> Option<Value> {
    let mut left = most;
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
                leave_null(&mut data, &field_error.path, &mut left)?;
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
    Some(Value::Object(answer))
}

/// Bytes that a null takes beside its key: in the answer a few, in memory about so many.
const NULL: usize = 64;

/// Sets `path` to null in every object that it leads through, as long as there are bytes `left`.
fn leave_null(value: &mut Value, path: &[String], left: &mut usize) -> Option<()> {
    match (value, path) {
        (Value::Array(items), _) => {
            items.iter_mut().try_for_each(|item| leave_null(item, path, left))
        }
        (Value::Object(members), [last]) => {
            *left = left.checked_sub(last.len() + NULL)?;
            members.insert(last.clone(), Value::Null);
            Some(())
        }
        (Value::Object(members), [head, rest @ ..]) => {
            members.get_mut(head).map_or(Some(()), |below| leave_null(below, rest, left))
        }
        _ => Some(()),
    }
}
