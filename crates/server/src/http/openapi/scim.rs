//! SCIM, as far as its own discovery does not describe it.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::http::resources::openapi::add;

/// Adds the operations of SCIM.
pub(super) fn describe(paths: &mut Map<String, Value>) {
    for kind in ["Users", "Groups"] {
        let all = format!("/scim/v2/{kind}");
        let one = format!("{all}/{{id}}");
        for (path, method, summary) in [
            (&*all, Method::GET, "List them (RFC 7644 §3.4.2)."),
            (&*all, Method::POST, "Create one (RFC 7644 §3.3)."),
            (&*format!("{all}/.search"), Method::POST, "Search them (RFC 7644 §3.4.3)."),
            (&*one, Method::GET, "Read one (RFC 7644 §3.4.1)."),
            (&*one, Method::PUT, "Replace one (RFC 7644 §3.5.1)."),
            (&*one, Method::PATCH, "Change a part of one (RFC 7644 §3.5.2)."),
            (&*one, Method::DELETE, "Delete one (RFC 7644 §3.6)."),
        ] {
            add(paths, path, &method, operation(path, &method, summary));
        }
    }
    for (path, method, summary) in [
        ("/scim/v2", Method::GET, "List users and groups (RFC 7644 §3.4.2.1)."),
        ("/scim/v2/.search", Method::POST, "List users and groups (RFC 7644 §3.4.3)."),
        ("/scim/v2/Bulk", Method::POST, "Many operations in one request (RFC 7644 §3.7)."),
        ("/scim/v2/ServiceProviderConfig", Method::GET, "What is supported (RFC 7643 §5)."),
        ("/scim/v2/ResourceTypes", Method::GET, "The types of resources (RFC 7643 §6)."),
        ("/scim/v2/ResourceTypes/{id}", Method::GET, "One type of resource (RFC 7643 §6)."),
        ("/scim/v2/Schemas", Method::GET, "The schemas of resources (RFC 7643 §7)."),
        ("/scim/v2/Schemas/{id}", Method::GET, "One schema (RFC 7643 §7)."),
    ] {
        add(paths, path, &method, operation(path, &method, summary));
    }
}

fn operation(path: &str, method: &Method, summary: &str) -> Value {
    let content = json!({"application/scim+json": {"schema": {"type": "object"}}});
    let error = |text: &str| json!({"description": text, "content": content});
    let mut responses = Map::new();
    let creates = *method == Method::POST && (path.ends_with("Users") || path.ends_with("Groups"));
    let done = if creates { StatusCode::CREATED } else { StatusCode::OK };
    if *method != Method::DELETE {
        let text = "As the RFC says.";
        responses.insert(done.as_str().to_owned(), error(text));
    }
    for (status, text) in [
        ("400", "`scimType` and `detail` say what is wrong (RFC 7644 §3.12)."),
        ("401", "No valid access token was sent."),
        ("403", "The token does not allow it; nothing was done."),
        ("503", "The data source did not respond; try again."),
    ] {
        responses.insert(status.to_owned(), error(text));
    }
    if path.ends_with("{id}") {
        responses.insert("404".to_owned(), error("There is none."));
        if matches!(*method, Method::DELETE | Method::PATCH) {
            responses.insert("204".to_owned(), json!({"description": "It was done."}));
        }
        if *method == Method::GET && !path.contains("Schemas") && !path.contains("ResourceTypes") {
            responses.insert(
                "304".to_owned(),
                json!({"description": "It is in the version that is known."}),
            );
        } else if *method != Method::GET {
            responses.insert("412".to_owned(), error("`If-Match` does not hold."));
        }
    }
    if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        responses.insert("409".to_owned(), error("A value is in use that has to be unique."));
        responses.insert("413".to_owned(), error("The body is too large."));
        responses.insert("415".to_owned(), error("The body is not JSON."));
    }
    if path.starts_with("/scim/v2/.") || path == "/scim/v2" || *method == Method::GET {
        responses.insert("501".to_owned(), error("That is not supported."));
    }
    responses.sort_keys();
    let mut operation =
        json!({"summary": summary, "security": [{"bearer": []}], "responses": responses});
    if path.ends_with("{id}") {
        operation["parameters"] =
            json!([{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}]);
    }
    if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}
