//! Why a request was not done (RFC 7644 §3.12).

use serde_json::{Value, json};

use crate::{management::accounts::AccountError, resources::ApplyError, store::StoreError};

/// The schema of errors.
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The status of HTTP.
    pub status: u16,
    /// The kind of error, where the RFC names one.
    pub kind: Option<&'static str>,
    /// What is wrong, for developers.
    pub detail: String,
    /// Seconds until it is worth trying again.
    pub retry_after: Option<u64>,
    /// The methods that the path has, where the one of the request is not among them.
    pub allow: Option<&'static str>,
}

impl ScimError {
    /// An error with `status` and no kind.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into(), retry_after: None, allow: None }
    }

    fn of(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: Some(kind), ..Self::new(status, detail) }
    }

    /// A filter that cannot be understood, or that is not supported.
    pub(super) fn filter(detail: impl Into<String>) -> Self {
        Self::of(400, "invalidFilter", detail)
    }

    /// More would have to be read than is read.
    pub(super) fn too_many(detail: impl Into<String>) -> Self {
        Self::of(400, "tooMany", detail)
    }

    /// The body, or a parameter, cannot be understood.
    #[must_use]
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::of(400, "invalidSyntax", detail)
    }

    /// A path of a change is not one.
    pub(super) fn path(detail: impl Into<String>) -> Self {
        Self::of(400, "invalidPath", detail)
    }

    /// A path of a change leads nowhere.
    pub(super) fn no_target(detail: impl Into<String>) -> Self {
        Self::of(400, "noTarget", detail)
    }

    /// A value is missing, or not what it must be.
    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::of(400, "invalidValue", detail)
    }

    /// An attribute cannot be changed.
    pub(super) fn mutability(detail: impl Into<String>) -> Self {
        Self::of(400, "mutability", detail)
    }

    /// The cursor was not made here, or was made for another query (RFC 9865 §2.1).
    pub(super) fn cursor() -> Self {
        Self::of(400, "invalidCursor", "cursor: does not belong to this query; start without one")
    }

    /// Something with such a value exists.
    pub(super) fn uniqueness(detail: impl Into<String>) -> Self {
        Self::of(409, "uniqueness", detail)
    }

    /// The caller may not do that.
    pub(super) fn forbidden() -> Self {
        Self::new(403, "Access denied")
    }

    /// There is nothing of that kind and id.
    pub(super) fn not_found() -> Self {
        Self::new(404, "Resource not found")
    }

    /// It is not in the version that it has to be in.
    pub(super) fn precondition() -> Self {
        Self::new(412, "The resource is in another version; read it again")
    }

    /// The path, of these parts below the base, does not have the method of the request.
    #[must_use]
    pub fn method(path: &[String]) -> Self {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let allow = match &*parts {
            ["Users" | "Groups"] => "GET, HEAD, POST",
            ["Users" | "Groups", ".search"] | [".search" | "Bulk"] => "POST",
            ["Users" | "Groups", _] => "GET, HEAD, PUT, PATCH, DELETE",
            []
            | ["ServiceProviderConfig" | "ResourceTypes" | "Schemas"]
            | ["ResourceTypes" | "Schemas", _] => "GET, HEAD",
            _ => return Self::not_found(),
        };
        let text = format!("This endpoint does not have this method; it has {allow}");
        Self { allow: Some(allow), ..Self::new(405, text) }
    }

    /// The body of the answer. The status is a text there.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.kind {
            body["scimType"] = json!(kind);
        }
        body
    }
}

impl From<StoreError> for ScimError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a SCIM request failed");
        let text = "Something went wrong on the server; try again";
        Self { retry_after: Some(1), ..Self::new(503, text) }
    }
}

impl From<AccountError> for ScimError {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        match error {
            AccountError::NotFound(_) => Self::not_found(),
            AccountError::Denied(None) => Self::forbidden(),
            AccountError::Denied(Some(field)) => Self::new(403, format!("Access denied: {field}")),
            AccountError::Conflict(field, why) => Self::uniqueness(format!("{field}: {why}")),
            AccountError::Invalid(why) if why.ends_with("cannot be changed") => {
                Self::mutability(why)
            }
            AccountError::Invalid(why) if why.ends_with("cannot be removed") => {
                Self::mutability(why)
            }
            AccountError::Invalid(why) => Self::value(why),
            AccountError::Rejected(why) => Self::value(format!("password: {}", why.join("; "))),
            AccountError::Throttled(seconds) => {
                Self { retry_after: Some(seconds), ..Self::new(429, text) }
            }
            AccountError::Busy(_) | AccountError::Contention => {
                Self { retry_after: Some(1), ..Self::new(503, text) }
            }
            AccountError::Store(error) => error.into(),
            // No operation of this API makes one of these.
            AccountError::WrongPassword
            | AccountError::NotConfigured(_)
            | AccountError::NotSent(_)
            | AccountError::UnknownState
            | AccountError::UnknownCode
            | AccountError::Passkey(_)
            | AccountError::Localized(_)
            | AccountError::LastFactor => Self::value(text),
        }
    }
}

impl From<ApplyError> for ScimError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Invalid { problem, .. } | ApplyError::Kind(problem) => Self::value(problem),
            ApplyError::Clash { name, .. } => Self::uniqueness(format!("{name:?} is in use")),
            ApplyError::Precondition(_) => Self::precondition(),
            conflict @ ApplyError::Conflict(_) => {
                Self { retry_after: Some(1), ..Self::new(503, conflict.to_string()) }
            }
            ApplyError::Busy(busy) => AccountError::Busy(busy).into(),
            ApplyError::Store(error) => error.into(),
        }
    }
}
