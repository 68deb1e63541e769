//! The lock file: the table of the scopes that operations require, kept beside the configuration. A
//! required scope that was agreed on once does not change unnoticed (`docs/rules.md` rule 25).

use std::collections::BTreeMap;

use castellan_proto::scope::RequiredScope;

use super::map::{Operation, RestMap};
use crate::NamedBy;

/// The scope that each operation requires, as it was agreed on: by its method and its path, with
/// `{}` for each parameter, so that these may be renamed.
pub type RestLock = BTreeMap<String, RequiredScope>;

/// A line of the lock file is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {0} of the lock file is not `GET /path/{{}} = \"Root:Type:Action\"`; correct it, or remove \
     it to have its operation mapped again"
)]
pub struct RestLockError(pub usize);

impl RestMap {
    /// The table of required scopes, to be kept beside the configuration. Entries of operations that
    /// no longer exist are kept, so that one that returns requires the same scope as before.
    #[must_use]
    pub fn lock(&self, agreed: &RestLock) -> String {
        let mut lines = agreed.clone();
        for operation in self.operations().filter(|one| one.named_by != NamedBy::Nothing) {
            lines.insert(operation.key(), operation.required.clone());
        }
        let mut out = String::from(
            "# The scope that each operation requires. Existing lines are kept; new operations are \
             added\n# automatically. Remove a line to have its operation mapped again.\n",
        );
        for (key, required) in lines {
            out.extend([&*key, " = \"", required.as_str(), "\"\n"]);
        }
        out
    }
}

/// Reads the table that [`RestMap::lock`] writes.
///
/// # Errors
/// [`RestLockError`] for the first line that is not a valid entry: ignoring it would silently lose
/// what it meant.
pub fn parse_rest_lock(text: &str) -> Result<RestLock, RestLockError> {
    let mut lock = RestLock::new();
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, required) = entry(line).ok_or(RestLockError(at))?;
        if lock.insert(key, required.clone()).is_some_and(|other| other != required) {
            return Err(RestLockError(at));
        }
    }
    Ok(lock)
}

fn entry(line: &str) -> Option<(String, RequiredScope)> {
    let (place, required) = line.rsplit_once('=')?;
    let required = required.trim().strip_prefix('"')?.strip_suffix('"')?;
    let required = RequiredScope::try_from(required.to_owned()).ok()?;
    // Parameters have no names here, and need some to be read.
    let mut count = 0;
    let named: String = place
        .trim()
        .split("{}")
        .enumerate()
        .map(|(at, part)| {
            count = at;
            if at == 0 { part.to_owned() } else { format!("{{p{at}}}{part}") }
        })
        .collect();
    let operation = Operation::read(&named, required.clone(), NamedBy::Lock).ok()?;
    (operation.template.parameters().count() == count).then(|| (operation.key(), required))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        Drift,
        rest::{OpenApiError, ReadOpenApi, read_openapi},
    };

    #[test]
    fn a_line_that_is_no_entry_is_an_error_and_not_skipped() {
        let good = "# a comment\n\nGET /a/{}/b = \"Query:A:B\"\nCOPY /a/x=y=\"Mutation:A:Copy\"\n";
        let lock = parse_rest_lock(good).unwrap();
        assert_eq!(lock.keys().collect::<Vec<_>>(), ["COPY /a/x=y", "GET /a/{}/b"]);
        for (line, bad) in [
            (1, "GET /a"),
            (1, "GET /a = Query:A:List"),
            (1, "GET a = \"Query:A:List\""),
            (1, "GET /a/{id} = \"Query:A:List\""),
            (1, "OPTIONS /a = \"Query:A:List\""),
            (2, "GET /a = \"Query:A:List\"\nGET /a = \"Query:B:List\""),
            (3, "GET /a = \"Query:A:List\"\n\n<<<<<<< HEAD"),
        ] {
            assert_eq!(parse_rest_lock(bad).unwrap_err(), RestLockError(line), "{bad}");
        }
    }

    fn read(paths: &serde_json::Value, lock: &RestLock) -> Result<ReadOpenApi, OpenApiError> {
        read_openapi(&json!({"openapi": "3.1.0", "paths": paths}), Vec::new(), lock)
    }

    #[test]
    fn what_was_agreed_on_stays_and_comes_back() {
        let before = json!({"/orders/{id}": {"get": {}}, "/carts": {"get": {}}});
        let made = read(&before, &RestLock::new()).unwrap();
        assert!(made.drifts.is_empty());
        let lock = parse_rest_lock(&made.map.lock(&RestLock::new())).unwrap();
        // A tag that is new, a parameter of another name, and an operation that cannot be named.
        let after = json!({
            "/orders/{orderId}": {"get": {"tags": ["Sales"]}},
            "/{x}/{y}/{z}": {"put": {}},
        });
        let made = read(&after, &lock).unwrap();
        let kinds: Vec<_> = made.drifts.iter().map(Drift::as_str).collect();
        assert_eq!(kinds, ["mapping_changed", "field_unmapped"]);
        let operations: Vec<_> =
            made.map.operations().map(|one| (one.place(), one.required.as_str())).collect();
        assert_eq!(operations, [("GET /orders/{orderId}", "Query:Order:Get")]);
        // One that was removed for a while requires the same scope when it returns.
        let lock = parse_rest_lock(&made.map.lock(&lock)).unwrap();
        assert_eq!(lock["GET /carts"].as_str(), "Query:Cart:List");
        let set = json!({"/carts": {"get": {"x-castellan-scope": "Query:Basket:List"}}});
        assert!(matches!(read(&set, &lock), Err(OpenApiError::Remapped { .. })));
        assert!(matches!(read(&after, &RestLock::new()), Err(OpenApiError::Unnamed(_))));
    }
}
