//! Policies about people at resources, and trying them out (`docs/contracts/aidbox.md` §8).

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Request, StatusCode, request::Parts},
    response::Response,
};
use castellan_gate::Source;
use castellan_issuer::{
    policy::{self, Outcome as Said, Rule, matcho::Pattern},
    resources::{AccessPolicyDocument, ResourceKind},
    rights::Right,
    tokens::verified::Live,
};
use serde_json::{Map, Value, json};

use super::{Outcome, authorize, content, done};
use crate::app::App;

/// Headers that say who calls. Policies see the caller instead.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "dpop", "x-client-auth"];

/// Whether a policy lets `caller`, whose token and client have the right, read the resource `id` of
/// `kind`, or search for some without an id.
pub(super) async fn allow(
    app: &App,
    caller: &Live,
    (kind, id): (ResourceKind, Option<&str>),
    parts: &Parts,
) -> Result<(), Outcome> {
    let action = if id.is_some() { "Get" } else { "List" };
    let operation = format!("Query:{}:{action}", kind.as_str());
    let request = document(app, kind, id, parts);
    let said = app.issuer().ask_policies(caller, &operation, request).await;
    if policy::allows(&said.map_err(|error| Outcome::broken(&error))?) {
        Ok(())
    } else {
        Err(Outcome::Forbidden)
    }
}

/// A request as policies see it.
fn document(app: &App, kind: ResourceKind, id: Option<&str>, parts: &Parts) -> Value {
    let query = parts.uri.query();
    let mut params: Map<String, Value> = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let value = json!(value);
        match params.get_mut(&*name) {
            None => _ = params.insert(name.into_owned(), value),
            // Neither of two values may pass for the only one.
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first, value]),
        }
    }
    // What the path says, whatever the query does.
    params.insert("resource/type".to_owned(), json!(kind.as_str()));
    params.shift_remove("resource/id");
    if let Some(id) = id {
        params.insert("resource/id".to_owned(), json!(id));
    }
    let headers = parts.headers.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    let headers: Map<String, Value> = headers
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), json!(value.to_str().ok()?))))
        .collect();
    let issuer = &app.issuer().address().issuer;
    let mut request = json!({
        // Policies are asked about reading alone, and HEAD reads as GET does (RFC 9110 §9.3.2).
        "request-method": "get",
        "scheme": issuer.split(':').next(),
        "uri": parts.uri.path(),
        "params": params,
        "headers": headers,
    });
    if let Some(query) = query {
        request["query-string"] = json!(query);
    }
    if let Some(Source(address)) = parts.extensions.get() {
        request["remote-addr"] = json!(address.to_string());
    }
    request
}

/// `POST /auth/test-policy`: what a policy would say about a request, without either of them.
pub(in crate::http) async fn test_policy(
    State(app): State<App>,
    request: Request<Body>,
) -> Response {
    done(tested_policy(&app, request).await)
}

async fn tested_policy(app: &App, request: Request<Body>) -> Result<Response, Outcome> {
    let (mut members, headers) = read(app, request, &["policy", "request"]).await?;
    let policy = AccessPolicyDocument::policy(members.shift_remove("policy").unwrap_or_default());
    let policy = policy.map_err(|problem| Outcome::Invalid(format!("policy: {problem}")))?;
    let request = members.shift_remove("request").unwrap_or_default();
    if !request.is_object() {
        return Err(Outcome::Invalid("request must be an object".to_owned()));
    }
    let id = |of: &str| request.get(of).and_then(|of| of.get("id")).and_then(Value::as_str);
    // As resources have it: a list of the ids of roles.
    let roles = request.get("role").and_then(Value::as_array);
    let roles: Vec<&str> = roles.into_iter().flatten().filter_map(Value::as_str).collect();
    let asked = policy::Request {
        user: id("user"),
        client: id("client"),
        roles: &roles,
        operation: id("operation"),
        document: &request,
    };
    let said = policy.explain(&asked);
    let (is_allowed, explanation) = match said.as_ref().map(|said| &said.outcome) {
        Some(Said::Allowed) => (true, "the policy allows the request"),
        Some(Said::NotAllowed(reason) | Said::Forbidden(reason)) => (false, reason.as_str()),
        None => {
            let text = "the policy is linked to no user, role, client or operation of the request";
            (false, text)
        }
    };
    let mut result = json!({
        "eval-result": is_allowed,
        "explanation": explanation,
        "warnings": policy.rule.warnings(),
    });
    if let (Rule::Cedar(_), Some(said)) = (&policy.rule, &said) {
        let decision = match said.outcome {
            Said::Allowed => "permit",
            Said::Forbidden(_) => "forbid",
            Said::NotAllowed(_) => "none",
        };
        result["cedar"] =
            json!({"decision": decision, "policies": said.policies, "errors": said.errors});
    }
    Ok(content::answer(StatusCode::OK, &result, &headers))
}

/// `POST /$matcho`: whether a pattern matches a document, and if not, where.
pub(in crate::http) async fn test_matcho(
    State(app): State<App>,
    request: Request<Body>,
) -> Response {
    done(tested_matcho(&app, request).await)
}

async fn tested_matcho(app: &App, request: Request<Body>) -> Result<Response, Outcome> {
    let (members, headers) = read(app, request, &["matcho", "resource"]).await?;
    let pattern = Pattern::read(members.get("matcho").unwrap_or(&Value::Null));
    let pattern = pattern.map_err(Outcome::Invalid)?;
    let mismatch = pattern.mismatch(members.get("resource").unwrap_or(&Value::Null));
    let errors: Vec<Value> = mismatch
        .into_iter()
        .map(|mismatch| json!({"path": mismatch.path, "expected": mismatch.expected}))
        .collect();
    let result = json!({
        "matches": errors.is_empty(),
        "errors": errors,
        "warnings": pattern.warnings(),
    });
    Ok(content::answer(StatusCode::OK, &result, &headers))
}

/// The members of the body of a caller who may test policies: all of `names` and nothing else.
async fn read(
    app: &App,
    request: Request<Body>,
    names: &[&str],
) -> Result<(Map<String, Value>, HeaderMap), Outcome> {
    let (parts, body) = request.into_parts();
    authorize(app, &parts, Right::TestPolicies).await?;
    let document = content::document(&parts.headers, &content::read(body).await?)?;
    let Value::Object(members) = document else {
        return Err(Outcome::Invalid("the body must be an object".to_owned()));
    };
    if let Some(name) = names.iter().find(|name| !members.contains_key(**name)) {
        return Err(Outcome::Invalid(format!("{name} is missing")));
    }
    if let Some(name) = members.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(Outcome::Invalid(format!("unknown member {name:?}")));
    }
    Ok((members, parts.headers))
}
