//! The OpenAPI description of the endpoints that programs call. Pages for people are not in it, nor
//! are guards, which serve the API behind them.

mod management;
mod passwords;
mod policies;
mod registration;
mod scim;

use axum::http::{Method, StatusCode};
use castellan_issuer::resources::ResourceKind;
use serde_json::{Map, Value, json};

use super::resources;
use crate::config::Rosters;

/// One operation. Its path is one of [`super::routes`] or of a dialect.
struct Operation {
    path: &'static str,
    method: Method,
    summary: &'static str,
    /// Who may call it.
    caller: Caller,
    /// The members of its form or JSON, and whether they are required. None without a body.
    form: &'static [(&'static str, bool)],
    /// Its statuses, and what each means.
    responses: &'static [(StatusCode, &'static str)],
}

/// Who may call an operation.
enum Caller {
    Anybody,
    Client,
    Bearer,
}

const INVALID: (StatusCode, &str) =
    (StatusCode::BAD_REQUEST, "RFC 6749 §5.2: `error` and `error_description` say what is wrong.");
const UNKNOWN: (StatusCode, &str) =
    (StatusCode::UNAUTHORIZED, "The client could not be authenticated (RFC 6749 §5.2).");
const THROTTLED: (StatusCode, &str) =
    (StatusCode::TOO_MANY_REQUESTS, "Too many attempts; `Retry-After` says when to come back.");
const BROKEN: (StatusCode, &str) =
    (StatusCode::SERVICE_UNAVAILABLE, "The data source did not respond; try again.");
const TOKEN: (StatusCode, &str) =
    (StatusCode::UNAUTHORIZED, "No valid access token was sent (RFC 6750 §3.1).");

