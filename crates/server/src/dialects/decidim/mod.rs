//! `docs/contracts/decidim.md`: its apps at `/oauth` ([`oauth`]), and machine sign-in; reads are public, a token's scopes replace what is
//! public, mutations need `user`, `api:read` and `api:write` together (§5.2).

mod oauth;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, post},
};
use castellan_gate::{
    ErrorText, Introspection, Manner, Naming, Root, Rules, SessionField, Wording,
};
use castellan_issuer::{
    Issuer,
    error::OAuthError,
    machine::machine_user::{MachineProof, MachineSignIn, MachineTokens},
    records::TokenProfile,
    tokens::verified::VerifyError,
};
use castellan_proto::{Secret, strict_json};
use serde::Deserialize;
use serde_json::json;

use super::{
    BasicOf, ClientDialect, Dialect, GuardDialect, JwtOf, SessionsOf, Site, bearer, patterns,
};
use crate::wire::request;

/// The dialect of guards, of machine users and of apps.
pub(super) const DIALECT: Dialect = Dialect {
    name: "decidim",
    guards: Some(GuardDialect {
        rules,
        naming: Naming::Verbs,
        session: SessionField::Local,
        jwt: JwtOf::Machines,
        basic: BasicOf::Clients,
        http: false,
        at_root: None,
        sessions: SessionsOf::Pages,
        method_override: false,
        expected_user: false,
        endpoints: None,
        refusal: None,
    }),
    client: Some(ClientDialect {
        profile: TokenProfile::Decidim,
        names_type: true,
        refreshes: false,
    }),
    routes: |site| routes(site).merge(oauth::routes(site)),
    open: &["/api/sign_in", "/api/sign_out", "/api/sign_out/"],
    claims: &["/api/sign_in", "/api/sign_out", "/oauth"],
    refusal: |path, status, text| {
        let is_oauth = path.starts_with("/oauth");
        (!is_oauth).then(|| (status, Json(json!({"error": text}))).into_response())
    },
};

