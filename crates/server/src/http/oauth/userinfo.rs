//! `/auth/userinfo` (OIDC Core §5.3).

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    endpoint::signed_response::UserInfo,
    error::{OAuthError, Repeated},
    tokens::dpop::Proof,
};

use crate::{
    app::App,
    wire::{
        bearer, cors,
        error::{Refusal, no_store},
        extract,
    },
};

/// `GET` and `POST`.
pub(crate) async fn get(
    State(app): State<App>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match answer(&app, &method, query.as_deref(), &headers).await {
        Ok(response) => response,
        // A script must learn that its token is over, and no app is known to ask.
        Err(refusal) => cors::allow_any(&headers, refusal.into_response()),
    }
}

async fn answer(
    app: &App,
    method: &Method,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let refused = |error| Refusal::at_resource(error, bearer::scheme(headers));
    let (token, jws) = bearer::token_and_proof(headers).map_err(refused)?;
    // A second credential: which is meant cannot be told (RFC 6750 §2).
    let name = "access_token";
    if extract::query(query)?.get(name).is_some() {
        return Err(OAuthError::from(Repeated(name.to_owned())).into());
    }
    let url = app.at("/auth/userinfo");
    let proof = jws.map(|jws| Proof { jws, method: method.as_str(), url: &url });
    let answer = app.issuer().userinfo_as_wanted(token, proof.as_ref()).await;
    let (client, info) = answer.map_err(refused)?;
    let response = no_store(match info {
        UserInfo::Plain(claims) => Json(claims).into_response(),
        UserInfo::Signed(jwt) => ([(header::CONTENT_TYPE, "application/jwt")], jwt).into_response(),
    });
    Ok(cors::allow(app.issuer(), headers, Some(&client), response).await)
}