/// The endpoints that every server has.
const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/auth/token",
        method: Method::POST,
        summary: "Get tokens (RFC 6749 §3.2).",
        caller: Caller::Client,
        form: &[
            ("grant_type", true),
            ("code", false),
            ("redirect_uri", false),
            ("code_verifier", false),
            ("refresh_token", false),
            ("device_code", false),
            ("scope", false),
            ("resource", false),
        ],
        responses: &[
            (StatusCode::OK, "The tokens (RFC 6749 §5.1)."),
            INVALID,
            UNKNOWN,
            THROTTLED,
            BROKEN,
        ],
    },
    Operation {
        path: "/auth/par",
        method: Method::POST,
        summary: "Push an authorization request (RFC 9126).",
        caller: Caller::Client,
        form: &[("client_id", true), ("response_type", true), ("redirect_uri", false)],
        responses: &[
            (StatusCode::CREATED, "`request_uri` and `expires_in`."),
            INVALID,
            UNKNOWN,
            THROTTLED,
            BROKEN,
        ],
    },
    Operation {
        path: "/auth/device",
        method: Method::POST,
        summary: "Begin on a device (RFC 8628 §3.1).",
        caller: Caller::Client,
        form: &[("client_id", false), ("scope", false)],
        responses: &[
            (StatusCode::OK, "`device_code`, `user_code` and `verification_uri`."),
            INVALID,
            UNKNOWN,
            THROTTLED,
            BROKEN,
        ],
    },
    Operation {
        path: "/auth/introspect",
        method: Method::POST,
        summary: "Ask about a token (RFC 7662).",
        caller: Caller::Client,
        form: &[("token", true), ("token_type_hint", false)],
        responses: &[
            (StatusCode::OK, "`active`, and what the client may know about the token."),
            INVALID,
            UNKNOWN,
            THROTTLED,
            BROKEN,
        ],
    },
    Operation {
        path: "/auth/revoke",
        method: Method::POST,
        summary: "Revoke a token (RFC 7009).",
        caller: Caller::Client,
        form: &[("token", true), ("token_type_hint", false)],
        responses: &[
            (StatusCode::OK, "The token is not valid any more, if it ever was."),
            INVALID,
            UNKNOWN,
            THROTTLED,
            BROKEN,
        ],
    },
    Operation {
        path: "/auth/userinfo",
        method: Method::GET,
        summary: "Claims about the person (OpenID Connect Core §5.3).",
        caller: Caller::Bearer,
        form: &[],
        responses: &[
            (StatusCode::OK, "The claims that the scopes of the token open."),
            TOKEN,
            (StatusCode::FORBIDDEN, "The token does not have the scope `openid`."),
            BROKEN,
        ],
    },
    Operation {
        path: "/auth/userinfo",
        method: Method::POST,
        summary: "Claims about the person; the token is in the header or the form (RFC 6750 §2.2).",
        caller: Caller::Bearer,
        form: &[("access_token", false)],
        responses: &[
            (StatusCode::OK, "The claims that the scopes of the token open."),
            INVALID,
            TOKEN,
            (StatusCode::FORBIDDEN, "The token does not have the scope `openid`."),
            BROKEN,
        ],
    },
    Operation {
        path: "/.well-known/openid-configuration",
        method: Method::GET,
        summary: "Metadata (OpenID Connect Discovery §4).",
        caller: Caller::Anybody,
        form: &[],
        responses: &[(StatusCode::OK, "The endpoints and what they support.")],
    },
    Operation {
        path: "/.well-known/oauth-authorization-server",
        method: Method::GET,
        summary: "Metadata (RFC 8414 §3).",
        caller: Caller::Anybody,
        form: &[],
        responses: &[(StatusCode::OK, "The endpoints and what they support.")],
    },
    Operation {
        path: "/.well-known/smart-configuration",
        method: Method::GET,
        summary: "Metadata (SMART App Launch §2.2).",
        caller: Caller::Anybody,
        form: &[],
        responses: &[(StatusCode::OK, "The endpoints and what they support.")],
    },
    Operation {
        path: "/.well-known/jwks.json",
        method: Method::GET,
        summary: "The keys that tokens are signed with (RFC 7517 §5).",
        caller: Caller::Anybody,
        form: &[],
        responses: &[(StatusCode::OK, "A JWK set.")],
    },
    Operation {
        path: "/.well-known/castellan-identity-jwks.json",
        method: Method::GET,
        summary: "The keys of `Castellan-Identity`, for APIs behind guards.",
        caller: Caller::Anybody,
        form: &[],
        responses: &[(StatusCode::OK, "A JWK set.")],
    },
    Operation {
        path: "/Session",
        method: Method::DELETE,
        summary: "End the session of the access token, or with `user` or `client` all of theirs.",
        caller: Caller::Bearer,
        form: &[],
        responses: &[
            (StatusCode::OK, "The session, which is closed now."),
            (StatusCode::NO_CONTENT, "All sessions of the person or the client are over."),
            (StatusCode::BAD_REQUEST, "A parameter is not valid."),
            (StatusCode::UNAUTHORIZED, "No valid access token was sent."),
            (StatusCode::FORBIDDEN, "With `user` or `client`: the token does not have the right."),
            (StatusCode::NOT_FOUND, "There is no such person or client."),
            BROKEN,
        ],
    },
    Operation {
        path: "/fhir/Session",
        method: Method::DELETE,
        summary: "End the session of the access token, or with `user` or `client` all of theirs.",
        caller: Caller::Bearer,
        form: &[],
        responses: &[
            (StatusCode::OK, "The session, which is closed now."),
            (StatusCode::NO_CONTENT, "All sessions of the person or the client are over."),
            (StatusCode::BAD_REQUEST, "A parameter is not valid."),
            (StatusCode::UNAUTHORIZED, "No valid access token was sent."),
            (StatusCode::FORBIDDEN, "With `user` or `client`: the token does not have the right."),
            (StatusCode::NOT_FOUND, "There is no such person or client."),
            BROKEN,
        ],
    },
    Operation {
        path: "/healthz",
        method: Method::GET,
        summary: "Whether the process responds.",
        caller: Caller::Anybody,
        form: &[],
        responses: &[(StatusCode::OK, "It does.")],
    },
    Operation {
        path: "/readyz",
        method: Method::GET,
        summary: "Whether this node can serve.",
        caller: Caller::Anybody,
        form: &[],
        responses: &[
            (StatusCode::OK, "It can; guards and upstreams with problems are named."),
            (StatusCode::SERVICE_UNAVAILABLE, "`store`, `writes` or `clock` is false."),
        ],
    },
];