fn rules(plain: Rules) -> Rules {
    let all = ["user", "api:read", "api:write"].map(ToOwned::to_owned).to_vec();
    Rules {
        public: patterns(&["Query:*"]),
        introspection: Introspection::SignedIn,
        forms: true,
        requires: [(Root::Mutation, all)].into(),
        manner: Manner {
            scopes_replace_public: true,
            denied_query_is_null: true,
            tells_denials: true,
        },
        wording: Wording {
            insufficient: ErrorText::new(
                "This token may not use this field.",
                "INSUFFICIENT_SCOPE",
            ),
            no_role: ErrorText::new("This token may not use this field.", "INSUFFICIENT_SCOPE"),
            no_policy: ErrorText::new("This token may not use this field.", "INSUFFICIENT_SCOPE"),
            refused: Some(r#"{"error":"Access denied"}"#),
            ..Wording::default()
        },
        ..plain
    }
}

#[derive(Clone)]
struct DecidimState {
    issuer: Issuer,
    machines: Option<Arc<MachineTokens>>,
}

/// `POST /api/sign_in` (§2), if there are machine users, and `DELETE /api/sign_out` (§3), which apps
/// use as well.
fn routes(site: &Site<'_>) -> Router {
    let (issuer, machines) = (site.issuer.clone(), site.machines.cloned());
    let mut routes = Router::new()
        .route("/api/sign_out", delete(sign_out))
        .route("/api/sign_out/", delete(sign_out));
    if machines.is_some() {
        routes = routes.route("/api/sign_in", post(sign_in));
    }
    routes.with_state(DecidimState { issuer, machines })
}

/// Every failure is the same answer.
async fn sign_in(State(state): State<DecidimState>, request: Request<Body>) -> Response {
    let audience = match audience(request.headers()) {
        Ok(audience) => audience.map(ToOwned::to_owned),
        Err(()) => return signed_in(None),
    };
    let source = request::source(request.extensions());
    let Some((key, secret)) = read(request).await else { return signed_in(None) };
    let proof = MachineProof { key: &key, secret: &secret, audience: audience.as_deref(), source };
    let Some(machines) = &state.machines else { return signed_in(None) };
    match machines.sign_in(&state.issuer, proof).await {
        Ok(done) => signed_in(done.as_ref()),
        Err(OAuthError::Throttled(seconds)) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let wait = [(header::RETRY_AFTER, seconds.to_string())];
            (status, wait, signed_in(None)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a machine user could not sign in");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn signed_in(done: Option<&MachineSignIn>) -> Response {
    let status = if done.is_some() { StatusCode::OK } else { StatusCode::FORBIDDEN };
    let body = json!({
        "id": done.map(|done| done.number),
        "name": done.map(|done| &done.name),
        "nickname": done.map(|done| &done.nickname),
        "jwt_token": done.map(|done| &done.token),
        "avatar": null,
    });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let bearer = done.map(|done| HeaderValue::from_str(&format!("Bearer {}", done.token)));
    if let Some(Ok(bearer)) = bearer {
        headers.insert(header::AUTHORIZATION, bearer);
    }
    response
}

/// Without a credential there is nothing to sign out of, which is done at once (§3).
async fn sign_out(State(state): State<DecidimState>, headers: HeaderMap) -> Response {
    if !headers.contains_key(header::AUTHORIZATION) {
        return StatusCode::OK.into_response();
    }
    let invalid = || {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        (StatusCode::UNAUTHORIZED, challenge).into_response()
    };
    let Some(token) = bearer(&headers) else { return invalid() };
    if let Some(machines) = &state.machines {
        match machines.sign_out(&state.issuer, token).await {
            Ok(()) => return StatusCode::OK.into_response(),
            Err(VerifyError::Store(error)) => return unavailable(&error),
            Err(VerifyError::OtherKind) => {}
            Err(_) => return invalid(),
        }
    }
    // An app's token, if its app is named besides (§3).
    let Ok(Some(client)) = audience(&headers) else { return invalid() };
    match state.issuer.end_token_of(client, token).await {
        Ok(true) => StatusCode::OK.into_response(),
        Ok(false) => invalid(),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "a machine user could not sign out");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// The one `X-Jwt-Aud` (§4.1).
fn audience(headers: &HeaderMap) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all("x-jwt-aud").iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        _ => Err(()),
    }
}

/// Bytes of a body at most.
const MOST: usize = 16 * 1024;

/// Key and secret from a form, a multipart form or JSON.
async fn read(request: Request<Body>) -> Option<(String, Secret)> {
    let media_type = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = media_type.split(';').next()?.trim().to_ascii_lowercase();
    if media_type == "multipart/form-data" {
        return from_pairs(request::multipart(request).await?.into_iter());
    }
    if request::is_too_long(request.body(), MOST) {
        return None;
    }
    let body = axum::body::to_bytes(request.into_body(), MOST).await.ok()?;
    match &*media_type {
        "application/x-www-form-urlencoded" => from_pairs(
            url::form_urlencoded::parse(&body).map(|(name, value)| (name.into(), value.into())),
        ),
        "application/json" => from_json(&body),
        _ => None,
    }
}

/// Each of the two names once.
fn from_pairs(pairs: impl Iterator<Item = (String, String)>) -> Option<(String, Secret)> {
    let (mut key, mut secret) = (None, None);
    for (name, value) in pairs {
        let slot = match &*name {
            "api_user[key]" => &mut key,
            "api_user[secret]" => &mut secret,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some((key?, Secret::new(secret?)))
}

fn from_json(body: &Bytes) -> Option<(String, Secret)> {
    #[derive(Deserialize)]
    struct SignIn {
        api_user: ApiUser,
    }
    #[derive(Deserialize)]
    struct ApiUser {
        key: String,
        secret: Secret,
    }
    let SignIn { api_user } = strict_json::parse(strict_json::read(body).ok()?).ok()?;
    Some((api_user.key, api_user.secret))
}
