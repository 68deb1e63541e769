//! Passwords by JSON (`docs/contracts/aidbox.md` §7): a person changes their own, and an administrator
//! issues a link to set a new one.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Request, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    error::OAuthError,
    rights::Right,
    session::browser::Browser,
    sign_in::{
        new_password::{ChangeError, ChangeForm},
        reset::IssueError,
    },
    tokens::dpop::Proof,
};
use castellan_proto::{Secret, strict_json};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    browser::cookies::{self, Visitor},
    resources::{Outcome, authorize, done},
};
use crate::{
    app::App,
    wire::{
        bearer,
        error::{Refusal, no_store},
        request,
    },
};

/// Bytes of a body at most.
const MOST: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WhoseReset {
    user_id: String,
}

/// `POST /auth/force-reset-password`. With the link anybody can be signed in as, administrators among
/// them, so this takes the right to do everything.
pub(super) async fn force_reset(State(app): State<App>, request: Request<Body>) -> Response {
    done(issue(&app, request).await)
}

async fn issue(app: &App, request: Request<Body>) -> Result<Response, Outcome> {
    let (parts, content) = request.into_parts();
    authorize(app, &parts, Right::Write).await?;
    let WhoseReset { user_id } = body(Request::from_parts(parts, content)).await?;
    let token = app.issuer().issue_reset(&user_id).await.map_err(|error| match error {
        IssueError::Unknown => Outcome::NotFound,
        IssueError::Inactive => Outcome::Invalid(error.to_string()),
        IssueError::Token(error) => Outcome::broken(&error),
    })?;
    let data = json!({"resetUrl": app.issuer().reset_url(&token), "token": token.text()});
    Ok(Json(json!({"code": "password_reset_link_issued", "data": data})).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Change {
    current_password: Secret,
    new_password: Secret,
}

/// `POST /auth/change-password`, with a token of the person, or from a script of this site in a browser
/// in which they are signed in.
pub(super) async fn change(
    State(app): State<App>,
    visitor: Visitor,
    request: Request<Body>,
) -> Response {
    no_store(changed(&app, visitor, request).await.unwrap_or_else(|refused| refused))
}

/// The answer, or the refusal.
async fn changed(
    app: &App,
    visitor: Visitor,
    request: Request<Body>,
) -> Result<Response, Response> {
    let by_token = request.headers().contains_key(header::AUTHORIZATION);
    if !by_token && !cookies::is_same_origin(app, request.headers()) {
        return Err(cookies::cross_site());
    }
    // Every browser says where a script is from that sends JSON.
    let is_told = [header::ORIGIN.as_str(), "sec-fetch-site"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    let (id, browser) = if by_token {
        let id = bearer_of(app, request.headers()).await?;
        // A token is used in no browser that could be known.
        (id, Browser { source: visitor.browser.source, ..Browser::default() })
    } else {
        let person = app.issuer().signed_in(&visitor.browser).await;
        let person = person.map_err(|error| Outcome::broken(&error).into_response())?;
        let person = person.ok_or_else(|| Outcome::Anonymous.into_response())?;
        if !is_told {
            return Err(cookies::cross_site());
        }
        (person.account_id, visitor.browser)
    };
    let asked: Change = body(request).await.map_err(IntoResponse::into_response)?;
    let form = ChangeForm {
        current: asked.current_password,
        again: asked.new_password.clone(),
        new: asked.new_password,
    };
    let changed = app.issuer().change_password(&id, &form, &browser).await;
    changed.map_err(|error| match error {
        ChangeError::Token(error) => Refusal::from(error).into_response(),
        ChangeError::Wrong => wrong("currentPassword", &error),
        ChangeError::Same | ChangeError::Differ | ChangeError::Password(_) => {
            wrong("newPassword", &error)
        }
    })?;
    let mut response = Json(json!({"code": "password_changed"})).into_response();
    if browser.session.is_some() {
        cookies::clear_session(app, &mut response);
    }
    Ok(response)
}

/// The person whose token is in `headers`, which must be for this server.
async fn bearer_of(app: &App, headers: &HeaderMap) -> Result<String, Response> {
    let refused = |error| Refusal::at_resource(error, bearer::scheme(headers)).into_response();
    let (token, jws) = bearer::token_and_proof(headers).map_err(refused)?;
    let url = app.at("/auth/change-password");
    let proof = jws.map(|jws| Proof { jws, method: "POST", url: &url });
    let live = app.issuer().verify_shown(token, proof.as_ref()).await;
    let live = live.map_err(|error| refused(error.into()))?;
    if !live.audience.contains(&app.issuer().address().issuer) {
        return Err(refused(OAuthError::InvalidToken));
    }
    // A client is nobody with a password.
    let person = live.account.as_ref().map(|(id, _)| id.clone());
    person.ok_or_else(|| Outcome::Forbidden.into_response())
}

fn wrong(member: &str, error: &ChangeError) -> Response {
    Outcome::Invalid(format!("{member}: {error}")).into_response()
}

/// What a body of JSON says, with every member known and written once.
async fn body<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Outcome> {
    if !request::is_json(request.headers()) {
        return Err(Outcome::MediaType("Send application/json"));
    }
    let (_, body) = request.into_parts();
    if request::is_too_long(&body, MOST) {
        return Err(Outcome::TooLarge);
    }
    let bytes = axum::body::to_bytes(body, MOST).await.map_err(|_| Outcome::TooLarge)?;
    let value = strict_json::read(&bytes).map_err(|problem| Outcome::Bad(problem.to_string()))?;
    // A structure would be read from a list of its values as well.
    if !value.is_object() {
        return Err(Outcome::Bad("the body must be a JSON object".to_owned()));
    }
    strict_json::parse(value).map_err(Outcome::Bad)
}
