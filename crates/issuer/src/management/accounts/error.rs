//! Why an operation on an account was not done.

use castellan_proto::webauthn::WebAuthnError;

use crate::{
    error::OAuthError,
    records::{account::PHONE_PREFIX, login_name},
    resources::ApplyError,
    secrets::{credential_policy::Rule, hashing::Busy, policy::Unacceptable},
    sign_in::{credential::PasswordProblem, verification::VerificationError},
    store::StoreError,
};

/// Why an operation was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account, or no such part of it.
    #[error("There is no such {0}")]
    NotFound(&'static str),
    /// The caller may not do that to this account; with the field that it is about.
    #[error("Access denied")]
    Denied(Option<&'static str>),
    /// Another account has it, or this one has it already; with the field.
    #[error("{1}")]
    Conflict(&'static str, &'static str),
    /// A field has a value that it cannot have; the text names the field.
    #[error("{0}")]
    Invalid(String),
    /// The password breaks these rules.
    #[error("The password was not accepted")]
    Rejected(Vec<String>),
    /// The current password is another one.
    #[error("The current password is wrong")]
    WrongPassword,
    /// Too many attempts; seconds to wait.
    #[error("Too many attempts; try again in {0} s")]
    Throttled(u64),
    /// Nothing is configured that does it.
    #[error("{0} is not configured")]
    NotConfigured(&'static str),
    /// No verification is under way with this state.
    #[error(
        "unknown state: the verification does not exist, was used or has expired; start it again"
    )]
    UnknownState,
    /// The code is not the one that was sent, or shown.
    #[error("unknown code")]
    UnknownCode,
    /// A message could not be sent.
    #[error("The message could not be sent; {0}")]
    NotSent(String),
    /// The person reads why not.
    #[error("{0}")]
    Localized(String),
    /// The response of the browser registers no passkey.
    #[error("the passkey was refused: {0}")]
    Passkey(WebAuthnError),
    /// The last factor stays.
    #[error("The last factor cannot be deleted; reset the state instead")]
    LastFactor,
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The account was changed at the same time, every time.
    #[error("The account was changed at the same time; try again")]
    Contention,
    /// An internal error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccountError {
    /// Why the document of an account with the user name `user_name` was not written.
    pub(super) fn of_write(error: ApplyError, user_name: &str) -> Self {
        match error {
            ApplyError::Invalid { problem, .. } | ApplyError::Kind(problem) => {
                Self::Invalid(in_fields(problem))
            }
            ApplyError::Clash { name, .. } => Self::of_clash(&name, user_name),
            ApplyError::Precondition(_) | ApplyError::Conflict(_) => Self::Contention,
            ApplyError::Busy(busy) => Self::Busy(busy),
            ApplyError::Store(error) => Self::Store(error),
        }
    }

    /// Which conflict it is that another record has the unique name `name`.
    pub(super) fn of_clash(name: &str, user_name: &str) -> Self {
        if name.starts_with(PHONE_PREFIX) {
            Self::Conflict("phoneNumbers", "A user with this phone number exists")
        } else if name == login_name(user_name) {
            Self::Conflict("userName", "A user with this username exists")
        } else {
            Self::Conflict("emails", "A user with this email address exists")
        }
    }
}

/// `problem` of a document, which begins with the name of a member, with that of the field.
fn in_fields(problem: String) -> String {
    const FIELDS: [(&str, &str); 6] = [
        ("nickname", "nickName"),
        ("profile", "profileUrl"),
        ("zoneinfo", "timeZone"),
        ("middle_name", "name.middleName"),
        ("phone_number", "phoneNumbers.value"),
        ("picture", "photos.value"),
    ];
    let field = problem.split_once(':').and_then(|(member, rest)| {
        let (_, field) = FIELDS.iter().find(|(known, _)| *known == member)?;
        Some(format!("{field}:{rest}"))
    });
    field.unwrap_or(problem)
}

impl From<PasswordProblem> for AccountError {
    fn from(problem: PasswordProblem) -> Self {
        match problem {
            PasswordProblem::Unacceptable(Unacceptable::Rules(rules)) => {
                Self::Rejected(rules.iter().map(Rule::message).collect())
            }
            PasswordProblem::Unacceptable(why) => {
                Self::Rejected(vec![format!("The password {why}")])
            }
            PasswordProblem::Busy(busy) => busy.into(),
        }
    }
}

impl From<VerificationError> for AccountError {
    fn from(error: VerificationError) -> Self {
        match error {
            VerificationError::Unknown => Self::UnknownState,
            VerificationError::TooMany(seconds) => Self::Throttled(seconds),
            VerificationError::Token(error) => error.into(),
        }
    }
}

impl From<OAuthError> for AccountError {
    fn from(error: OAuthError) -> Self {
        match error {
            OAuthError::Throttled(seconds) => Self::Throttled(seconds),
            OAuthError::Busy(busy) => Self::Busy(busy),
            OAuthError::Store(error) => Self::Store(error),
            other => Self::Store(StoreError::new(other)),
        }
    }
}
