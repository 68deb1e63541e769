//! Changes to a part of a document: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902). Both are
//! applied to the document as it is shown; secrets, which are not shown, stay unless they are named.

use serde_json::Value;

use super::{Resource, reference::as_native};

/// A change to a part of a document.
#[derive(Clone)]
pub enum Patch {
    /// RFC 7396.
    Merge(Value),
    /// RFC 6902.
    Json(json_patch::Patch),
}

/// Which of them it is, and nothing that it holds: secrets may be among it.
impl std::fmt::Debug for Patch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Merge(_) => "Merge",
            Self::Json(_) => "Json",
        })
    }
}

/// Operations of one JSON Patch at most.
const MOST_OPERATIONS: usize = 100;
/// Bytes of what a JSON Patch makes at most, at every step: `copy` can double a document each time.
const MOST_BYTES: usize = 256 * 1024;

impl Patch {
    /// Reads a JSON Patch.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn json(value: Value) -> Result<Self, String> {
        let wrong = "a JSON Patch must be a list of operations, each with op and path (RFC 6902)";
        let patch: json_patch::Patch =
            serde_json::from_value(value).map_err(|_| wrong.to_owned())?;
        if patch.len() > MOST_OPERATIONS {
            return Err(format!(
                "a JSON Patch must not have more than {MOST_OPERATIONS} operations"
            ));
        }
        Ok(Self::Json(patch))
    }

    /// `document` with the change made.
    ///
    /// # Errors
    /// What is wrong with it, naming the member or the operation.
    pub(super) fn apply<R: Resource>(&self, mut document: Value) -> Result<Value, String> {
        match self {
            Self::Merge(patch) => {
                let Value::Object(members) = patch else {
                    return Err("a merge patch must be a map".to_owned());
                };
                let cleared = R::SECRET_MEMBERS
                    .iter()
                    .find(|name| members.get(**name).is_some_and(Value::is_null));
                if let Some(name) = cleared {
                    return Err(format!("{name}: cannot be removed by PATCH"));
                }
                if let Some(shown) = document.as_object_mut() {
                    // What says the same in other words would contradict the change.
                    for names in R::SYNONYMS {
                        if names.iter().any(|name| members.contains_key(*name)) {
                            shown.retain(|name, _| {
                                !names.contains(&&**name) || members.contains_key(name)
                            });
                        }
                    }
                }
                let mut patch = patch.clone();
                as_native(&mut patch);
                json_patch::merge(&mut document, &patch);
                Ok(document)
            }
            Self::Json(patch) => {
                for (at, operation) in patch.iter().enumerate() {
                    if let Some(name) = secret_source::<R>(operation) {
                        return Err(format!("operation {at}: {name} can be set, and not read"));
                    }
                    json_patch::patch(&mut document, std::slice::from_ref(operation)).map_err(
                        |error| format!("operation {at} cannot be applied: {}", error.kind),
                    )?;
                    if document.to_string().len() > MOST_BYTES {
                        return Err(format!("operation {at} makes the document too large"));
                    }
                }
                Ok(document)
            }
        }
    }
}

/// The secret that `operation` would read, if it reads one: what is written before it would be shown.
fn secret_source<R: Resource>(operation: &json_patch::PatchOperation) -> Option<&'static str> {
    use json_patch::PatchOperation::{Copy, Move, Test};
    let from = match operation {
        Copy(operation) => operation.from.to_string(),
        Move(operation) => operation.from.to_string(),
        Test(operation) => operation.path.to_string(),
        _ => return None,
    };
    let first = from.split('/').nth(1).unwrap_or_default();
    // All of it has everything in it.
    R::SECRET_MEMBERS.iter().copied().find(|name| first.is_empty() || first == *name)
}
