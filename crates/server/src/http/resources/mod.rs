//! Resources over HTTP: the same documents that `castellan apply` takes (`docs/contracts/aidbox.md`
//! §1).
//!
//! For administrators, whose rights are those of [`castellan_issuer::rights`]; policies let other
//! people read.

pub(in crate::http) mod conditions;
mod content;
mod history;
pub(super) mod openapi;
mod operations;
mod outcome;
pub(super) mod policies;
mod search;
mod session;
mod style;
pub(super) mod tokens;

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
    audit::{
        AuditKind, Event,
        origin::{self, Party},
    },
    error::OAuthError,
    records::Client,
    resources::{ResourceKind, Roster},
    rights::Right,
    tokens::verified::{Holder, Live, VerifyError},
};

pub(super) use self::outcome::Outcome;
use castellan_proto::Authorization;

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
        let (whole, single) = (get(all), get(one));
        let (whole, single) = if place.kind.is_log() {
            (whole, single)
        } else {
            (whole.post(all), single.put(one).patch(one).delete(one))
        };
        routes.route(&path, whole).route(&format!("{path}/{{*id}}"), single)
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

/// Whether the sender of the request has `right`, as an administrator or as a client.
pub(super) async fn authorize(app: &App, parts: &Parts, right: Right) -> Result<(), Outcome> {
    has_right(app, parts, right).await.inspect_err(|refused| audit(app, parts, refused))
}

/// Records that a request was denied. One without any credential tried nothing.
fn audit(app: &App, parts: &Parts, refused: &Outcome) {
    let why = match refused {
        Outcome::Forbidden => "no right and no policy allows it",
        Outcome::Unauthorized => "the access token is not valid",
        Outcome::UnknownClient => "the secret of the client is not valid",
        Outcome::TooMany(_) => "too many attempts",
        _ => return,
    };
    let event = Event::of(AuditKind::AccessDenied).denied(&format!("{}: {why}", parts.method));
    // The path was found by a route, and is cut like every text of a record.
    app.issuer().audit(event.target("Path", parts.uri.path().trim_start_matches('/')));
}

async fn has_right(app: &App, parts: &Parts, right: Right) -> Result<(), Outcome> {
    match sender(app, parts).await? {
        Sender::Token(caller) => app.issuer().authorize_admin(&caller, right),
        Sender::Client(client) => Issuer::authorize_client(&client, right),
    }
    .map_err(Outcome::from)
}

/// Whether the sender of the request may do what its method says to the resource `id` of `kind`, or
/// to all of them: as an administrator or as a client, or because a policy allows reading.
async fn authorize_operation(
    app: &App,
    parts: &Parts,
    kind: ResourceKind,
    id: Option<&str>,
) -> Result<(), Outcome> {
    let may = may_operate(app, parts, kind, id).await;
    may.inspect_err(|refused| audit(app, parts, refused))
}

async fn may_operate(
    app: &App,
    parts: &Parts,
    kind: ResourceKind,
    id: Option<&str>,
) -> Result<(), Outcome> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return has_right(app, parts, Right::Write).await;
    }
    let caller = match sender(app, parts).await? {
        Sender::Token(caller) => caller,
        Sender::Client(client) => return Ok(Issuer::authorize_client(&client, Right::Read(kind))?),
    };
    let reading = policies::decide_reading(app.issuer(), &caller, kind, id, parts).await;
    Ok(reading.map_err(|error| Outcome::broken(&error))?.decided?)
}

/// Who sent a request.
enum Sender {
    /// Whoever has a token.
    Token(Arc<Live>),
    /// A client that shows its secret itself, with `basic` among its `grant_types`.
    Client(Arc<Client>),
}

async fn sender(app: &App, parts: &Parts) -> Result<Sender, Outcome> {
    let Ok(Some(Authorization::Basic(shown))) = request::authorization(&parts.headers) else {
        let live = caller(app, &parts.headers).await?;
        let user = live.account.as_ref().map(|(id, _)| &**id);
        origin::called_by(Party::through(user, &live.client_id));
        return Ok(Sender::Token(live));
    };
    let (shown, source) = (request::client_of(&shown), request::source(&parts.extensions));
    let proven = app.issuer().client_at_api(shown, source).await.map_err(|error| match error {
        OAuthError::InvalidClient { .. } => Outcome::UnknownClient,
        OAuthError::Throttled(seconds) => Outcome::TooMany(seconds),
        error => Outcome::broken(&error),
    })?;
    origin::called_by(Party::client(&proven.id));
    Ok(Sender::Client(proven.client))
}
