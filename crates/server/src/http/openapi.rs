//! The OpenAPI description of the endpoints that programs call. Pages for people are not in it, nor
//! are guards, which serve the API behind them.

mod passwords;

use axum::http::{Method, StatusCode};
use castellan_issuer::resources::{ResourceKind, search::CONTROLS};
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

/// What a test of a policy or a pattern answers.
const TESTED: &[(StatusCode, &str)] = &[
    (StatusCode::OK, "What it says, why, and warnings."),
    (StatusCode::BAD_REQUEST, "The body does not match its media type."),
    TOKEN,
    (StatusCode::FORBIDDEN, "The token, its client or the person lacks the right."),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is neither JSON nor YAML."),
    (StatusCode::UNPROCESSABLE_ENTITY, "The policy or the pattern is not valid."),
    BROKEN,
];

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
        path: "/auth/test-policy",
        method: Method::POST,
        summary: "Try out a policy: `request` and `policy`, in JSON or YAML \
                  (docs/contracts/aidbox.md §8). Needs `Castellan:AccessPolicy:Test`.",
        caller: Caller::Bearer,
        form: &[],
        responses: TESTED,
    },
    Operation {
        path: "/$matcho",
        method: Method::POST,
        summary: "Try out a pattern: `matcho` and `resource`, in JSON or YAML \
                  (docs/contracts/aidbox.md §8). Needs `Castellan:AccessPolicy:Test`.",
        caller: Caller::Bearer,
        form: &[],
        responses: TESTED,
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
    for (operations, media_type) in
        [(OPERATIONS, form), (passwords::OPERATIONS, "application/json")]
    {
        for operation in operations {
            add(&mut paths, operation.path, &operation.method, operation.describe(media_type));
        }
    }
    let mut schemas = Map::new();
    for kind in rosters.resources.iter() {
        resource(&mut paths, kind);
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

fn add(paths: &mut Map<String, Value>, path: &str, method: &Method, operation: Value) {
    let entry = paths.entry(path).or_insert_with(|| json!({}));
    entry[method.as_str().to_ascii_lowercase()] = operation;
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

/// The operations of a kind of resource, at its path and below `/fhir`.
fn resource(paths: &mut Map<String, Value>, kind: ResourceKind) {
    for path in resources::paths(kind) {
        let operations = ResourceOperations { kind, path };
        operations.on_kind(paths);
        operations.on_one(paths);
        operations.history(paths);
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
        responses["503"] = outcome(BROKEN.1);
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
        paths[&one]["parameters"] = json!([required("id")]);
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
    const PAGES: [&str; 14] = [
        "/",
        "/account",
        "/account/password",
        "/account/revoke",
        "/assets/",
        "/auth/authorize",
        "/auth/device/code",
        "/auth/consent",
        "/auth/grant",
        "/auth/login",
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
