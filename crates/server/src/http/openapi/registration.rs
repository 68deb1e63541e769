//! Dynamic client registration (RFC 7591, RFC 7592), whose bodies and answers are metadata.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::http::resources::openapi::add;

/// Adds the operations.
pub(super) fn describe(paths: &mut Map<String, Value>) {
    let one = "/register/{id}";
    add(paths, "/register", &Method::POST, register());
    add(paths, one, &Method::GET, manage("Read a registration (RFC 7592 §2.1).", &[("200", READ)]));
    let mut replace = manage(
        "Replace a registration (RFC 7592 §2.2).",
        &[
            ("200", READ),
            ("400", "The metadata are not accepted (RFC 7591 §3.2.2)."),
            ("413", "The body is too large."),
            ("415", "The body is not JSON."),
        ],
    );
    replace["requestBody"] = body();
    add(paths, one, &Method::PUT, replace);
    let gone = ("204", "The client is deleted, and all that was issued to it is over.");
    add(paths, one, &Method::DELETE, manage("Delete a registration (RFC 7592 §2.3).", &[gone]));
}

const READ: &str = "What is registered. The client itself gets another secret and registration \
                    access token; those of before are not valid any more.";

fn register() -> Value {
    let mut operation = described(
        "Register a client (RFC 7591 §3.1).",
        &[
            ("201", "What is registered, with `client_id` and what is shown once."),
            ("400", "The metadata are not accepted (RFC 7591 §3.2.2)."),
            ("403", "The scope `dcr` is missing, or no more clients are registered."),
            ("413", "The body is too large."),
            ("415", "The body is not JSON."),
        ],
    );
    operation["security"] = json!([{"bearer": []}, {"client": []}, {}]);
    operation["requestBody"] = body();
    operation
}

fn manage(summary: &str, responses: &[(&str, &str)]) -> Value {
    let denied = ("403", "The scope `dcrm` is missing, or the client is not active.");
    let mut operation = described(summary, &[responses, &[denied]].concat());
    operation["security"] = json!([{"bearer": []}]);
    operation["parameters"] =
        json!([{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}]);
    operation
}

fn described(summary: &str, responses: &[(&str, &str)]) -> Value {
    let of_all = [
        ("401", "No valid token, and no known client, was sent."),
        ("404", "Registration is off, or there is no such client."),
        ("429", "Too many attempts; `Retry-After` says when to come back."),
        ("503", "The data source did not respond; try again."),
    ];
    let responses: Map<_, _> = responses
        .iter()
        .chain(&of_all)
        .map(|(status, text)| ((*status).to_owned(), json!({"description": text})))
        .collect();
    json!({"summary": summary, "responses": responses})
}

/// The metadata that most clients send; `docs/registration.md` has all.
fn body() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "required": true,
        "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {
                "client_name": {"type": "string"},
                "redirect_uris": texts,
                "grant_types": texts,
                "response_types": texts,
                "scope": {"type": "string"},
                "token_endpoint_auth_method": {"type": "string"},
                "application_type": {"type": "string"},
                "software_id": {"type": "string"},
                "software_statement": {"type": "string"},
                "jwks": {"type": "object"},
            },
        }}},
    })
}
