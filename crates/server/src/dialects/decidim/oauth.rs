//! `docs/contracts/decidim.md` §6: `/oauth/*`, the verbs of `/auth` in the words and statuses of
//! that contract.

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use castellan_issuer::{
    Issuer,
    endpoint::revocation::Revoked,
    error::OAuthError,
    request::params::Params,
    tokens::verified::{Holder, VerifyError},
};
use castellan_proto::{ErrorCode, error_description};
use serde_json::{Value, json};

use crate::{
    dialects::{Site, bearer},
    wire::{cors, error::no_store, request::ClientRequest},
};

/// The endpoints that apps of that contract call.
pub(super) fn routes(site: &Site<'_>) -> Router {
    let authorization = (site.authorization)("/oauth/authorize");
    Router::new()
        .route("/oauth/introspect", post(introspect))
        .route("/oauth/me", get(me))
        .route("/oauth/revoke", post(revoke))
        .route("/oauth/token", post(token))
        .with_state(site.issuer.clone())
        .merge(authorization.layer(map_response(with_their_status)))
}

/// An unknown client is a page with 401; our own pages are reached by 302 (§6.1).
async fn with_their_status(mut response: Response) -> Response {
    if response.extensions().get() == Some(&ErrorCode::InvalidClient) {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    } else if response.status() == StatusCode::SEE_OTHER {
        *response.status_mut() = StatusCode::FOUND;
    }
    response
}

/// `POST /oauth/token` (§§6.2, 6.3).
async fn token(State(issuer): State<Issuer>, request: Request<Body>) -> Response {
    let (headers, mut client) = (request.headers().clone(), None);
    let answer = async {
        let request = ClientRequest::read_multipart_too(request).await?;
        client = request.client();
        let ClientRequest { params, basic, .. } = request;
        check(&params)?;
        let answered = issuer.token(&params, basic, None).await;
        answered.map_err(|error| match error {
            // An app without refresh tokens presents somebody else's.
            OAuthError::GrantNotAllowed => OAuthError::RefreshNotUsable,
            other => other,
        })
    };
    let response = match answer.await {
        Err(error) => refuse(&error),
        Ok(answer) => {
            let created_at = answer.created_at;
            let mut body = serde_json::to_value(answer).unwrap_or_default();
            body["created_at"] = json!(created_at);
            no_store(Json(body).into_response())
        }
    };
    cors::allow(&issuer, &headers, client.as_deref(), response).await
}

/// The two grants that are served here, and what they take.
fn check(params: &Params) -> Result<(), OAuthError> {
    match params.get("grant_type") {
        None => Err(OAuthError::Missing("grant_type")),
        Some("authorization_code") if params.get("redirect_uri").is_none() => {
            Err(OAuthError::Missing("redirect_uri"))
        }
        Some("refresh_token") if params.get("refresh_token").is_none() => {
            Err(OAuthError::Missing("refresh_token"))
        }
        Some("authorization_code" | "refresh_token") => Ok(()),
        Some(_) => Err(OAuthError::UnknownGrant),
    }
}

/// Handles `POST /oauth/revoke` (§6.4).
async fn revoke(State(issuer): State<Issuer>, request: Request<Body>) -> Response {
    let (headers, mut client) = (request.headers().clone(), None);
    let answer = async {
        let request = ClientRequest::read_multipart_too(request).await?;
        client = request.client();
        issuer.revoke(&request.params, request.basic).await
    };
    let response = match answer.await {
        Ok(Revoked::Over) => no_store(Json(json!({})).into_response()),
        Ok(Revoked::NotYours) => unauthorized("the token was issued to another client"),
        Err(OAuthError::InvalidClient { .. } | OAuthError::Missing("client_id")) => {
            unauthorized("unknown client, or client authentication failed")
        }
        Err(error) => refuse(&error),
    };
    cors::allow(&issuer, &headers, client.as_deref(), response).await
}

/// Handles `POST /oauth/introspect`.
async fn introspect(State(issuer): State<Issuer>, request: Request<Body>) -> Response {
    let answer = async {
        let ClientRequest { params, basic, .. } =
            ClientRequest::read_multipart_too(request).await?;
        issuer.introspect(&params, basic).await
    };
    match answer.await {
        Ok(answer) => no_store(Json(answer).into_response()),
        Err(error) => refuse(&error),
    }
}

/// Handles `GET /oauth/me` (§6.5).
async fn me(State(issuer): State<Issuer>, headers: HeaderMap) -> Response {
    let invalid = || {
        let error = OAuthError::InvalidToken;
        let status = StatusCode::UNAUTHORIZED;
        let response =
            challenged(status.into_response(), ErrorCode::InvalidToken, &error.to_string());
        cors::allow_any(&headers, response)
    };
    let Some(token) = bearer(&headers) else { return invalid() };
    let live = match issuer.verify_access(token, Holder::Bearer).await {
        Ok(live) => live,
        Err(VerifyError::Store(error)) => return refuse(&error.into()),
        Err(_) => return invalid(),
    };
    let Some((id, account)) = &live.account else { return invalid() };
    // A token that is only for certain APIs is not valid here (RFC 8707 §2).
    if !live.audience.contains(&issuer.address().issuer) {
        return invalid();
    }
    if !live.may("profile") {
        let response = no_store(StatusCode::FORBIDDEN.into_response());
        return cors::allow(&issuer, &headers, Some(&live.client_id), response).await;
    }
    // To an app of another kind people showed their address only if it asked for that.
    let email =
        account.emails.first().filter(|_| live.profile.profile_opens_email() || live.may("email"));
    let body = json!({
        "id": number_or_text(id),
        "email": email,
        "name": account.display_name(),
        "nickname": account.user_name,
        "image": null,
    });
    let response = no_store(Json(body).into_response());
    cors::allow(&issuer, &headers, Some(&live.client_id), response).await
}

/// An id as that contract has it: a number where it is one.
fn number_or_text(id: &str) -> Value {
    match id.parse::<u64>() {
        Ok(number) if number.to_string() == id => json!(number),
        _ => json!(id),
    }
}

/// Every failure of `/oauth/revoke` that is about the client (§6.4).
fn unauthorized(text: &str) -> Response {
    let body = json!({"error": ErrorCode::UnauthorizedClient.as_str(), "error_description": text});
    let response = (StatusCode::FORBIDDEN, Json(body)).into_response();
    challenged(response, ErrorCode::UnauthorizedClient, text)
}

/// §6.2: JSON, and the same error as a challenge.
fn refuse(error: &OAuthError) -> Response {
    let code = match error {
        OAuthError::VerifierMissing => ErrorCode::InvalidRequest,
        other => other.code(),
    };
    if code == ErrorCode::ServerError {
        tracing::error!(error = error as &dyn std::error::Error, "a request failed");
        let body = Json(json!({"error": code.as_str()}));
        if error.may_pass() {
            let later = [(header::RETRY_AFTER, "1")];
            return no_store((StatusCode::SERVICE_UNAVAILABLE, later, body).into_response());
        }
        return no_store((StatusCode::INTERNAL_SERVER_ERROR, body).into_response());
    }
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let text = error_description(&error.to_string());
    let body = Json(json!({"error": code.as_str(), "error_description": text}));
    let mut response = challenged((status, body).into_response(), code, &text);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn challenged(mut response: Response, code: ErrorCode, text: &str) -> Response {
    // What a caller sent may be named in the text; in a header it stays within its quotes.
    let challenge = format!(
        "Bearer realm=\"Decidim\", error=\"{}\", error_description=\"{}\"",
        code.as_str(),
        error_description(text)
    );
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    no_store(response)
}
