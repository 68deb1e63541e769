//! What can be done to resources (`docs/contracts/aidbox.md` §1.2).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    resources::{Applied, ApplyError, LookUp, Mode, Precondition},
    rights::Right,
};
use castellan_proto::random;
use serde_json::{Value, json};

use super::{Outcome, Place, authorize, authorize_operation, conditions, content, history, search};
use crate::{app::App, wire::request};

/// `GET` and `POST` on all of a kind.
pub(super) async fn on_kind(
    app: &App,
    place: Place,
    request: Request<Body>,
) -> Result<Response, Outcome> {
    let (parts, body) = request.into_parts();
    authorize_operation(app, &parts, place.kind, None).await?;
    match parts.method {
        Method::POST => create(app, place, &parts, body).await,
        _ => search::list(app, place, &parts).await,
    }
}

/// What is behind an id.
enum Part<'a> {
    /// The resource itself.
    Whole,
    /// Its versions.
    History,
    /// One of them.
    Version(&'a str),
}

/// `GET`, `PUT`, `PATCH` and `DELETE` on one of a kind, and `GET` on its history.
pub(super) async fn on_one(
    app: &App,
    place: Place,
    path: &str,
    request: Request<Body>,
) -> Result<Response, Outcome> {
    let (parts, body) = request.into_parts();
    let (id, part) = split(path);
    if let Part::Whole = part {
        authorize_operation(app, &parts, place.kind, Some(id)).await?;
    } else {
        // Policies are about what there is: earlier versions may be of somebody else of this id.
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        let right = if reads { Right::Read(place.kind) } else { Right::Write };
        authorize(app, &parts, right).await?;
    }
    match (&parts.method, part) {
        (&Method::PUT, Part::Whole) => put(app, place, id, &parts, body).await,
        (&Method::PATCH, Part::Whole) => patch(app, place, id, &parts, body).await,
        (&Method::DELETE, Part::Whole) => delete(app, place, id, &parts).await,
        (&Method::GET | &Method::HEAD, part) => {
            no_parameters(&parts)?;
            match part {
                Part::Whole => read(app, place, id, &parts.headers).await,
                Part::History => history::all(app, place, id, &parts.headers).await,
                Part::Version(version) => {
                    history::one(app, place, id, version, &parts.headers).await
                }
            }
        }
        _ => Err(Outcome::Method),
    }
}

/// The id at which `path` begins, and what follows it. The id of a `Grant` has a slash in it.
fn split(path: &str) -> (&str, Part<'_>) {
    if let Some(id) = path.strip_suffix("/_history") {
        return (id, Part::History);
    }
    match path.rsplit_once("/_history/") {
        Some((id, version)) if !version.contains('/') => (id, Part::Version(version)),
        _ => (path, Part::Whole),
    }
}

/// Refuses the parameters of an operation that has none.
fn no_parameters(parts: &Parts) -> Result<(), Outcome> {
    match pairs(parts)?.first() {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(64).collect();
            Err(Outcome::Bad(format!("{name:?} is not a parameter of this operation")))
        }
    }
}

fn pairs(parts: &Parts) -> Result<Vec<(String, String)>, Outcome> {
    request::query_pairs(parts.uri.query()).map_err(|error| Outcome::Bad(error.to_string()))
}

async fn read(app: &App, place: Place, id: &str, headers: &HeaderMap) -> Result<Response, Outcome> {
    let found = app.issuer().look_up(place.kind, id).await;
    match found.map_err(|error| Outcome::broken(&error))? {
        LookUp::Found(described) => {
            let version = &described.version;
            if conditions::is_known(headers, &version.id())? {
                let known = StatusCode::NOT_MODIFIED.into_response();
                return Ok(content::with_version(known, version));
            }
            let document = place.style.write(described.with_meta());
            let answer = content::answer(StatusCode::OK, &document, headers);
            Ok(content::with_version(answer, version))
        }
        LookUp::Deleted => Err(Outcome::Gone),
        LookUp::Unknown => Err(Outcome::NotFound),
    }
}

/// The members of a document for this kind, which says no other.
async fn members(place: Place, parts: &Parts, body: Body) -> Result<Value, Outcome> {
    no_parameters(parts)?;
    let mut document = content::document(&parts.headers, &content::read(body).await?)?;
    let members = document
        .as_object_mut()
        .ok_or_else(|| Outcome::Bad("the body is not a valid document".to_owned()))?;
    let stated = members.insert("resourceType".to_owned(), json!(place.kind.as_str()));
    if stated.is_some_and(|stated| stated != place.kind.as_str()) {
        return Err(Outcome::Invalid("resourceType differs from the path".to_owned()));
    }
    Ok(document)
}

