//! Resources over HTTP: the same documents that `castellan apply` takes (`docs/contracts/aidbox.md`
//! §1).
//!
//! For administrators only; the rights are those of [`castellan_issuer::rights`].

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use castellan_issuer::rights::NotAuthorized;
use castellan_issuer::rights::Right;
use castellan_issuer::{
    error::OAuthError,
    resources::{
        ApplyError, Mode, ResourceKind, Roster,
        search::{ListError, Listing},
    },
    tokens::verified::{Holder, VerifyError},
};
use castellan_proto::strict_json;
use serde_json::{Value, json};

use crate::wire::{bearer, error::no_store, extract, request};
use crate::{app::App, yaml};

/// Bytes of a document at most.
const MOST: usize = 64 * 1024;
/// Entries of a listing at most.
const PAGE: usize = 200;

/// `/{Kind}` and `/{Kind}/{id}` for every kind.
pub(super) fn routes(roster: &Roster) -> Router<App> {
    roster.iter().fold(Router::new(), |routes, kind| {
        let name = kind.as_str();
        let list = move |State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap| async move {
            done(list(&app, kind, query.as_deref(), &headers).await)
        };
        let read = move |State(app): State<App>, Path(id): Path<String>, headers: HeaderMap| async move {
            done(read(&app, kind, &id, &headers).await)
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

/// Whether the bearer of the request has `right`.
async fn authorize(app: &App, headers: &HeaderMap, right: Right) -> Result<(), Outcome> {
    let token = bearer::token(headers).map_err(|error| match error {
        OAuthError::TokenMissing => Outcome::Anonymous,
        _ => Outcome::Unauthorized,
    })?;
    let caller =
        app.issuer().verify_access(token, Holder::Bearer).await.map_err(|error| match error {
            VerifyError::Store(error) => Outcome::broken(&error),
            _ => Outcome::Unauthorized,
        })?;
    app.issuer().authorize_admin(&caller, right).map_err(|refused| match refused {
        NotAuthorized::Audience => Outcome::Unauthorized,
        NotAuthorized::Forbidden => Outcome::Forbidden,
    })
}

async fn read(
    app: &App,
    kind: ResourceKind,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Outcome> {
    authorize(app, headers, Right::Read(kind)).await?;
    let found = app.issuer().describe(kind, id).await.map_err(|error| Outcome::broken(&error))?;
    let document = found.ok_or(Outcome::NotFound)?;
    Ok(answer(StatusCode::OK, &document, headers))
}

async fn list(
    app: &App,
    kind: ResourceKind,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Outcome> {
    authorize(app, headers, Right::Read(kind)).await?;
    let params = extract::query(query).map_err(|error| Outcome::Bad(error.to_string()))?;
    let mut next = None;
    let entries = match search(app.issuer().resources(), kind, |name| params.get(name))? {
        Search::One(id) => {
            let found = app.issuer().describe(kind, &id).await;
            found.map_err(|error| Outcome::broken(&error))?.into_iter().collect()
        }
        Search::All => {
            let after = params.get("_after").map(ToOwned::to_owned);
            let listing = Listing { after, ..Listing::all(kind, PAGE) };
            let page = app.issuer().listing(&listing).await.map_err(|error| match error {
                ListError::Store(error) => Outcome::broken(&error),
                error => Outcome::Bad(error.to_string()),
            })?;
            next = page.end_cursor;
            page.documents
        }
    };
    let total = entries.len();
    let entries: Vec<Value> = entries.into_iter().map(|one| json!({"resource": one})).collect();
    let mut bundle =
        json!({"resourceType": "Bundle", "type": "searchset", "total": total, "entry": entries});
    if let Some(after) = next {
        let url = format!("{}/{}?_after={after}", app.issuer().address().issuer, kind.as_str());
        bundle["link"] = json!([{"relation": "next", "url": url}]);
    }
    Ok(answer(StatusCode::OK, &bundle, headers))
}

/// What a listing is to find.
enum Search {
    /// The resource of this id.
    One(String),
    /// All of the kind.
    All,
}

/// What the parameters of a listing of `kind` ask for: those of a search that some kind has must be
/// this kind's, and all of them.
fn search<'a>(
    roster: &Roster,
    kind: ResourceKind,
    value: impl Fn(&str) -> Option<&'a str>,
) -> Result<Search, Outcome> {
    let is_given = |name: &&str| value(name).is_some();
    if !roster.iter().flat_map(ResourceKind::search_parameters).any(is_given) {
        return Ok(Search::All);
    }
    let values: Option<Vec<&str>> =
        kind.search_parameters().iter().map(|name| value(name)).collect();
    values.and_then(|values| kind.id(&values)).map(Search::One).ok_or_else(|| {
        let searches = roster.iter().filter(|kind| !kind.search_parameters().is_empty());
        let searches = searches.map(|kind| {
            let names: Vec<_> =
                kind.search_parameters().iter().map(|name| format!("`{name}`")).collect();
            format!("{} together for {}; ", names.join(" and "), kind.as_str())
        });
        Outcome::Bad(format!("search: {}`_after` for the next page", searches.collect::<String>()))
    })
}

async fn put(
    app: &App,
    kind: ResourceKind,
    id: &str,
    request: Request<Body>,
) -> Result<Response, Outcome> {
    let (parts, body) = request.into_parts();
    authorize(app, &parts.headers, Right::Write).await?;
    if request::is_too_long(&body, MOST) {
        return Err(Outcome::TooLarge);
    }
    let bytes = to_bytes(body, MOST).await.map_err(|_| Outcome::TooLarge)?;
    let mut document = document(&parts.headers, &bytes)?;
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
        ApplyError::Clash { .. } | ApplyError::Conflict(_) => Outcome::Conflict(error.to_string()),
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
    let found = app.issuer().describe(kind, id).await.map_err(|error| Outcome::broken(&error))?;
    app.issuer().remove(kind, id).await.map_err(|error| Outcome::broken(&error))?;
    Ok(match found {
        Some(document) => answer(StatusCode::OK, &document, headers),
        None => StatusCode::NO_CONTENT.into_response(),
    })
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
