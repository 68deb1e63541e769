//! Our own routes, all on one screen.

pub(crate) mod browser;
mod health;
pub(crate) mod management;
pub(crate) mod oauth;
mod openapi;
mod passwords;
pub(crate) mod refusal;
mod resources;
mod scim;

use axum::{
    Router,
    http::{StatusCode, header},
    middleware,
    routing::{MethodRouter, get, post},
};
use castellan_issuer::resources::Roster;

use crate::{app::App, theme};

pub use openapi::document as openapi;
pub(crate) use resources::policies::{Reading, decide_reading};

/// Every route that is not a guard.
pub(crate) fn routes(app: App) -> Router {
    let roster = app.issuer().resources().clone();
    Router::new()
        .route("/", get(browser::respond::home))
        .route("/assets/castellan.css", get(browser::assets::stylesheet))
        .route("/assets/continue.js", get(browser::assets::continue_script))
        .route("/assets/farewell.js", get(browser::assets::signed_out_script))
        .route("/assets/show-password.js", get(browser::assets::show_password_script))
        .route("/assets/passkey.js", get(browser::assets::passkey_script))
        .route("/assets/castellan.svg", get(browser::assets::mark))
        .route("/auth/change-password", post(passwords::change))
        .route("/auth/explain-token", post(resources::tokens::explain_token))
        .route("/auth/force-reset-password", post(passwords::force_reset))
        .route("/auth/introspect", post(oauth::token::introspect))
        .route("/auth/par", post(oauth::token::push))
        .route("/auth/revoke", post(oauth::token::revoke))
        .route("/auth/test-policy", post(resources::policies::test_policy))
        .route("/auth/token", post(oauth::token::token))
        .route("/auth/userinfo", get(oauth::userinfo::get).post(oauth::userinfo::post))
        // Some proxies check the health of a server with OPTIONS, HAProxy by default.
        .route("/healthz", get(health::alive).options(health::alive))
        .route("/readyz", get(health::ready).options(health::ready))
        .route("/$matcho", post(resources::policies::test_matcho))
        .route("/.well-known/jwks.json", get(oauth::discovery::jwks))
        .route("/.well-known/castellan-identity-jwks.json", get(oauth::discovery::identity_jwks))
        .route("/.well-known/oauth-authorization-server", get(oauth::discovery::metadata))
        .route("/.well-known/openid-configuration", get(oauth::discovery::metadata))
        .route("/.well-known/smart-configuration", get(oauth::discovery::smart))
        .merge(management::routes(&app))
        .merge(scim::routes(&app))
        .merge(resources::routes(&roster))
        .merge(pages(app.clone()))
        .merge(registration(&app))
        .fallback(browser::respond::not_found)
        .with_state(app)
}

/// Those that show pages or set the session cookie, which look as the site's `AuthConfig` says.
fn pages(app: App) -> Router<App> {
    Router::new()
        .route("/account", get(browser::account::show))
        .route("/account/passkeys", post(browser::own_passkeys::complete))
        .route("/account/passkeys/new", post(browser::own_passkeys::begin))
        .route("/account/passkeys/remove", post(browser::own_passkeys::remove))
        .route("/account/password", post(browser::account::change_password))
        .route("/account/revoke", post(browser::account::withdraw))
        .route(browser::setup::WELCOME_PATH, get(browser::setup::welcome))
        .route("/account/sessions/end", post(browser::account::end_sessions))
        .route(
            "/auth/authorize",
            without_head("GET, POST", get(oauth::authorize::get).post(oauth::authorize::post)),
        )
        .route(theme::STYLESHEET_PATH, get(browser::assets::theme_stylesheet))
        .route(theme::LOGO_PATH, get(browser::assets::logo))
        .route("/auth/device", get(browser::device::show).post(browser::device::begin))
        .route("/auth/device/code", post(browser::device::submit))
        .route("/auth/consent", get(browser::consent::show).post(browser::consent::answer))
        // The address of the page in docs/contracts/aidbox.md, and of forms drawn before an upgrade.
        .route("/auth/grant", get(browser::consent::show).post(browser::consent::answer))
        .route(
            "/auth/login",
            without_head("GET, POST", get(browser::login::show).post(browser::login::submit)),
        )
        .route(
            "/auth/logout",
            without_head("GET, POST", get(browser::logout::ask).post(browser::logout::submit)),
        )
        .route(
            browser::forgot::FORGOT_PATH,
            get(browser::forgot::show).post(browser::forgot::submit),
        )
        .route("/auth/reset-password", get(browser::reset::show).post(browser::reset::submit))
        .route(
            "/auth/second-factor",
            get(browser::second_factor::show).post(browser::second_factor::submit),
        )
        .route("/auth/setup", get(browser::setup::show).post(browser::setup::submit))
        .route_layer(middleware::from_fn_with_state(app, browser::respond::with_theme))
}

/// Where clients register themselves; nothing is there where nobody may.
fn registration(app: &App) -> Router<App> {
    use oauth::registration as handlers;

    if !app.issuer().settings().registration.is_on() {
        return Router::new();
    }
    let one = get(handlers::read).put(handlers::replace).delete(handlers::delete);
    let one = without_head("GET, PUT, DELETE", one);
    Router::new().route("/register", post(handlers::register)).route("/register/{id}", one)
}

/// The authorization endpoint again, at the path of a dialect.
pub(crate) fn authorization(path: &str, app: App) -> Router {
    Router::new().route(path, without_head("GET", get(oauth::authorize::get))).with_state(app)
}

/// `methods` without HEAD, which axum answers by running GET: here GET changes something, and HEAD is
/// safe (RFC 9110 §9.2.1). `allow` names what is left.
fn without_head<S: Clone + Send + Sync + 'static>(
    allow: &'static str,
    methods: MethodRouter<S>,
) -> MethodRouter<S> {
    let refused = move || async move { (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)]) };
    methods.head(refused).fallback(refused)
}

/// Paths of [`routes`], which no guard may claim; those of resources are named as their kinds are,
/// and dialects have paths of their own.
pub(crate) fn claimed(roster: &Roster) -> Vec<String> {
    let resources = roster.iter().flat_map(resources::paths);
    let management = management::APIS.iter().map(|api| api.path.to_owned());
    resources.chain(management).chain(CLAIMED.map(ToOwned::to_owned)).collect()
}

/// Those of [`claimed`] that are not of resources.
const CLAIMED: [&str; 10] = [
    "/$matcho",
    "/.well-known",
    "/account",
    "/assets",
    "/auth",
    "/console",
    "/healthz",
    "/readyz",
    "/scim",
    oauth::registration::PATH,
];
