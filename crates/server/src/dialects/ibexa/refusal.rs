//! Errors as the contract words them (`docs/contracts/ibexa.md` §1), and the headers that all answers
//! of ours have (§10, number 15).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};

use super::{element::Element, media::Format};
use crate::wire::guard_refusal::{Asked, GuardRefusal};

/// What is said of everything that went wrong on our side.
const INTERNAL: &str = "An error has occurred. Please try again later.";

/// The answer to a request with `headers` that is refused.
pub(super) fn refuse(refusal: &GuardRefusal, headers: &HeaderMap) -> Response<Body> {
    let status = match refusal {
        // In this API 401 also means that a permission is missing (§1, §7.3).
        GuardRefusal::LoginNotPermitted(_) | GuardRefusal::SecondFactorNeeded => {
            StatusCode::UNAUTHORIZED
        }
        GuardRefusal::Gate(refusal) if refusal.status == StatusCode::FORBIDDEN => {
            StatusCode::UNAUTHORIZED
        }
        other => other.status(),
    };
    let description = match refusal {
        _ if status.is_server_error() => INTERNAL,
        GuardRefusal::WrongPassword => "Invalid login or password",
        GuardRefusal::NotAuthenticated(_) => "The user is not authenticated.",
        GuardRefusal::LoginNotPermitted(Asked::Person) => {
            "The user has no permission user/login here."
        }
        GuardRefusal::LoginNotPermitted(Asked::Anonymous) => {
            "Anonymous has no permission user/login here."
        }
        other => other.detail(),
    };
    let format = Format::of_answer(headers);
    let reason = status.canonical_reason().unwrap_or_default();
    let members = vec![
        Element::number("errorCode", status.as_u16()),
        Element::text("errorMessage", reason),
        Element::text("errorDescription", description),
    ];
    let mut response = answer(status, format, &Element::resource(ERROR, format, members));
    refusal.set_headers(response.headers_mut());
    // The guard records it.
    response.extensions_mut().insert(refusal.clone());
    response
}

/// The type of errors.
const ERROR: &str = "ErrorMessage";

/// An answer with a body.
pub(super) fn answer(status: StatusCode, format: Format, body: &Element) -> Response<Body> {
    let mut response = empty(status);
    if let Ok(media_type) = HeaderValue::from_str(&format.media_type(body.name())) {
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    }
    *response.body_mut() = Body::from(body.write(format));
    response
}

/// An answer without a body, for this caller alone.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept, Authorization, Cookie, X-Siteaccess"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
