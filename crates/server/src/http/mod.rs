//! Our own routes, all on one screen.

mod abilities;
mod account;
mod authorize;
mod bearer;
mod browser;
mod consent;
mod device;
mod discovery;
mod health;
mod login;
mod logout;
mod page;
mod refusal;
mod resources;
mod setup;
mod token;
mod userinfo;
mod wire;

use axum::{
    Router,
    routing::{get, post},
};

use crate::app::App;

/// Every route that is not a guard.
pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route("/", get(page::home))
        .route("/account", get(account::show))
        .route("/account/revoke", post(account::withdraw))
        .route("/assets/castellan.css", get(page::stylesheet))
        .route("/assets/continue.js", get(page::continue_script))
        .route("/assets/farewell.js", get(page::farewell_script))
        .route("/assets/castellan.svg", get(page::mark))
        .route("/auth/authorize", get(authorize::get).post(authorize::post))
        .route("/auth/device", get(device::show).post(device::begin))
        .route("/auth/device/code", post(device::submit))
        .route("/auth/grant", get(consent::show).post(consent::answer))
        .route("/auth/introspect", post(token::introspect))
        .route("/auth/login", get(login::show).post(login::submit))
        .route("/auth/logout", get(logout::ask).post(logout::submit))
        .route("/auth/par", post(token::push))
        .route("/auth/revoke", post(token::revoke))
        .route("/auth/setup", get(setup::show).post(setup::submit))
        .route("/auth/token", post(token::token))
        .route("/auth/userinfo", get(userinfo::get).post(userinfo::get))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/.well-known/jwks.json", get(discovery::jwks))
        .route("/.well-known/castellan-identity-jwks.json", get(discovery::identity_jwks))
        .route("/.well-known/oauth-authorization-server", get(discovery::metadata))
        .route("/.well-known/openid-configuration", get(discovery::metadata))
        .merge(resources::routes())
        .fallback(page::not_found)
        .with_state(app)
}

/// The authorization endpoint once more, at a path of a dialect's.
pub(crate) fn authorization(path: &str, app: App) -> Router {
    Router::new().route(path, get(authorize::get)).with_state(app)
}

/// Paths of [`routes`] and of the dialects, which no guard may claim.
pub(crate) const CLAIMED: [&str; 16] = [
    "/.well-known",
    "/ApiCredential",
    "/AuthKey",
    "/Client",
    "/Grant",
    "/User",
    "/account",
    "/api/sign_in",
    "/api/sign_out",
    "/assets",
    "/auth",
    "/console",
    "/healthz",
    "/jwt",
    "/oauth",
    "/readyz",
];
