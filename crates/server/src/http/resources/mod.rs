//! Resources over HTTP: the same documents that `castellan apply` takes (`docs/contracts/aidbox.md`
//! §1).
//!
//! For administrators only; the rights are those of [`castellan_issuer::rights`].

pub(super) mod policies;
mod search;
mod session;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Request, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use castellan_issuer::rights::NotAuthorized;
use castellan_issuer::rights::Right;
use castellan_issuer::{
    error::OAuthError,
    resources::{ApplyError, Mode, ResourceKind, Roster},
    tokens::verified::{Holder, Live, VerifyError},
};
use castellan_proto::strict_json;
use serde_json::{Value, json};

use crate::wire::{bearer, error::no_store, request};
use crate::{app::App, yaml};

/// Bytes of a document at most.
const MOST: usize = 64 * 1024;

/// `/{Kind}` and `/{Kind}/{id}` for every kind.
pub(super) fn routes(roster: &Roster) -> Router<App> {
    roster.iter().fold(session::routes(), |routes, kind| {
        let name = kind.as_str();
        let list = move |State(app): State<App>, parts: Parts| async move {
            done(search::list(&app, kind, &parts).await)
        };
        let read = move |State(app): State<App>, Path(id): Path<String>, parts: Parts| async move {
            done(read(&app, kind, &id, &parts).await)
        };
        let put = move |State(app): State<App>, Path(id): Path<String>, request: Request<Body>| async move {
            done(put(&app, kind, &id, request).await)
        };
        let delete = move |State(app): State<App>, Path(id): Path<String>, headers: HeaderMap| async move {
            done(delete(&app, kind, &id, &headers).await)
        };
        routes
            .route(&format!("/{name}"), get(list))
            .route(&format!("/{name}/{{*id}}"), get(read).put(put).delete(delete))
    })
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

/// Whether the bearer of the request may read the resource `id` of `kind`, or search for some
/// without an id: as an administrator, as a client, or because a policy allows it.
async fn authorize_reading(
    app: &App,
    kind: ResourceKind,
    id: Option<&str>,
    parts: &Parts,
) -> Result<(), Outcome> {
    let caller = caller(app, &parts.headers).await?;
    match app.issuer().authorize_admin(&caller, Right::Read(kind)) {
        Err(NotAuthorized::Person) => policies::allow(app, &caller, (kind, id), parts).await,
        other => other.map_err(Outcome::from),
    }
}

async fn read(app: &App, kind: ResourceKind, id: &str, parts: &Parts) -> Result<Response, Outcome> {
    authorize_reading(app, kind, Some(id), parts).await?;
    let found = app.issuer().describe(kind, id).await.map_err(|error| Outcome::broken(&error))?;
    let document = found.ok_or(Outcome::NotFound)?;
    Ok(answer(StatusCode::OK, &document, &parts.headers))
}

async fn put(
    app: &App,
    kind: ResourceKind,
    id: &str,
    request: Request<Body>,
) -> Result<Response, Outcome> {
    let (parts, body) = request.into_parts();
    authorize(app, &parts.headers, Right::Write).await?;
    let mut document = body_document(&parts.headers, body).await?;
    let members = document
        .as_object_mut()
        .ok_or_else(|| Outcome::Bad("the body is not a valid document".to_owned()))?;
    let stated = members.insert("resourceType".to_owned(), json!(kind.as_str()));
    if stated.is_some_and(|stated| stated != kind.as_str()) {
        return Err(Outcome::Invalid("resourceType differs from the path".to_owned()));
    }
    // The id in the path is what was authorised, and what is written.
    members.insert("id".to_owned(), json!(id));
    let applied = app.issuer().apply(document, Mode::Write).await.map_err(|error| match error {
        ApplyError::Kind(_) | ApplyError::Invalid { .. } => Outcome::Invalid(error.to_string()),
        ApplyError::Clash { .. } | ApplyError::Conflict(_) | ApplyError::Precondition(_) => {
            Outcome::Conflict(error.to_string())
        }
        ApplyError::Busy(_) | ApplyError::Store(_) => Outcome::broken(&error),
    })?;
    let status = if applied.before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok(answer(status, &applied.after, &parts.headers))
}

async fn delete(
    app: &App,
    kind: ResourceKind,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Outcome> {
    authorize(app, headers, Right::Write).await?;
    let removed = app.issuer().remove_if(kind, id, &[]).await;
    Ok(match removed.map_err(|error| Outcome::broken(&error))? {
        Some(removed) => answer(StatusCode::OK, &removed.document, headers),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// The document in a body.
async fn body_document(headers: &HeaderMap, body: Body) -> Result<Value, Outcome> {
    if request::is_too_long(&body, MOST) {
        return Err(Outcome::TooLarge);
    }
    let bytes = to_bytes(body, MOST).await.map_err(|_| Outcome::TooLarge)?;
    document(headers, &bytes)
}

/// A body in JSON or YAML, as its media type says.
fn document(headers: &HeaderMap, body: &[u8]) -> Result<Value, Outcome> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type =
        media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let unreadable = |why: &dyn std::fmt::Display| {
        Outcome::Bad(format!("the body does not match its media type: {why}"))
    };
    match media_type {
        "application/json" => strict_json::read(body).map_err(|problem| unreadable(&problem)),
        "text/yaml" | "application/yaml" => {
            let text = std::str::from_utf8(body).map_err(|_| unreadable(&"it is not UTF-8"))?;
            let mut documents = yaml::read(text).map_err(|problem| unreadable(&problem))?;
            match (documents.pop(), documents.is_empty()) {
                (Some(document), true) => Ok(document),
                _ => Err(Outcome::Bad("the body must be a single document".to_owned())),
            }
        }
        _ => Err(Outcome::MediaType),
    }
}

/// `document` as the client wants it; JSON if it says nothing that we know.
fn answer(status: StatusCode, document: &Value, headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let yaml = accept.is_some_and(|accept| accept.contains("yaml"));
    match yaml::write(document) {
        Ok(text) if yaml => {
            (status, [(header::CONTENT_TYPE, "text/yaml; charset=utf-8")], text).into_response()
        }
        _ => (status, axum::Json(document)).into_response(),
    }
}

/// Why an operation was not done, as an `OperationOutcome` (`docs/contracts/aidbox.md` §7).
pub(super) enum Outcome {
    /// No token was sent.
    Anonymous,
    /// The token is not valid.
    Unauthorized,
    Forbidden,
    NotFound,
    Bad(String),
    /// The data source does not do that.
    Unsupported(String),
    Invalid(String),
    Conflict(String),
    MediaType,
    TooLarge,
    Broken,
}

impl Outcome {
    /// Our own fault: it goes to the log and nowhere else.
    pub(super) fn broken(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a request for a resource failed");
        Self::Broken
    }
}

impl From<NotAuthorized> for Outcome {
    fn from(refused: NotAuthorized) -> Self {
        match refused {
            NotAuthorized::Audience => Self::Unauthorized,
            NotAuthorized::Forbidden | NotAuthorized::Person => Self::Forbidden,
        }
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        // RFC 6750 §3.1: a challenge to a request without a token names no error.
        let challenge = if matches!(self, Self::Anonymous) {
            "Bearer"
        } else {
            "Bearer error=\"invalid_token\""
        };
        let (status, id, code, text) = match self {
            Self::Anonymous | Self::Unauthorized => {
                let text = "Invalid or expired token".to_owned();
                (StatusCode::UNAUTHORIZED, "unauthorized", "login", text)
            }
            Self::Forbidden => {
                (StatusCode::FORBIDDEN, "forbidden", "forbidden", "Forbidden".to_owned())
            }
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "not-found", "not-found", "Not found".to_owned())
            }
            Self::Bad(text) => (StatusCode::BAD_REQUEST, "invalid", "invalid", text),
            Self::Unsupported(text) => {
                (StatusCode::BAD_REQUEST, "not-supported", "not-supported", text)
            }
            Self::Invalid(text) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "invalid", text),
            Self::Conflict(text) => (StatusCode::CONFLICT, "conflict", "conflict", text),
            Self::MediaType => {
                let text = "Send application/json or text/yaml".to_owned();
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", "not-supported", text)
            }
            Self::TooLarge => {
                let text = format!("A document must not exceed {MOST} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, "too-long", "too-long", text)
            }
            Self::Broken => {
                let text = "Something went wrong on the server; try again".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, "exception", "exception", text)
            }
        };
        let mut body = json!({
            "resourceType": "OperationOutcome",
            "id": id,
            "issue": [{"severity": "fatal", "code": code, "diagnostics": text}],
        });
        if status == StatusCode::FORBIDDEN {
            body["text"] = json!({"status": "generated", "div": "Forbidden"});
        }
        let mut response = (status, axum::Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
