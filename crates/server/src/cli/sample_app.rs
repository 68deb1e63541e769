//! The sample app of the demo: what an app developer would write. It signs people in with the
//! authorization code grant and PKCE, over HTTP like anybody else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use castellan_proto::{Digest, random};
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

use super::{Failure, serve, trial::Trial};
use crate::{
    corridor::{Believed, Corridor, SiteRoutes},
    http_client::HttpClient,
    roots::TrustedRoots,
    startup::listener::{self, Limits, Listener},
};

/// What the app asks for, and what it shows to try with it.
pub(super) struct Offer {
    pub(super) scope: String,
    pub(super) trial: Trial,
}

/// Where the app is.
pub(super) struct SampleApp {
    address: String,
    redirect_uri: String,
}

struct Shared {
    issuer: String,
    redirect_uri: String,
    offer: Offer,
    client: HttpClient,
    token_endpoint: Url,
    /// Verifiers of sign-ins in progress, by state. Few: it is a demo.
    verifiers: Mutex<HashMap<String, String>>,
}

const MOST_IN_PROGRESS: usize = 100;
/// One browser comes here.
const MOST_CONNECTIONS: usize = 64;

impl SampleApp {
    /// Starts the app on a port of its own.
    pub(super) async fn start(
        issuer: &str,
        offer: Offer,
        mut stop: watch::Receiver<()>,
    ) -> Result<Self, Failure> {
        let listener = serve::bind(([127, 0, 0, 1], 0).into()).await?;
        let address = format!("http://{}/", listener.local_addr()?);
        let redirect_uri = format!("{address}callback");
        let token_endpoint: Url = format!("{issuer}/auth/token").parse()?;
        let shared = Arc::new(Shared {
            issuer: issuer.to_owned(),
            redirect_uri: redirect_uri.clone(),
            offer,
            client: HttpClient::to(&TrustedRoots::default(), [&token_endpoint]),
            token_endpoint,
            verifiers: Mutex::default(),
        });
        let routes =
            Router::new().route("/", get(begin)).route("/callback", get(finish)).with_state(shared);
        let face = SiteRoutes::of(routes);
        let corridor = Corridor::new(vec![face], Believed::default());
        let limits = Limits::of(MOST_CONNECTIONS);
        let listeners = vec![Listener::plain(listener)];
        tokio::spawn(listener::serve(listeners, corridor, limits, async move {
            drop(stop.changed().await);
        }));
        Ok(Self { address, redirect_uri })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }
}

/// Sends the browser to sign in.
async fn begin(State(shared): State<Arc<Shared>>) -> Response {
    let secret = || Digest(random::<32>()).text();
    let (state, verifier) = (secret(), secret());
    let challenge = Digest::of(verifier.as_bytes()).text();
    {
        let Ok(mut verifiers) = shared.verifiers.lock() else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        if verifiers.len() >= MOST_IN_PROGRESS {
            verifiers.clear();
        }
        verifiers.insert(state.clone(), verifier);
    }
    let Ok(mut url) = Url::parse(&format!("{}/auth/authorize", shared.issuer)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", "sample-app")
        .append_pair("redirect_uri", &shared.redirect_uri)
        .append_pair("scope", &shared.offer.scope)
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    Redirect::to(url.as_str()).into_response()
}

/// The browser is back: trade the code, show the token.
async fn finish(
    State(shared): State<Arc<Shared>>,
    Query(answer): Query<HashMap<String, String>>,
) -> Response {
    let state = answer.get("state").map(String::as_str).unwrap_or_default();
    let verifier = shared.verifiers.lock().ok().and_then(|mut all| all.remove(state));
    let Some(verifier) = verifier else {
        return page("This response does not belong to a sign-in of this app.", "");
    };
    let Some(code) = answer.get("code") else {
        let error = answer.get("error").map(String::as_str).unwrap_or_default();
        return page("The sign-in failed:", error);
    };
    let request = json!({
        "grant_type": "authorization_code",
        "client_id": "sample-app",
        "redirect_uri": shared.redirect_uri,
        "code": code,
        "code_verifier": verifier,
    });
    let token = match shared.client.post_json(&shared.token_endpoint, request.to_string()).await {
        Ok(body) => serde_json::from_slice::<Value>(&body).ok(),
        Err(error) => {
            return page("The code could not be exchanged for a token:", &error.to_string());
        }
    };
    let token = token.as_ref().and_then(|answer| answer["access_token"].as_str());
    let curl = shared.offer.trial.curl(&shared.issuer, Some(token.unwrap_or_default()), "  ");
    page("Signed in. The app can now do this on your behalf:", &curl)
}

fn page(text: &str, code: &str) -> Response {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>The sample app</title>\
         <h1>The sample app</h1><p>{}</p><pre>{}</pre><p><a href=\"/\">Sign in again</a></p></html>",
        escape(text),
        escape(code)
    );
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'")];
    (policy, Html(body)).into_response()
}
