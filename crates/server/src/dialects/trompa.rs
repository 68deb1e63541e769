//! `docs/contracts/trompa.md`: `/jwt` trades keys for tokens; queries are public; a denied mutation
//! is null and the others run (§4).

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderValue, Request, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{any, post},
};
use castellan_gate::{ErrorText, Manner, Naming, OnDeny, Rules, SessionField, Wording};
use castellan_issuer::{
    Issuer,
    error::OAuthError,
    machine::api_key::{KeyProof, KeyTokens, TradeError},
};
use castellan_proto::{Secret, strict_json};
use serde_json::{Value, json};

use super::{BasicOf, Dialect, GuardDialect, JwtOf, SessionsOf, Site, patterns};
use crate::wire::request;

const NOT_AUTHORIZED: &str = "You are not authorized for this resource";

/// The dialect of guards, and of API keys.
pub(super) const DIALECT: Dialect = Dialect {
    name: "trompa",
    guards: Some(GuardDialect {
        rules,
        naming: Naming::Trompa,
        session: SessionField::Off,
        jwt: JwtOf::Keys,
        basic: BasicOf::Clients,
        http: false,
        at_root: Some("/graphql"),
        sessions: SessionsOf::Nobody,
        method_override: false,
        expected_user: false,
        endpoints: None,
        refusal: None,
    }),
    client: None,
    routes,
    open: &[],
    claims: &["/jwt"],
    refusal: |_, status, text| {
        Some(answer(status, Some(json!({"success": false, "message": text}))))
    },
};

fn rules(plain: Rules) -> Rules {
    Rules {
        public: patterns(&["Query:*", "Subscription:*"]),
        on_deny: OnDeny::Null,
        manner: Manner { tells_denials: true, ..Manner::default() },
        wording: Wording {
            no_credential: ErrorText::new("No authorization token.", "UNAUTHENTICATED"),
            expired: ErrorText::new("Your token is expired", "UNAUTHENTICATED"),
            invalid: ErrorText::new(NOT_AUTHORIZED, "UNAUTHENTICATED"),
            insufficient: ErrorText::new(NOT_AUTHORIZED, "FORBIDDEN"),
            no_role: ErrorText::new(NOT_AUTHORIZED, "FORBIDDEN"),
            no_policy: ErrorText::new(NOT_AUTHORIZED, "FORBIDDEN"),
            refused: None,
        },
        ..plain
    }
}

#[derive(Clone)]
struct TrompaState {
    issuer: Issuer,
    keys: Arc<KeyTokens>,
}

/// `POST /jwt` (§2), if there are API keys.
fn routes(site: &Site<'_>) -> Router {
    let Some(keys) = site.keys.cloned() else {
        return Router::new().route("/jwt", any(off));
    };
    let issuer = site.issuer.clone();
    let other = || async { answer(StatusCode::METHOD_NOT_ALLOWED, None) };
    let preflight = || async { answer(StatusCode::NO_CONTENT, None) };
    Router::new()
        .route("/jwt", post(trade).options(preflight).fallback(other))
        .with_state(TrompaState { issuer, keys })
}

/// Where there is no secret to sign tokens with: strangers are told nothing of it.
async fn off() -> Response {
    tracing::info!("POST /jwt is off: jwt.secret (JWT_SECRET) is not set");
    let body = Json(json!({"error": "not_found", "error_description": "there is nothing here"}));
    (StatusCode::NOT_FOUND, body).into_response()
}

/// Bytes of a body at most (§2.1, row 10).
const MOST: usize = 100 * 1024;

/// §2.1, in the order of its rows.
async fn trade(State(state): State<TrompaState>, request: Request<Body>) -> Response {
    let source = request::source(request.extensions());
    let (Parts { headers, .. }, body) = request.into_parts();
    let refuse =
        |status, message: &str| answer(status, Some(json!({"success": false, "message": message})));
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"));
    let body =
        if request::is_too_long(&body, MOST) { None } else { to_bytes(body, MOST).await.ok() };
    let Some(body) = body else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large");
    };
    let body = match strict_json::read(&body) {
        _ if !is_json => Value::Null,
        Ok(body) if body.is_object() || body.is_array() => body,
        // One that names a member twice is none either.
        _ => return refuse(StatusCode::BAD_REQUEST, "The request body is not a JSON object"),
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(id), Some(api_key)) = (text("id"), text("apiKey")) else {
        let message = "The `apiKey` or `id` property is missing in the request body";
        return refuse(StatusCode::UNAUTHORIZED, message);
    };
    let scopes = body.get("scopes").and_then(Value::as_array).filter(|list| !list.is_empty());
    let scopes: Option<Vec<String>> = scopes
        .and_then(|list| list.iter().map(|one| one.as_str().map(ToOwned::to_owned)).collect());
    let Some(scopes) = scopes else {
        let message = "The `scopes` property is missing or not an Array with at least one scope";
        return refuse(StatusCode::UNAUTHORIZED, message);
    };
    let api_key = Secret::new(api_key.to_owned());
    let proof = KeyProof { id, api_key: &api_key, source };
    match state.keys.issue(&state.issuer, proof, &scopes).await {
        Ok(jwt) => answer(StatusCode::OK, Some(json!({"success": true, "jwt": jwt}))),
        Err(TradeError::Unknown) => {
            refuse(StatusCode::FORBIDDEN, "The apiKey and id combination is not correct")
        }
        Err(TradeError::Scope(scope)) => refuse(
            StatusCode::FORBIDDEN,
            &format!("You don't have access to the requested '{scope}' scope"),
        ),
        Err(TradeError::Token(OAuthError::Throttled(seconds))) => {
            let message = format!("Too many attempts; try again in {seconds} s");
            let refused = refuse(StatusCode::TOO_MANY_REQUESTS, &message);
            ([(header::RETRY_AFTER, seconds.to_string())], refused).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "could not exchange an API key for a token");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "The token cannot be issued at the moment")
        }
    }
}

fn answer(status: StatusCode, body: Option<Value>) -> Response {
    let mut response = match body {
        Some(body) => (status, Json(body)).into_response(),
        None => status.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if headers.contains_key(header::CONTENT_TYPE) {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
    }
    response
}
