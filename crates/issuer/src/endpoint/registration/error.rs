//! Why a client is not registered, or its registration not shown or changed.

use castellan_proto::{ErrorCode, strict_json};

use crate::{
    error::OAuthError,
    resources::ApplyError,
    secrets::hashing::Busy,
    store::StoreError,
    tokens::{dpop::ShownError, verified::VerifyError},
};

/// A refusal (RFC 7591 §3.2.2, RFC 7592 §2).
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// A member of the metadata is not accepted.
    #[error("{0}")]
    Metadata(String),
    /// A redirect URI is not accepted.
    #[error("{0}")]
    RedirectUri(String),
    /// The software statement is not valid.
    #[error("software_statement: {0}")]
    Statement(&'static str),
    /// The software statement is not of an issuer that this server accepts.
    #[error("software_statement: its iss is not an issuer that this server accepts")]
    UnapprovedStatement,
    /// The access token, or the client, lacks this scope.
    #[error("the scope {0} is required")]
    Scope(&'static str),
    /// It is not allowed now, whoever asks.
    #[error("{0}")]
    Denied(&'static str),
    /// There is no such registered client. Only who may see all of them learns that.
    #[error("there is no such registered client")]
    Unknown,
    /// What every endpoint refuses: a missing or invalid token, a wrong secret, too many attempts.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
}

impl RegistrationError {
    /// The `error` of the answer, if it is one of this endpoint alone.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Metadata(_) => "invalid_client_metadata",
            Self::RedirectUri(_) => "invalid_redirect_uri",
            Self::Statement(_) => "invalid_software_statement",
            Self::UnapprovedStatement => "unapproved_software_statement",
            Self::Scope(_) => ErrorCode::InsufficientScope.as_str(),
            Self::Denied(_) => ErrorCode::AccessDenied.as_str(),
            Self::Unknown => "not_found",
            Self::OAuth(error) => error.code().as_str(),
        }
    }
}

impl RegistrationError {
    /// Whether the sender is not allowed to do it, whatever the metadata are.
    pub(super) const fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Scope(_)
                | Self::Denied(_)
                | Self::OAuth(OAuthError::InvalidToken | OAuthError::InvalidClient { .. })
        )
    }
}

impl From<StoreError> for RegistrationError {
    fn from(error: StoreError) -> Self {
        Self::OAuth(error.into())
    }
}

impl From<Busy> for RegistrationError {
    fn from(busy: Busy) -> Self {
        Self::OAuth(busy.into())
    }
}

impl From<ShownError> for RegistrationError {
    fn from(error: ShownError) -> Self {
        Self::OAuth(error.into())
    }
}

impl From<VerifyError> for RegistrationError {
    fn from(error: VerifyError) -> Self {
        Self::OAuth(ShownError::from(error).into())
    }
}

/// What the rules of documents refuse. Their texts may repeat what was sent, between quotation marks;
/// this one does not.
impl From<ApplyError> for RegistrationError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => error.into(),
            ApplyError::Busy(busy) => busy.into(),
            ApplyError::Invalid { problem, .. } if problem.contains('"') => {
                Self::Metadata(without_quotes(&problem))
            }
            ApplyError::Invalid { problem, .. } | ApplyError::Kind(problem) => {
                Self::Metadata(problem)
            }
            ApplyError::Clash { .. } | ApplyError::Precondition(_) | ApplyError::Conflict(_) => {
                Self::OAuth(StoreError::new("a registration was changed at the same time").into())
            }
        }
    }
}

/// `problem` with "the value" for the value that it begins with.
fn without_quotes(problem: &str) -> String {
    let (member, why) = problem.split_once(": ").unwrap_or(("the metadata", problem));
    let why = strict_json::without_value(why);
    if why.contains('"') {
        return format!("{member}: is refused by the rules of Client documents");
    }
    format!("{member}: {why}")
}
