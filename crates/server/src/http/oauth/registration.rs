//! Dynamic client registration and its management (RFC 7591, RFC 7592, `docs/contracts/curity.md`
//! §8.1).

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{
        Extensions, HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts,
    },
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    endpoint::registration::{RegistrationError, Sender},
    error::OAuthError,
    tokens::dpop::Proof,
};
use castellan_proto::{Authorization, ErrorCode, error_description, strict_json};
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    http::management::caller::realm,
    wire::{
        bearer,
        error::{Refusal, Scheme, no_store},
        request::{self, authorization, client_of, dpop, is_json, source},
    },
};

/// Where clients are registered.
pub(crate) const PATH: &str = "/register";

/// Why nothing is answered but that.
enum Refused {
    /// The body is not JSON.
    MediaType,
    Registration(RegistrationError),
}

impl<T: Into<RegistrationError>> From<T> for Refused {
    fn from(error: T) -> Self {
        Self::Registration(error.into())
    }
}

/// `POST /register` (RFC 7591 §3.1).
pub(crate) async fn register(State(app): State<App>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    let answered = async {
        let url = app.at(PATH);
        let sender = sender(&headers, &Method::POST, &url, request.extensions())?;
        let members = members(request).await?;
        Ok(app.issuer().register(sender, members).await?)
    };
    respond(&app, &headers, answered.await.map(|answer| (StatusCode::CREATED, Json(answer))))
}

/// `GET /register/{id}` (RFC 7592 §2.1).
pub(crate) async fn read(State(app): State<App>, Path(id): Path<String>, parts: Parts) -> Response {
    let answered = async {
        let url = app.at(&format!("{PATH}/{id}"));
        let sender = sender(&parts.headers, &Method::GET, &url, &parts.extensions)?;
        Ok::<_, Refused>(app.issuer().read_registration(&id, &sender).await?)
    };
    respond(&app, &parts.headers, answered.await.map(Json))
}

/// `PUT /register/{id}` (RFC 7592 §2.2).
pub(crate) async fn replace(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let headers = request.headers().clone();
    let answered = async {
        let url = app.at(&format!("{PATH}/{id}"));
        let sender = sender(&headers, &Method::PUT, &url, request.extensions())?;
        let members = members(request).await?;
        Ok(app.issuer().replace_registration(&id, &sender, &members).await?)
    };
    respond(&app, &headers, answered.await.map(Json))
}

/// `DELETE /register/{id}` (RFC 7592 §2.3).
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    let answered = async {
        let url = app.at(&format!("{PATH}/{id}"));
        let sender = sender(&parts.headers, &Method::DELETE, &url, &parts.extensions)?;
        Ok::<_, Refused>(app.issuer().delete_registration(&id, &sender).await?)
    };
    respond(&app, &parts.headers, answered.await.map(|()| StatusCode::NO_CONTENT))
}

/// What `request` shows of who sends it, by its one `Authorization` header.
fn sender<'a>(
    headers: &'a HeaderMap,
    method: &'a Method,
    url: &'a str,
    extensions: &Extensions,
) -> Result<Sender<'a>, OAuthError> {
    let source = source(extensions);
    let sender = Sender { token: None, basic: None, source };
    Ok(match authorization(headers) {
        Ok(None) => sender,
        Ok(Some(Authorization::Basic(shown))) => {
            Sender { basic: Some(client_of(&shown)), ..sender }
        }
        Ok(Some(Authorization::Bearer(token))) => Sender { token: Some((token, None)), ..sender },
        Ok(Some(Authorization::Dpop(token))) => {
            let jws = dpop(headers)?.ok_or(OAuthError::ProofMissing)?;
            let proof = Proof { jws, method: method.as_str(), url };
            Sender { token: Some((token, Some(proof))), ..sender }
        }
        _ => return Err(OAuthError::InvalidToken),
    })
}

/// The members of a JSON object, each once.
async fn members(request: Request<Body>) -> Result<Map<String, Value>, Refused> {
    if !is_json(request.headers()) {
        return Err(Refused::MediaType);
    }
    let bytes = request::whole(request).await?;
    let wrong = |text: String| RegistrationError::Metadata(text);
    let read = strict_json::read(&bytes).map_err(|error| wrong(error.to_string()))?;
    match read {
        Value::Object(members) => Ok(members),
        _ => Err(wrong("the body must be a JSON object".to_owned()).into()),
    }
}

fn respond(
    app: &App,
    headers: &HeaderMap,
    answered: Result<impl IntoResponse, Refused>,
) -> Response {
    no_store(match answered {
        Ok(answer) => answer.into_response(),
        Err(Refused::MediaType) => {
            let text = "the metadata must be sent as application/json";
            written(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", text)
        }
        Err(Refused::Registration(error)) => refusal(app, headers, error),
    })
}

/// RFC 7591 §3.2.2, RFC 7592 §2, RFC 6750 §3.
fn refusal(app: &App, headers: &HeaderMap, error: RegistrationError) -> Response {
    let text = error.to_string();
    let (status, code) = match &error {
        RegistrationError::Scope(_) | RegistrationError::Denied(_) => {
            (StatusCode::FORBIDDEN, error.code())
        }
        RegistrationError::Unknown => (StatusCode::NOT_FOUND, error.code()),
        // No token is no invalid token. The body has a code all the same, which clients look for.
        RegistrationError::OAuth(OAuthError::TokenMissing) => {
            (StatusCode::UNAUTHORIZED, ErrorCode::InvalidRequest.as_str())
        }
        RegistrationError::OAuth(_)
        | RegistrationError::Metadata(_)
        | RegistrationError::RedirectUri(_)
        | RegistrationError::Statement(_)
        | RegistrationError::UnapprovedStatement => (StatusCode::BAD_REQUEST, error.code()),
    };
    let scheme = bearer::scheme(headers);
    // RFC 6750 §3.1: the challenge to a request without a token names no error.
    let why = match &error {
        RegistrationError::OAuth(OAuthError::TokenMissing) => Some(String::new()),
        RegistrationError::OAuth(OAuthError::InvalidToken) if scheme == Scheme::Bearer => {
            Some(", error=\"invalid_token\"".to_owned())
        }
        RegistrationError::Scope(scope) => {
            Some(format!(", error=\"insufficient_scope\", scope=\"{scope}\""))
        }
        _ => None,
    };
    let mut response = match error {
        RegistrationError::OAuth(error) if status == StatusCode::BAD_REQUEST => {
            Refusal::at_resource(error, scheme).into_response()
        }
        _ => written(status, code, &text),
    };
    if let Some(why) = why
        && let Ok(challenge) =
            HeaderValue::from_str(&format!("Bearer realm=\"{}\"{why}", realm(app)))
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn written(status: StatusCode, code: &str, text: &str) -> Response {
    let body = json!({"error": code, "error_description": error_description(text)});
    (status, Json(body)).into_response()
}
