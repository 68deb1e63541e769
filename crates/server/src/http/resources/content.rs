//! Bodies in JSON and YAML, and the headers beside them.

use std::time::{Duration, UNIX_EPOCH};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::resources::{Patch, Version};
use castellan_proto::strict_json;
use serde_json::Value;

use super::Outcome;
use crate::{wire::request, yaml};

/// Bytes of a document at most.
pub(super) const MOST: usize = 64 * 1024;

/// The media types of the two forms, and what else they are called.
const JSON: [&str; 2] = ["application/json", "application/fhir+json"];
const YAML: [&str; 3] = ["text/yaml", "application/yaml", "application/x-yaml"];

/// The bytes of a body.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, Outcome> {
    if request::is_too_long(&body, MOST) {
        return Err(Outcome::TooLarge);
    }
    Ok(to_bytes(body, MOST).await.map_err(|_| Outcome::TooLarge)?.into())
}

/// A document in JSON or YAML, as its media type says.
pub(super) fn document(headers: &HeaderMap, body: &[u8]) -> Result<Value, Outcome> {
    match media_type(headers) {
        "application/json" | "application/fhir+json" => json(body),
        "text/yaml" | "application/yaml" => yaml(body),
        _ => Err(Outcome::MediaType("Send application/json or text/yaml")),
    }
}

/// A change to a part of a document, as its media type says.
pub(super) fn patch(headers: &HeaderMap, body: &[u8]) -> Result<Patch, Outcome> {
    match media_type(headers) {
        "application/merge-patch+json" | "application/json" | "application/fhir+json" => {
            json(body).map(Patch::Merge)
        }
        "text/yaml" | "application/yaml" => yaml(body).map(Patch::Merge),
        "application/json-patch+json" => Patch::json(json(body)?).map_err(Outcome::Bad),
        _ => Err(Outcome::MediaType(
            "Send application/merge-patch+json, application/json-patch+json, application/json or \
             text/yaml",
        )),
    }
}

fn media_type(headers: &HeaderMap) -> &str {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim()
}

fn unreadable(why: &dyn std::fmt::Display) -> Outcome {
    Outcome::Bad(format!("the body does not match its media type: {why}"))
}

fn json(body: &[u8]) -> Result<Value, Outcome> {
    strict_json::read(body).map_err(|problem| unreadable(&problem))
}

fn yaml(body: &[u8]) -> Result<Value, Outcome> {
    let text = std::str::from_utf8(body).map_err(|_| unreadable(&"it is not UTF-8"))?;
    let mut documents = yaml::read(text).map_err(|problem| unreadable(&problem))?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document),
        _ => Err(Outcome::Bad("the body must be a single document".to_owned())),
    }
}

/// `document` as the client prefers it; JSON if it does not prefer YAML.
pub(super) fn answer(status: StatusCode, document: &Value, headers: &HeaderMap) -> Response {
    let most =
        |names: &[&str]| names.iter().map(|name| request::wants(headers, name)).fold(0.0, f32::max);
    if most(&YAML) > most(&JSON)
        && let Ok(text) = yaml::write(document)
    {
        return (status, [(header::CONTENT_TYPE, "text/yaml; charset=utf-8")], text)
            .into_response();
    }
    (status, axum::Json(document)).into_response()
}

/// `ETag` and `Last-Modified` of `version`.
pub(super) fn with_version(mut response: Response, version: &Version) -> Response {
    let modified = UNIX_EPOCH + Duration::from_secs(version.modified.0.min(LATEST));
    let modified = httpdate::fmt_http_date(modified);
    let tag = etag(&version.id());
    for (name, text) in [(header::ETAG, tag), (header::LAST_MODIFIED, modified)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The end of the year 9999, after which there are no dates in HTTP.
const LATEST: u64 = 253_402_300_799;

/// The entity tag of a version: weak, since it is the same in JSON and in YAML.
pub(super) fn etag(version: &str) -> String {
    format!("W/\"{version}\"")
}
