//! `/auth/userinfo` (OIDC Core §5.3). The token is in the header, or in the form of a POST (RFC 6750
//! §§2.1, 2.2).

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, Method, Request, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    endpoint::signed_response::UserInfo,
    error::{OAuthError, Repeated},
    session::browser::Browser,
    store::StoreError,
    tokens::dpop::Proof,
};
use castellan_proto::Secret;
use serde_json::Value;

use crate::{
    app::App,
    http::browser::cookies::{self, Visitor},
    wire::{
        bearer, cors,
        error::{Refusal, no_store},
        extract,
        request::{self, is_form},
    },
};

/// The only parameter that contains a token.
const TOKEN: &str = "access_token";

/// Handles `GET`. Without a token, a page of this site gets the claims of the person who is signed in in
/// its browser (`docs/contracts/aidbox.md` §11a).
pub(crate) async fn get(
    State(app): State<App>,
    visitor: Visitor,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let is_bare = query.is_none() && !headers.contains_key(header::AUTHORIZATION);
    if is_bare && visitor.browser.session.is_some() && cookies::is_same_origin(&app, &headers) {
        match own_claims(&app, &visitor.browser).await {
            Ok(Some(claims)) => return no_store(Json(claims).into_response()),
            Ok(None) => {}
            Err(error) => return Refusal::from(OAuthError::from(error)).into_response(),
        }
    }
    respond(&headers, answer(&app, &method, query.as_deref(), None, &headers).await)
}

/// The claims of whoever is signed in in `browser`, for themselves.
async fn own_claims(app: &App, browser: &Browser) -> Result<Option<Value>, StoreError> {
    let Some(person) = app.issuer().signed_in(browser).await? else { return Ok(None) };
    app.issuer().own_claims(person).await.map(Some)
}

/// `POST`, where the token may be in a form as well. Whatever else is in the body does not count.
pub(crate) async fn post(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Response {
    let headers = request.headers().clone();
    let form = if is_form(&headers) {
        request::read_form(request).await.map(|params| params.secret(TOKEN))
    } else {
        Ok(None)
    };
    let answered = match form {
        Ok(token) => answer(&app, &Method::POST, query.as_deref(), token, &headers).await,
        Err(error) => Err(error.into()),
    };
    respond(&headers, answered)
}

fn respond(headers: &HeaderMap, answered: Result<Response, Refusal>) -> Response {
    match answered {
        Ok(response) => response,
        // A script must learn that its token is no longer valid, and the app is not known.
        Err(refusal) => cors::allow_any(headers, refusal.into_response()),
    }
}

async fn answer(
    app: &App,
    method: &Method,
    query: Option<&str>,
    in_form: Option<Secret>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let refused = |error| Refusal::at_resource(error, bearer::scheme(headers));
    let twice = || OAuthError::from(Repeated(TOKEN.to_owned()));
    let in_query = extract::query(query)?.get(TOKEN).is_some();
    let (token, jws) = match &in_form {
        // A second credential: it is unknown which one is meant (RFC 6750 §2).
        Some(_) if in_query || headers.contains_key(header::AUTHORIZATION) => {
            return Err(twice().into());
        }
        // A token that is bound to a key is not valid without `Authorization: DPoP` (RFC 9449
        // §7.1).
        Some(token) => (token.expose(), None),
        None => bearer::token_and_proof(headers).map_err(refused)?,
    };
    if in_query {
        return Err(twice().into());
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
