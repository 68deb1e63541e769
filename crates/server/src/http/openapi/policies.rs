//! The endpoints that try out policies and patterns and explain tokens, whose bodies are JSON or YAML.

use axum::http::{Method, StatusCode};

use super::{BROKEN, Caller, Operation, TOKEN};

/// What a test of a policy or a pattern answers.
const TESTED: &[(StatusCode, &str)] = &[
    (StatusCode::OK, "What it says, why, and warnings."),
    (StatusCode::BAD_REQUEST, "The body does not match its media type."),
    TOKEN,
    (StatusCode::FORBIDDEN, "The token, its client or the person lacks the right."),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is neither JSON nor YAML."),
    (StatusCode::UNPROCESSABLE_ENTITY, "The policy or the pattern is not valid."),
    BROKEN,
];

/// What an explanation of a token answers.
const EXPLAINED: &[(StatusCode, &str)] = &[
    (
        StatusCode::OK,
        "`guard`, `valid` and `explanation`; with `valid`, who the `caller` is; without, the `problem` \
         in a word, and `since` when, if that is known.",
    ),
    (StatusCode::BAD_REQUEST, "The body does not match its media type."),
    TOKEN,
    (StatusCode::FORBIDDEN, "The token, its client or the person lacks the right."),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is neither JSON nor YAML."),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "A member is missing or unknown, or no guard has that name.",
    ),
    BROKEN,
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/auth/explain-token",
        method: Method::POST,
        summary: "Whether a guard of this site accepts a token, and if not, why: `token`, the name of \
                  the `guard` (default: the first), and the `audience` that callers name in \
                  X-Jwt-Aud, in JSON or YAML. The token is neither used nor stored. Needs \
                  `Castellan:Token:Explain`.",
        caller: Caller::Bearer,
        form: &[("token", true), ("guard", false), ("audience", false)],
        responses: EXPLAINED,
    },
    Operation {
        path: "/auth/test-policy",
        method: Method::POST,
        summary: "Try out a policy: `request` and `policy`, in JSON or YAML \
                  (docs/contracts/aidbox.md §8). Needs `Castellan:AccessPolicy:Test`.",
        caller: Caller::Bearer,
        form: &[("policy", true), ("request", true)],
        responses: TESTED,
    },
    Operation {
        path: "/$matcho",
        method: Method::POST,
        summary: "Try out a pattern: `matcho` and `resource`, in JSON or YAML \
                  (docs/contracts/aidbox.md §8). Needs `Castellan:AccessPolicy:Test`.",
        caller: Caller::Bearer,
        form: &[("matcho", true), ("resource", true)],
        responses: TESTED,
    },
];
