//! Many operations in one request (RFC 7644 §3.7). Each is done as if it came alone, with the rights
//! that it needs.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    BASE, ScimAnswer, ScimCaller, ScimMethod, ScimRequest, Tags, error::ScimError, patch::member,
};
use crate::Issuer;

/// Operations of one request at most.
pub const MOST_OPERATIONS: usize = 1_000;
/// How long they may take, whoever waits.
const LONGEST: Duration = Duration::from_mins(10);
/// What stands before the id of an operation where its resource is meant.
const REFERENCE: &str = "bulkId:";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// One operation, as it was sent.
struct Operation<'a> {
    method: ScimMethod,
    path: &'a str,
    bulk_id: Option<&'a str>,
    version: Option<&'a str>,
    data: Value,
}

impl<'a> Operation<'a> {
    fn read(value: &'a Value) -> Result<Self, ScimError> {
        let text = |name: &str| member(value, name).and_then(Value::as_str);
        let method = text("method").and_then(ScimMethod::named);
        let method = method
            .filter(|method| *method != ScimMethod::Get)
            .ok_or_else(|| ScimError::syntax("method: must be POST, PUT, PATCH or DELETE"))?;
        let path = text("path").ok_or_else(|| ScimError::syntax("path: is missing"))?;
        let bulk_id = text("bulkId").filter(|id| !id.is_empty());
        if method == ScimMethod::Post && bulk_id.is_none() {
            return Err(ScimError::syntax("bulkId: is required with POST"));
        }
        let data = member(value, "data").cloned().unwrap_or(Value::Null);
        Ok(Self { method, path, bulk_id, version: text("version"), data })
    }

    /// Whether it waits for an operation of which the id is not in `known`.
    fn waits(&self, known: &BTreeMap<String, String>) -> bool {
        let is_open =
            |text: &str| text.strip_prefix(REFERENCE).is_some_and(|id| !known.contains_key(id));
        self.path.split('/').any(is_open) || any_text(&self.data, &is_open)
    }

    /// It as a request of its own.
    fn request(&self, known: &BTreeMap<String, String>) -> Result<ScimRequest, ScimError> {
        let own = self.path.strip_prefix(BASE).unwrap_or(self.path);
        let path: Vec<String> = own
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| resolved(part, known).unwrap_or_else(|| part.to_owned()))
            .collect();
        let is_known = match (&*path, self.method) {
            ([kind], ScimMethod::Post) | ([kind, _], _) => {
                matches!(&**kind, "Users" | "Groups") && !own.contains(['?', '%'])
            }
            _ => false,
        };
        if !is_known || path.len() == 2 && self.method == ScimMethod::Post {
            return Err(ScimError::path(
                "path: must be /Users or /Groups for POST, and otherwise lead to one of these",
            ));
        }
        let mut body = self.data.clone();
        replace(&mut body, known);
        let tag = |version: &str| {
            let bare = version.strip_prefix("W/").unwrap_or(version);
            Tags::These(vec![bare.trim_matches('"').to_owned()])
        };
        let if_match = self.version.map(tag);
        Ok(ScimRequest { method: self.method, path, body, if_match, ..ScimRequest::default() })
    }
}

/// Whether `is_it` holds for some text in `value`.
fn any_text(value: &Value, is_it: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_it(text),
        Value::Array(values) => values.iter().any(|value| any_text(value, is_it)),
        Value::Object(members) => members.values().any(|value| any_text(value, is_it)),
        _ => false,
    }
}

fn resolved(text: &str, known: &BTreeMap<String, String>) -> Option<String> {
    known.get(text.strip_prefix(REFERENCE)?).cloned()
}

/// Puts the ids of resources in place of the ids of the operations that made them.
fn replace(value: &mut Value, known: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(id) = resolved(text, known) {
                *text = id;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, known)),
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, known)),
        _ => {}
    }
}

/// What has become of the operations so far.
struct Progress {
    /// Where the API is.
    base: String,
    results: Vec<Option<Value>>,
    /// The ids of resources, by those of the operations that made them.
    known: BTreeMap<String, String>,
    failures: u64,
    most_failures: u64,
    /// Until when operations are begun.
    begins_until: Instant,
    /// Until when the last one has to end.
    ends_until: Instant,
    is_late: bool,
}

impl Progress {
    fn of((base, operations): (String, usize), most_failures: u64, patience: Duration) -> Self {
        let (now, patience) = (Instant::now(), patience.min(LONGEST));
        Self {
            base,
            results: vec![None; operations],
            known: BTreeMap::new(),
            failures: 0,
            most_failures,
            begins_until: now + patience / 2,
            ends_until: now + patience,
            is_late: false,
        }
    }

    fn has_failed(&self) -> bool {
        self.failures >= self.most_failures
    }

    /// Whether no further operation is begun. The first one is, so that every request does something.
    fn is_over(&mut self) -> bool {
        let has_begun = || self.results.iter().any(Option::is_some);
        self.is_late |= Instant::now() >= self.begins_until && has_begun();
        self.is_late || self.has_failed()
    }

    /// Says of those of `operations` that were not done why not.
    fn finish(mut self, operations: &[Value]) -> Vec<Value> {
        if !self.has_failed() {
            let error = if self.is_late {
                ScimError::new(
                    503,
                    "It was not done: the time of the request was over; send it again",
                )
            } else {
                ScimError::new(409, "it refers to an operation that was not done")
            };
            for (at, value) in operations.iter().enumerate() {
                if self.results[at].is_none() {
                    self.fail(at, value, &error);
                }
            }
        }
        self.results.into_iter().flatten().collect()
    }

