//! The management APIs, whose schemas `castellan schema` prints.

use axum::http::{Method, StatusCode};

use super::{BROKEN, Caller, Operation};
use crate::http::management::APIS;

/// Every management API, by both methods.
pub(super) fn operations() -> Vec<Operation> {
    let methods = [(Method::GET, &[][..]), (Method::POST, FORM)];
    APIS.iter()
        .flat_map(|api| {
            methods.clone().map(|(method, form)| Operation {
                path: api.path,
                method,
                summary: "A management API over GraphQL (`docs/management.md`).",
                caller: Caller::Bearer,
                form,
                responses: RESPONSES,
            })
        })
        .collect()
}

const FORM: &[(&str, bool)] = &[("query", true), ("operationName", false), ("variables", false)];

const RESPONSES: &[(StatusCode, &str)] = &[
    (StatusCode::OK, "The operation was executed; `errors` says what failed."),
    (StatusCode::BAD_REQUEST, "The request cannot be read, or the document is not valid."),
    (StatusCode::UNAUTHORIZED, "No valid access token was sent."),
    (StatusCode::FORBIDDEN, "The token does not allow the operation; nothing was executed."),
    (StatusCode::NOT_FOUND, "The settings of the site do not have this API."),
    (StatusCode::METHOD_NOT_ALLOWED, "Mutations are sent by POST."),
    (StatusCode::NOT_ACCEPTABLE, "`Accept` names no media type of GraphQL."),
    (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON."),
    BROKEN,
];
