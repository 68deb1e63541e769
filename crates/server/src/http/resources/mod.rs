//! Resources over HTTP: the same documents that `castellan apply` takes (`docs/contracts/aidbox.md`
//! §1).
//!
//! For administrators, whose rights are those of [`castellan_issuer::rights`]; policies let other
//! people read.

mod conditions;
mod content;
mod history;
pub(super) mod openapi;
mod operations;
mod outcome;
pub(super) mod policies;
mod search;
mod session;
mod style;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Method, Request, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use castellan_issuer::{
    Issuer,
    error::OAuthError,
    resources::{ResourceKind, Roster},
    rights::{NotAuthorized, Right},
    tokens::verified::{Holder, Live, VerifyError},
};

pub(super) use self::outcome::Outcome;
use castellan_proto::{Authorization, BasicCredentials};

use self::style::Style;
use crate::{
    app::App,
    wire::{bearer, error::no_store, request},
};

/// `/{Kind}` and `/{Kind}/{id}` for every kind, and both below `/fhir`.
pub(super) fn routes(roster: &Roster) -> Router<App> {
    let places = roster.iter().flat_map(|kind| Style::ALL.map(|style| Place { kind, style }));
    places.fold(session::routes(), |routes, place| {
        let all = move |State(app): State<App>, request: Request<Body>| async move {
            done(operations::on_kind(&app, place, request).await)
        };
        let one = move |State(app): State<App>,
                        Path(path): Path<String>,
                        request: Request<Body>| async move {
            done(operations::on_one(&app, place, &path, request).await)
        };
        let path = place.path();
        routes
            .route(&path, get(all).post(all))
            .route(&format!("{path}/{{*id}}"), get(one).put(one).patch(one).delete(one))
    })
}

/// The paths of a kind, which no guard may claim.
pub(super) fn paths(kind: ResourceKind) -> [String; 2] {
    Style::ALL.map(|style| Place { kind, style }.path())
}

/// Which kind of resource a request is for, and in which form.
#[derive(Clone, Copy)]
struct Place {
    kind: ResourceKind,
    style: Style,
}

impl Place {
    fn path(self) -> String {
        format!("{}/{}", self.style.prefix(), self.kind.as_str())
    }
}

pub(super) fn done(answer: Result<Response, Outcome>) -> Response {
    no_store(answer.unwrap_or_else(IntoResponse::into_response))
}

/// Who sent the request, by its token.
async fn caller(app: &App, headers: &HeaderMap) -> Result<Arc<Live>, Outcome> {
    let token = bearer::token(headers).map_err(|error| match error {
        OAuthError::TokenMissing => Outcome::Anonymous,
        _ => Outcome::Unauthorized,
    })?;
    app.issuer().verify_access(token, Holder::Bearer).await.map_err(|error| match error {
        VerifyError::Store(error) => Outcome::broken(&error),
        _ => Outcome::Unauthorized,
    })
}

/// Whether the bearer of the request has `right`, as an administrator or as a client.
pub(super) async fn authorize(app: &App, headers: &HeaderMap, right: Right) -> Result<(), Outcome> {
    let caller = caller(app, headers).await?;
    app.issuer().authorize_admin(&caller, right).map_err(Outcome::from)
}

/// Whether the sender of the request may do what its method says to the resource `id` of `kind`, or
/// to all of them: as an administrator or as a client, or because a policy allows reading.
async fn authorize_operation(
    app: &App,
    parts: &Parts,
    kind: ResourceKind,
    id: Option<&str>,
) -> Result<(), Outcome> {
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let right = if reads { Right::Read(kind) } else { Right::Write };
    if let Ok(Some(Authorization::Basic(shown))) = request::authorization(&parts.headers) {
        return authorize_client(app, &shown, (parts, right)).await;
    }
    let caller = caller(app, &parts.headers).await?;
    match app.issuer().authorize_admin(&caller, right) {
        Err(NotAuthorized::Person) if reads => {
            policies::allow(app, &caller, (kind, id), parts).await
        }
        other => other.map_err(Outcome::from),
    }
}

/// Whether a client that shows its secret itself, and may do so (`basic` among its `grant_types`), has
/// `right`.
async fn authorize_client(
    app: &App,
    shown: &BasicCredentials,
    (parts, right): (&Parts, Right),
) -> Result<(), Outcome> {
    let (shown, source) = (request::client_of(shown), request::source(&parts.extensions));
    let proven = app.issuer().client_at_api(shown, source).await.map_err(|error| match error {
        OAuthError::InvalidClient { .. } => Outcome::Unauthorized,
        OAuthError::Throttled(seconds) => Outcome::TooMany(seconds),
        error => Outcome::broken(&error),
    })?;
    Issuer::authorize_client(&proven.client, right).map_err(Outcome::from)
}
