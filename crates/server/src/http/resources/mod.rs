//! Resources over HTTP: the same documents that `castellan apply` takes (`docs/contracts/aidbox.md`
//! §1).
//!
//! For administrators only; the rights are those of [`castellan_issuer::rights`].

mod conditions;
mod content;
mod history;
pub(super) mod openapi;
mod operations;
mod outcome;
mod search;
mod style;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Method, Request},
    response::{IntoResponse, Response},
    routing::get,
};
use castellan_issuer::{
    error::OAuthError,
    resources::{ResourceKind, Roster},
    rights::{NotAuthorized, Right},
    tokens::verified::{Holder, VerifyError},
};

use self::{outcome::Outcome, style::Style};
use crate::{
    app::App,
    wire::{bearer, error::no_store},
};

/// `/{Kind}` and `/{Kind}/{id}` for every kind, and both below `/fhir`.
pub(super) fn routes(roster: &Roster) -> Router<App> {
    let places = roster.iter().flat_map(|kind| Style::ALL.map(|style| Place { kind, style }));
    places.fold(Router::new(), |routes, place| {
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

fn done(answer: Result<Response, Outcome>) -> Response {
    no_store(answer.unwrap_or_else(IntoResponse::into_response))
}

/// What a request wants to do.
struct Access<'a> {
    method: &'a Method,
    kind: ResourceKind,
    /// Which one; none if it is for all of the kind, or makes one.
    id: Option<&'a str>,
}

/// Whether the bearer of the request may do that. No operation on resources asks anywhere else.
async fn authorize(app: &App, headers: &HeaderMap, access: Access<'_>) -> Result<(), Outcome> {
    let token = bearer::token(headers).map_err(|error| match error {
        OAuthError::TokenMissing => Outcome::Anonymous,
        _ => Outcome::Unauthorized,
    })?;
    let caller =
        app.issuer().verify_access(token, Holder::Bearer).await.map_err(|error| match error {
            VerifyError::Store(error) => Outcome::broken(&error),
            _ => Outcome::Unauthorized,
        })?;
    let Access { method, kind, id } = access;
    let right = if matches!(*method, Method::GET | Method::HEAD) {
        Right::Read(kind)
    } else {
        Right::Write
    };
    app.issuer().authorize_admin(&caller, right).map_err(|refused| {
        tracing::debug!(%method, kind = kind.as_str(), id, "an operation on a resource was refused");
        match refused {
            NotAuthorized::Audience => Outcome::Unauthorized,
            NotAuthorized::Forbidden => Outcome::Forbidden,
        }
    })
}