    fn fail(&mut self, at: usize, value: &Value, error: &ScimError) {
        self.failures += 1;
        let mut result = head(value);
        result["status"] = json!(error.status.to_string());
        result["response"] = error.to_json();
        if let Some(location) = self.location(value) {
            result["location"] = json!(location);
        }
        self.results[at] = Some(result);
    }

    /// Where the resource is that an operation is about: its result says so, unless the operation
    /// failed to make it (RFC 7644 §3.7).
    fn location(&self, value: &Value) -> Option<String> {
        let operation = Operation::read(value).ok()?;
        let request = operation.request(&self.known).ok()?;
        let [kind, id] = &*request.path else { return None };
        let is_open = id.starts_with(REFERENCE);
        (!is_open).then(|| super::users::location(&self.base, kind, id))
    }
}

/// What a result repeats of its operation.
fn head(value: &Value) -> Value {
    let mut result = json!({});
    for name in ["method", "bulkId"] {
        if let Some(told) = member(value, name).filter(|told| told.is_string()) {
            result[name] = told.clone();
        }
    }
    result
}

impl Issuer {
    /// Does the operations of `body`, in their order, except that one waits for those that it refers to.
    pub(super) async fn scim_bulk(
        &self,
        caller: &ScimCaller<'_>,
        body: &Value,
    ) -> Result<ScimAnswer, ScimError> {
        let wrong = || {
            ScimError::syntax(
                "the body must be {\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:BulkRequest\"], \"Operations\": […]}",
            )
        };
        let operations = member(body, "Operations").and_then(Value::as_array).ok_or_else(wrong)?;
        if operations.len() > MOST_OPERATIONS {
            let text = format!("At most {MOST_OPERATIONS} operations can be in one request");
            return Err(ScimError::new(413, text));
        }
        let most_failures = match member(body, "failOnErrors") {
            None | Some(Value::Null) => u64::MAX,
            Some(number) => number
                .as_u64()
                .filter(|number| *number > 0)
                .ok_or_else(|| ScimError::value("failOnErrors: must be a number from 1"))?,
        };
        check_ids(operations)?;
        let base = self.scim_base();
        let mut progress = Progress::of((base, operations.len()), most_failures, caller.patience);
        let mut left: Vec<usize> = (0..operations.len()).collect();
        // Every round does something, or it is the last one.
        while !left.is_empty() && !progress.is_over() {
            let before = left.len();
            let mut waiting = Vec::new();
            for at in left {
                if progress.is_over() {
                    break;
                }
                if !self.scim_bulk_step(caller, (at, &operations[at]), &mut progress).await {
                    waiting.push(at);
                }
            }
            left = waiting;
            if left.len() == before {
                break;
            }
        }
        let results = progress.finish(operations);
        Ok(ScimAnswer::ok(json!({"schemas": [RESPONSE], "Operations": results})))
    }

    /// Does one operation; `false` if it has to wait.
    async fn scim_bulk_step(
        &self,
        caller: &ScimCaller<'_>,
        (at, value): (usize, &Value),
        progress: &mut Progress,
    ) -> bool {
        let operation = match Operation::read(value) {
            Ok(operation) => operation,
            Err(error) => {
                progress.fail(at, value, &error);
                return true;
            }
        };
        if operation.waits(&progress.known) {
            return false;
        }
        let done = match operation.request(&progress.known) {
            // Boxed, as it is one of many in a request.
            Ok(request) => {
                let operation = Box::pin(self.scim_operation(caller, &request));
                let done = tokio::time::timeout_at(progress.ends_until, operation).await;
                let text =
                    "It did not come to its end in time, and may be done in part; look at it";
                let done = done.unwrap_or_else(|_| Err(ScimError::new(503, text)));
                done.map(|answer| (request, answer))
            }
            Err(error) => Err(error),
        };
        match done {
            Ok((request, answer)) => {
                let mut result = head(value);
                result["status"] = json!(answer.status.to_string());
                let id = answer.body.as_ref().and_then(|body| body["id"].as_str());
                let id = id.or(request.path.get(1).map(String::as_str)).unwrap_or_default();
                if let Some(bulk_id) = operation.bulk_id {
                    progress.known.insert(bulk_id.to_owned(), id.to_owned());
                }
                let location = super::users::location(&self.scim_base(), &request.path[0], id);
                result["location"] = json!(answer.location.unwrap_or(location));
                if let Some(version) = answer.version {
                    result["version"] = json!(format!("W/\"{version}\""));
                }
                progress.results[at] = Some(result);
            }
            Err(error) => progress.fail(at, value, &error),
        }
        true
    }
}

/// No two operations have one id: it would not be known which one is meant.
fn check_ids(operations: &[Value]) -> Result<(), ScimError> {
    let mut seen = std::collections::BTreeSet::new();
    let ids = operations.iter().filter_map(|one| member(one, "bulkId").and_then(Value::as_str));
    for id in ids {
        if !seen.insert(id) {
            return Err(ScimError::syntax(format!("bulkId: {id:.64?} stands there twice")));
        }
    }
    Ok(())
}
