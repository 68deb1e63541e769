//! SCIM 2.0 over HTTP (RFC 7644).

use std::time::{Duration, Instant};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, request::Parts,
    },
    response::Response,
    routing::any,
};
use castellan_issuer::{
    management::scim::{MOST_BYTES, ScimAnswer, ScimError, ScimMethod, ScimRequest, Tags},
    managers::{Managers, Refused},
    rights::ManagementRefused,
};
use castellan_proto::strict_json;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{
    management::caller::{self, NoCaller, audit, realm},
    resources::conditions,
};
use crate::{
    app::App,
    wire::{error::no_store, request},
};

pub(super) use castellan_issuer::management::scim::BASE;

/// The media type of SCIM (RFC 7644 §3.1).
const SCIM: &str = "application/scim+json";

/// How long a request may take whose answer says what was not done: less than any request may take
/// ([`crate::corridor`]), whose answer would be lost.
const PATIENCE: Duration = Duration::from_secs(50);

/// Everything below [`BASE`].
pub(super) fn routes(app: &App) -> Router<App> {
    let managers = std::sync::Arc::new(app.management().scim_managers());
    let answer = move |State(app): State<App>, request: Request<Body>| {
        let managers = std::sync::Arc::clone(&managers);
        async move {
            let done = answer(&app, &managers, request).await;
            no_store(done.map_or_else(Refusal::into_response, into_response))
        }
    };
    // The wildcard does not match nothing.
    Router::new()
        .route(BASE, any(answer.clone()))
        .route(&format!("{BASE}/"), any(answer.clone()))
        .route(&format!("{BASE}/{{*path}}"), any(answer))
}

/// Why a request was not done, and what is said about that in headers.
struct Refusal {
    error: ScimError,
    challenge: Option<String>,
}

impl From<ScimError> for Refusal {
    fn from(error: ScimError) -> Self {
        Self { error, challenge: None }
    }
}

async fn answer(
    app: &App,
    managers: &Managers,
    request: Request<Body>,
) -> Result<ScimAnswer, Refusal> {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let live = caller::caller(app, &parts).await.map_err(|error| no_caller(app, &error))?;
    let permissions = app.issuer().authorize_management(&live, managers).map_err(|refused| {
        audit(app, &parts, "no rule of SCIM allows it");
        let scope = match refused {
            ManagementRefused::Manager(Refused::Scope(scope)) => Some(scope),
            _ => None,
        };
        Refusal {
            error: ScimError::new(403, "Access denied"),
            challenge: scope.map(|scope| {
                let realm = realm(app);
                format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{scope}\"")
            }),
        }
    })?;
    let settings = app.management();
    let groups = settings.scim.as_ref().map(|scim| &*scim.assignable_groups).unwrap_or_default();
    let renames = settings.allow_username_updates;
    let caller = app.issuer().scim_caller(&live, &permissions, groups, renames).await;
    let caller = caller.map_err(ScimError::from)?;
    let request = read(&parts, body).await?;
    let caller = caller.waiting(PATIENCE.saturating_sub(began.elapsed()));
    Ok(app.issuer().scim(&caller, &request).await?)
}

fn no_caller(app: &App, error: &NoCaller) -> Refusal {
    let realm = realm(app);
    let refused = |text: &str, challenge: String| Refusal {
        error: ScimError::new(401, text),
        challenge: Some(challenge),
    };
    match error {
        NoCaller::Missing => {
            refused("An access token is required", format!("Bearer realm=\"{realm}\""))
        }
        NoCaller::Invalid => {
            let challenge = format!("Bearer realm=\"{realm}\", error=\"invalid_token\"");
            refused("The access token is not valid", challenge)
        }
        NoCaller::Unavailable(error) => {
            tracing::error!(%error, "a SCIM request failed");
            let text = "Something went wrong on the server; try again";
            ScimError { retry_after: Some(1), ..ScimError::new(503, text) }.into()
        }
    }
}

/// What the request asks for.
async fn read(parts: &Parts, body: Body) -> Result<ScimRequest, ScimError> {
    let below = parts.uri.path().strip_prefix(BASE).unwrap_or_default();
    let path = below.split('/').filter(|part| !part.is_empty());
    let path = path
        .map(|part| percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| ScimError::new(404, "Resource not found"))?;
    let method = match &parts.method {
        &Method::HEAD => ScimMethod::Get,
        other => ScimMethod::named(other.as_str()).ok_or_else(|| ScimError::method(&path))?,
    };
    let parameters = request::query_pairs(parts.uri.query())
        .map_err(|error| ScimError::syntax(error.to_string()))?;
    let has_body = matches!(method, ScimMethod::Post | ScimMethod::Put | ScimMethod::Patch);
    let body = if has_body { document(&parts.headers, body).await? } else { Value::Null };
    let if_match = tags(&parts.headers, &header::IF_MATCH)?;
    let if_none_match = tags(&parts.headers, &header::IF_NONE_MATCH)?;
    if if_none_match.is_some() && method != ScimMethod::Get {
        return Err(ScimError::syntax("If-None-Match: is for reading alone"));
    }
    Ok(ScimRequest { method, path, parameters, body, if_match, if_none_match })
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ScimError> {
    let wrong = |_| ScimError::syntax(format!("{name}: must be * or entity tags"));
    Ok(conditions::tags(headers, name).map_err(wrong)?.map(|tags| match tags {
        conditions::Tags::Any => Tags::Any,
        conditions::Tags::These(versions) => Tags::These(versions),
    }))
}

/// The answer to a request that comes no further, as SCIM has it (RFC 7644 §3.12).
pub(super) fn refuse(status: StatusCode, text: &str) -> Response {
    no_store(Refusal::from(ScimError::new(status.as_u16(), text)).into_response())
}

async fn document(headers: &HeaderMap, body: Body) -> Result<Value, ScimError> {
    if http_body::Body::is_end_stream(&body) {
        return Ok(Value::Null);
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type =
        media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(SCIM)
        && !media_type.eq_ignore_ascii_case("application/json")
    {
        return Err(ScimError::new(415, "Send application/scim+json"));
    }
    let too_large =
        || ScimError::new(413, format!("The body must not have more than {MOST_BYTES} bytes"));
    if request::is_too_long(&body, MOST_BYTES) {
        return Err(too_large());
    }
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| too_large())?;
    strict_json::read(&bytes)
        .map_err(|problem| ScimError::syntax(format!("the body is not valid JSON: {problem}")))
}

fn into_response(answer: ScimAnswer) -> Response {
    let mut response = written(answer.status, answer.body.as_ref());
    let tag = answer.version.map(|version| format!("W/\"{version}\""));
    for (name, text) in [(header::ETAG, tag), (header::LOCATION, answer.location)] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

impl Refusal {
    fn into_response(self) -> Response {
        let mut response = written(self.error.status, Some(&self.error.to_json()));
        let after = self.error.retry_after.map(|seconds| seconds.to_string());
        let allow = self.error.allow.map(ToOwned::to_owned);
        for (name, text) in [
            (header::WWW_AUTHENTICATE, self.challenge),
            (header::RETRY_AFTER, after),
            (header::ALLOW, allow),
        ] {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn written(status: u16, body: Option<&Value>) -> Response {
    let bytes = body.map(|body| serde_json::to_vec(body).unwrap_or_default());
    let has_body = bytes.is_some();
    let mut response = Response::new(Body::from(bytes.unwrap_or_default()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if has_body {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(SCIM));
    }
    response
}
