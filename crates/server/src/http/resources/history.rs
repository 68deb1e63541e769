//! The versions of a resource: `GET /{Kind}/{id}/_history` and `…/_history/{version}`
//! (`docs/contracts/aidbox.md` §1.2).

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use castellan_issuer::resources::{Change, Past};
use serde_json::{Value, json};

use super::{Outcome, Place, content};
use crate::app::App;

pub(super) async fn all(
    app: &App,
    place: Place,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Outcome> {
    let versions = versions(app, place, id).await?;
    let entries: Vec<Value> = versions.into_iter().map(|past| entry(place, id, past)).collect();
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "history",
        "total": entries.len(),
        "entry": entries,
    });
    Ok(content::answer(StatusCode::OK, &bundle, headers))
}

pub(super) async fn one(
    app: &App,
    place: Place,
    id: &str,
    version: &str,
    headers: &HeaderMap,
) -> Result<Response, Outcome> {
    let versions = versions(app, place, id).await?;
    let past = versions.into_iter().find(|past| past.id() == version).ok_or(Outcome::NotFound)?;
    if past.change == Change::Deleted {
        return Err(Outcome::Gone);
    }
    let tag = content::etag(&past.id());
    let document = place.style.write(past.document.ok_or(Outcome::NotFound)?);
    let mut answer = content::answer(StatusCode::OK, &document, headers);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    Ok(answer)
}

/// Those that are kept, the newest first; at least one.
async fn versions(app: &App, place: Place, id: &str) -> Result<Vec<Past>, Outcome> {
    let versions = app.issuer().history(place.kind, id).await;
    let versions = versions.map_err(|error| Outcome::broken(&error))?;
    if versions.is_empty() { Err(Outcome::NotFound) } else { Ok(versions) }
}

/// A version as an entry of a `Bundle` (FHIR R4 §3.1.0.11).
fn entry(place: Place, id: &str, past: Past) -> Value {
    let (method, status) = match past.change {
        Change::Created => ("POST", "201"),
        Change::Updated => ("PUT", "200"),
        Change::Deleted => ("DELETE", "200"),
    };
    let kind = place.kind.as_str();
    let url = if past.change == Change::Created { kind.to_owned() } else { format!("{kind}/{id}") };
    let mut entry = json!({
        "request": {"method": method, "url": url},
        "response": {
            "status": status,
            "etag": content::etag(&past.id()),
            "lastModified": past.at.rfc3339(),
        },
    });
    if let Some(document) = past.document {
        entry["resource"] = place.style.write(document);
    }
    entry
}
