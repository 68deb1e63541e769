//! The endpoints of passwords, whose bodies are JSON.

use axum::http::{Method, StatusCode};

use super::{BROKEN, Caller, Operation, THROTTLED};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/auth/change-password",
        method: Method::POST,
        summary: "Change one's own password; also by the cookie of a browser session.",
        caller: Caller::Bearer,
        form: &[("currentPassword", true), ("newPassword", true)],
        responses: &[
            (StatusCode::OK, "`code`; all sessions and tokens of the person are over."),
            (StatusCode::BAD_REQUEST, "The body cannot be read."),
            (StatusCode::UNAUTHORIZED, "No valid access token was sent."),
            (StatusCode::FORBIDDEN, "The token is not of a person."),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON."),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The member that is named is wrong; nothing has changed.",
            ),
            THROTTLED,
            BROKEN,
        ],
    },
    Operation {
        path: "/auth/force-reset-password",
        method: Method::POST,
        summary: "Issue a link by which a person sets a new password.",
        caller: Caller::Bearer,
        form: &[("userId", true)],
        responses: &[
            (
                StatusCode::OK,
                "`code` and, in `data`, `resetUrl` and `token`; valid for 15 minutes, once.",
            ),
            (StatusCode::BAD_REQUEST, "The body cannot be read."),
            (StatusCode::UNAUTHORIZED, "No valid access token was sent."),
            (StatusCode::FORBIDDEN, "The token does not have the right."),
            (StatusCode::NOT_FOUND, "There is no such person."),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON."),
            (StatusCode::UNPROCESSABLE_ENTITY, "The person is inactive."),
            BROKEN,
        ],
    },
];
