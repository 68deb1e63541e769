//! `DELETE /Session`, without an id: a token ends the session to which it belongs, or an
//! administrator all sessions of a person or a client (`docs/contracts/aidbox.md` §7).

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::delete,
};
use castellan_issuer::{error::OAuthError, rights::Right, tokens::dpop::Proof};

use super::{Outcome, authorize, content, done, style::Style};
use crate::{
    app::App,
    wire::{
        bearer,
        error::{Refusal, Scheme},
        extract,
    },
};

/// The parameters that `DELETE /Session` knows.
const KNOWN: [&str; 3] = ["user", "client", "_no-content"];

/// The paths at which sessions are ended without an id.
pub(super) fn routes() -> Router<App> {
    Style::ALL.into_iter().fold(Router::new(), |routes, style| {
        let end = move |State(app): State<App>, parts: Parts| async move {
            done(end(&app, style, &parts).await)
        };
        routes.route(&path(style), delete(end))
    })
}

fn path(style: Style) -> String {
    format!("{}/Session", style.prefix())
}

async fn end(app: &App, style: Style, parts: &Parts) -> Result<Response, Outcome> {
    let params =
        extract::query(parts.uri.query()).map_err(|error| Outcome::Bad(error.to_string()))?;
    // What is meant for another session must not end the caller's own.
    if let Some((other, _)) = params.pairs().find(|(name, _)| !KNOWN.contains(name)) {
        let other: String = other.chars().take(64).collect();
        return Err(Outcome::Bad(format!(
            "{other:?} is not a parameter of DELETE /Session; it has {}",
            KNOWN.join(", ")
        )));
    }
    if let Some((name, _)) = params.pairs().find(|(_, value)| value.is_empty()) {
        return Err(Outcome::Bad(format!("{name} has no value")));
    }
    let is_silent = match params.get("_no-content") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Outcome::Bad("_no-content must be true or false".to_owned())),
    };
    match (params.get("user"), params.get("client")) {
        (None, None) => own(app, style, &parts.headers, is_silent).await,
        (Some(user), None) => {
            authorize(app, parts, Right::Write).await?;
            let there = app.issuer().end_sessions_of(id_of(user, "User/")).await;
            all_ended(there.map_err(|error| Outcome::broken(&error))?)
        }
        (None, Some(client)) => {
            authorize(app, parts, Right::Write).await?;
            let there = app.issuer().end_sessions_of_client(id_of(client, "Client/")).await;
            all_ended(there.map_err(|error| Outcome::broken(&error))?)
        }
        (Some(_), Some(_)) => Err(Outcome::Bad(
            "give either user or client: sessions of one person at one client cannot be ended \
             together; delete the Grant, or each Session by its id"
                .to_owned(),
        )),
    }
}

/// The session of the token of the request.
async fn own(
    app: &App,
    style: Style,
    headers: &HeaderMap,
    is_silent: bool,
) -> Result<Response, Outcome> {
    let url = app.at(&path(style));
    let ended = async {
        let (token, jws) = bearer::token_and_proof(headers)?;
        let proof = jws.map(|jws| Proof { jws, method: "DELETE", url: &url });
        app.issuer().close_session_of(token, proof.as_ref()).await
    };
    match ended.await {
        Ok(_) if is_silent => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(session) => {
            let session = style.write(session);
            Ok(content::answer(StatusCode::OK, &session, headers))
        }
        // Who shows a key hears what was wrong with its proof, and the nonce for the next one.
        Err(error) if bearer::scheme(headers) == Scheme::Dpop => {
            Ok(Refusal::at_resource(error, Scheme::Dpop).into_response())
        }
        Err(OAuthError::TokenMissing) => Err(Outcome::Anonymous),
        Err(OAuthError::Store(error)) => Err(Outcome::broken(&error)),
        Err(_) => Err(Outcome::Unauthorized),
    }
}

fn all_ended(there: bool) -> Result<Response, Outcome> {
    if there { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Outcome::NotFound) }
}

/// The id of a reference, with or without its kind.
fn id_of<'a>(reference: &'a str, kind: &str) -> &'a str {
    reference.strip_prefix(kind).unwrap_or(reference)
}
