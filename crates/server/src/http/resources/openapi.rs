//! The OpenAPI description of the operations on resources.

use axum::http::Method;
use castellan_issuer::resources::{ResourceKind, search::CONTROLS};
use serde_json::{Map, Value, json};

use super::paths as paths_of;

/// Adds an operation to the paths of a description.
pub(in crate::http) fn add(
    paths: &mut Map<String, Value>,
    path: &str,
    method: &Method,
    operation: Value,
) {
    let entry = paths.entry(path).or_insert_with(|| json!({}));
    entry[method.as_str().to_ascii_lowercase()] = operation;
}

/// Adds the operations of a kind of resource, at its path and below `/fhir`.
pub(in crate::http) fn describe(paths: &mut Map<String, Value>, kind: ResourceKind) {
    for path in paths_of(kind) {
        let operations = ResourceOperations { kind, path };
        operations.on_kind(paths);
        operations.on_one(paths);
        if !kind.is_log() {
            operations.history(paths);
        }
    }
}

/// The operations of a kind of resource at one of its paths.
struct ResourceOperations {
    kind: ResourceKind,
    path: String,
}

fn outcome(text: &str) -> Value {
    json!({"description": text})
}

fn parameter(name: &str, place: &str) -> Value {
    json!({"name": name, "in": place, "schema": {"type": "string"}})
}

const GONE: &str = "It was deleted.";
const STALE: &str = "`If-Match` or `If-None-Match` does not hold.";

impl ResourceOperations {
    fn schema(&self) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", self.kind.as_str())})
    }

    fn content(&self) -> Value {
        let schema = self.schema();
        json!({"application/json": {"schema": schema}, "application/yaml": {"schema": schema}})
    }

    fn shown(&self, text: &str) -> Value {
        json!({"description": text, "content": self.content()})
    }

    fn named(&self) -> String {
        let name = self.kind.as_str();
        let article = if name.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
        format!("{article} {name}")
    }

    fn describe(summary: &str, mut responses: Value) -> Value {
        responses["400"] = outcome("A parameter, a header or the body cannot be read.");
        responses["401"] = outcome("No valid access token was sent.");
        responses["403"] = outcome("The token does not have the right.");
        responses["503"] = outcome("The data source did not respond; try again.");
        json!({"summary": summary, "security": [{"bearer": []}], "responses": responses})
    }

    /// What may go wrong with a body, besides.
    fn of_body(mut responses: Value) -> Value {
        responses["409"] =
            outcome("Another resource has its id or name, or it was changed at the same time.");
        responses["413"] = outcome("The body is too large.");
        responses["415"] = outcome("The media type of the body is not supported.");
        responses["422"] = outcome("The document is not valid.");
        responses
    }

    fn on_kind(&self, paths: &mut Map<String, Value>) {
        let list = json!({"200": outcome("A `Bundle` of type `searchset`.")});
        let mut list = Self::describe(&format!("Search {} resources.", self.kind.as_str()), list);
        let defined = self.kind.parameters().iter().map(|parameter| parameter.name);
        let names = defined.chain(["_id"]).chain(CONTROLS);
        list["parameters"] = names.map(|name| parameter(name, "query")).collect();
        add(paths, &self.path, &Method::GET, list);
        if self.kind.is_writable() {
            let created = json!({"201": self.shown("It was created; `Location` names it.")});
            let mut create =
                Self::describe(&format!("Create {}.", self.named()), Self::of_body(created));
            create["requestBody"] = json!({"required": true, "content": self.content()});
            add(paths, &self.path, &Method::POST, create);
        }
    }

    fn on_one(&self, paths: &mut Map<String, Value>) {
        let one = format!("{}/{{id}}", self.path);
        let read = json!({
            "200": self.shown("The resource, without its secrets."),
            "304": outcome("`If-None-Match` names its version."),
            "404": outcome("It does not exist."),
            "410": outcome(GONE),
        });
        let read = Self::describe(&format!("Read {}.", self.named()), read);
        add(paths, &one, &Method::GET, read);
        let conditions =
            || json!([parameter("If-Match", "header"), parameter("If-None-Match", "header")]);
        if self.kind.is_writable() {
            let put = json!({
                "200": self.shown("It was replaced."),
                "201": self.shown("It was created."),
                "412": outcome(STALE),
            });
            let summary = format!("Create or replace {}.", self.named());
            let mut put = Self::describe(&summary, Self::of_body(put));
            put["requestBody"] = json!({"required": true, "content": self.content()});
            put["parameters"] = conditions();
            add(paths, &one, &Method::PUT, put);
            let patch = json!({
                "200": self.shown("It was changed."),
                "404": outcome("It does not exist."),
                "410": outcome(GONE),
                "412": outcome(STALE),
            });
            let summary = format!("Change members of {} (RFC 7396, RFC 6902).", self.named());
            let mut patch = Self::describe(&summary, Self::of_body(patch));
            let merge = json!({"schema": {"type": "object"}});
            let operations = json!({"schema": {"type": "array", "items": {"type": "object"}}});
            patch["requestBody"] = json!({"required": true, "content": {
                "application/merge-patch+json": merge,
                "application/json-patch+json": operations,
                "application/json": merge,
                "application/yaml": merge,
            }});
            patch["parameters"] = conditions();
            add(paths, &one, &Method::PATCH, patch);
        }
        paths[&one]["parameters"] = json!([required("id")]);
        if self.kind.is_log() {
            return;
        }
        let delete = json!({
            "200": self.shown(GONE),
            "204": outcome("It did not exist, or `_no-content` is true."),
            "412": outcome(STALE),
        });
        let summary =
            format!("Delete {}. Its sessions and tokens become invalid everywhere.", self.named());
        let mut delete = Self::describe(&summary, delete);
        delete["parameters"] =
            json!([parameter("_no-content", "query"), parameter("If-Match", "header")]);
        add(paths, &one, &Method::DELETE, delete);
    }

    fn history(&self, paths: &mut Map<String, Value>) {
        let all = format!("{}/{{id}}/_history", self.path);
        let history = json!({
            "200": outcome("A `Bundle` of type `history`, the newest version first."),
            "404": outcome("It never existed, as far as is known."),
        });
        let summary = format!("List the last versions of {}.", self.named());
        add(paths, &all, &Method::GET, Self::describe(&summary, history));
        paths[&all]["parameters"] = json!([required("id")]);
        let one = format!("{all}/{{vid}}");
        let version = json!({
            "200": self.shown("The resource as it was, without its secrets."),
            "404": outcome("There is no such version, or it is not kept."),
            "410": outcome("The version is a deletion."),
        });
        let summary = format!("Read one version of {}.", self.named());
        add(paths, &one, &Method::GET, Self::describe(&summary, version));
        paths[&one]["parameters"] = json!([required("id"), required("vid")]);
    }
}

fn required(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
}