/// The OpenAPI 3.1 document of a server for what is in `rosters`.
#[must_use]
pub fn document(rosters: &Rosters) -> Value {
    let mut paths = Map::new();
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    let management = management::operations();
    for (operations, media_type) in [
        (OPERATIONS, form),
        (passwords::OPERATIONS, json),
        (policies::OPERATIONS, json),
        (&management, json),
    ] {
        for operation in operations {
            resources::openapi::add(
                &mut paths,
                operation.path,
                &operation.method,
                operation.describe(media_type),
            );
        }
    }
    scim::describe(&mut paths);
    registration::describe(&mut paths);
    let mut schemas = Map::new();
    for kind in rosters.resources.iter() {
        resources::openapi::describe(&mut paths, kind);
        schemas.insert(kind.as_str().to_owned(), schema(kind));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Castellan",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Endpoints of compatibility dialects (`/jwt`, `/api/sign_in`, \
                            `/api/sign_out`, `/oauth/*`) are described in their contracts \
                            (`docs/contracts`), pages in the documentation.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "client": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    })
}

impl Operation {
    fn describe(&self, media_type: &str) -> Value {
        let responses: Map<_, _> = self
            .responses
            .iter()
            .map(|(status, text)| (status.as_str().to_owned(), json!({"description": text})))
            .collect();
        let mut operation = json!({"summary": self.summary, "responses": responses});
        match self.caller {
            Caller::Anybody => {}
            Caller::Client => operation["security"] = json!([{"client": []}, {}]),
            Caller::Bearer => operation["security"] = json!([{"bearer": []}]),
        }
        if !self.form.is_empty() {
            let named = |(name, _): &(&str, bool)| ((*name).to_owned(), json!({"type": "string"}));
            let properties: Map<_, _> = self.form.iter().map(named).collect();
            let required = self.form.iter().filter(|(_, required)| *required);
            let required: Vec<_> = required.map(|(name, _)| *name).collect();
            operation["requestBody"] = json!({
                "required": !required.is_empty(),
                "content": {media_type: {"schema": {
                    "type": "object", "properties": properties, "required": required,
                }}},
            });
        }
        operation
    }
}

/// What can be written of `kind`, with its members that every resource has.
fn schema(kind: ResourceKind) -> Value {
    let mut schema = kind.schema();
    // Definitions are at the root of a schema of its own; here they become part of this document.
    let name = kind.as_str();
    let definitions = schema.as_object_mut().and_then(|schema| schema.remove("$defs"));
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.insert("title".to_owned(), json!(name));
    }
    schema["properties"]["resourceType"] = json!({"const": name});
    schema["properties"]["id"] = json!({"type": "string"});
    // Shown, and accepted when it is written back.
    schema["properties"]["meta"] = json!({"type": "object", "readOnly": true});
    if let Some(definitions) = definitions {
        schema["$defs"] = definitions;
        relocate(&mut schema, name);
    }
    schema
}

/// Lets references lead to the definitions of the schema `name`.
fn relocate(value: &mut Value, name: &str) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                match value {
                    Value::String(text) if member == "$ref" => {
                        *text = text
                            .replace("#/$defs/", &format!("#/components/schemas/{name}/$defs/"));
                    }
                    value => relocate(value, name),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| relocate(value, name)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::document;
    use crate::config::Rosters;

    /// The committed document is that of the code.
    #[test]
    fn the_description_is_up_to_date() {
        let text = serde_json::to_string_pretty(&document(&Rosters::default())).unwrap() + "\n";
        crate::reference::check("openapi.json", &text);
    }

    /// Every reference leads to something.
    #[test]
    fn references_lead_somewhere() {
        fn walk(value: &Value, root: &Value) {
            match value {
                Value::Object(members) => {
                    for (name, value) in members {
                        match value {
                            Value::String(text) if name == "$ref" => {
                                let pointer = text.strip_prefix('#').unwrap();
                                assert!(root.pointer(pointer).is_some(), "{text}");
                            }
                            value => walk(value, root),
                        }
                    }
                }
                Value::Array(values) => values.iter().for_each(|value| walk(value, root)),
                _ => {}
            }
        }
        let document = document(&Rosters::default());
        walk(&document, &document);
    }

    /// Pages for people, and what they load.
    const PAGES: [&str; 20] = [
        "/",
        "/account",
        "/account/passkeys",
        "/account/passkeys/new",
        "/account/passkeys/remove",
        "/account/password",
        "/account/revoke",
        "/account/sessions/end",
        "/account/welcome",
        "/assets/",
        "/auth/authorize",
        "/auth/device/code",
        "/auth/consent",
        "/auth/grant",
        "/auth/login",
        "/auth/second-factor",
        "/auth/logout",
        "/auth/setup",
        "/auth/reset-password",
        "/auth/device",
    ];

    /// No route is forgotten: it is described, or it is a page.
    #[test]
    fn every_route_is_described_or_a_page() {
        let document = document(&Rosters::default());
        let source = include_str!("mod.rs");
        let routes: Vec<_> = source
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| rest.split_once('"').map(|(path, _)| path))
            .collect();
        assert!(routes.len() > 20, "{routes:?}");
        for path in routes {
            let is_page = PAGES.contains(&path) || path.starts_with("/assets/");
            assert!(is_page || document["paths"].get(path).is_some(), "{path} is not described");
        }
    }
}