async fn create(app: &App, place: Place, parts: &Parts, body: Body) -> Result<Response, Outcome> {
    if parts.headers.contains_key("if-none-exist") {
        let text = "If-None-Exist is not supported; use PUT with If-None-Match: *";
        return Err(Outcome::Unsupported(text.to_owned()));
    }
    if parts.headers.contains_key(header::IF_MATCH) {
        return Err(Outcome::Bad("If-Match: what is created has no version yet".to_owned()));
    }
    conditions::of_write(&parts.headers)?;
    let mut document = members(place, parts, body).await?;
    // FHIR lets the server choose (FHIR R4 §3.1.0.8).
    if place.style.chooses_ids() || document.get("id").is_none() {
        document["id"] = json!(fresh_id());
    }
    let applied = app.issuer().apply_if(document, Mode::Write, &[Precondition::Absent]).await;
    let applied = applied.map_err(|error| match error {
        ApplyError::Precondition(resource) => {
            Outcome::Conflict(format!("{resource} exists already"))
        }
        error => refused(&error),
    })?;
    Ok(written(app, place, parts, &applied))
}

/// A random UUID (RFC 9562 §5.4).
fn fresh_id() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]];
    parts.map(<[String]>::concat).join("-")
}

async fn put(
    app: &App,
    place: Place,
    id: &str,
    parts: &Parts,
    body: Body,
) -> Result<Response, Outcome> {
    let preconditions = conditions::of_write(&parts.headers)?;
    let mut document = members(place, parts, body).await?;
    // The id in the path is what was authorised, and what is written.
    document["id"] = json!(id);
    let applied = app.issuer().apply_if(document, Mode::Write, &preconditions).await;
    let applied = applied.map_err(|error| refused(&error))?;
    Ok(written(app, place, parts, &applied))
}

async fn patch(
    app: &App,
    place: Place,
    id: &str,
    parts: &Parts,
    body: Body,
) -> Result<Response, Outcome> {
    no_parameters(parts)?;
    let preconditions = conditions::of_write(&parts.headers)?;
    let patch = content::patch(&parts.headers, &content::read(body).await?)?;
    let applied = app.issuer().patch(place.kind, id, &patch, &preconditions).await;
    match applied.map_err(|error| refused(&error))? {
        Some(applied) => Ok(written(app, place, parts, &applied)),
        None => Err(absent(app, place, id).await),
    }
}

/// Why there is nothing.
async fn absent(app: &App, place: Place, id: &str) -> Outcome {
    match app.issuer().look_up(place.kind, id).await {
        Ok(LookUp::Deleted) => Outcome::Gone,
        Ok(_) => Outcome::NotFound,
        Err(error) => Outcome::broken(&error),
    }
}

async fn delete(app: &App, place: Place, id: &str, parts: &Parts) -> Result<Response, Outcome> {
    let mut is_silent = false;
    for (name, value) in pairs(parts)? {
        is_silent = match (&*name, &*value) {
            ("_no-content", "true") => true,
            ("_no-content", "false") => false,
            _ => {
                let text = "a deletion has the parameter _no-content only, which is true or false";
                return Err(Outcome::Bad(text.to_owned()));
            }
        };
    }
    let preconditions = conditions::of_write(&parts.headers)?;
    let removed = app.issuer().remove_if(place.kind, id, &preconditions).await;
    Ok(match removed.map_err(|error| refused(&error))? {
        Some(described) if !is_silent => {
            let document = place.style.write(described.with_meta());
            content::answer(StatusCode::OK, &document, &parts.headers)
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    })
}

/// The answer to a write that was done.
fn written(app: &App, place: Place, parts: &Parts, applied: &Applied) -> Response {
    for warning in &applied.warnings {
        tracing::warn!(resource = applied.resource, warning, "a document was written");
    }
    let is_new = applied.before.is_none();
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut document = applied.after.clone();
    if let Some(version) = &applied.version {
        document["meta"] = version.meta();
    }
    let answer = content::answer(status, &place.style.write(document), &parts.headers);
    let Some(version) = &applied.version else { return answer };
    let mut answer = content::with_version(answer, version);
    if is_new {
        let prefix = place.style.prefix();
        let path = format!("{prefix}/{}/_history/{}", applied.resource, version.id());
        if let Ok(location) = HeaderValue::from_str(&app.at(&path)) {
            answer.headers_mut().insert(header::LOCATION, location);
        }
    }
    answer
}

fn refused(error: &ApplyError) -> Outcome {
    let text = error.to_string();
    match error {
        ApplyError::Kind(_) | ApplyError::Invalid { .. } => Outcome::Invalid(text),
        ApplyError::Clash { .. } | ApplyError::Conflict(_) => Outcome::Conflict(text),
        ApplyError::Precondition(_) => Outcome::Precondition(text),
        ApplyError::Busy(_) | ApplyError::Store(_) => Outcome::broken(error),
    }
}
