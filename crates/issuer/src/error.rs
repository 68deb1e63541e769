//! Whose fault it is, in the type.

use castellan_proto::ErrorCode;

use crate::{keys::KeyringError, secrets::hashing::Busy, store::StoreError};

/// Why the token endpoint, or an endpoint beside it, refused a request.
///
/// Each variant carries exactly one [`ErrorCode`]; the HTTP status follows from the code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OAuthError {
    /// A required parameter is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A parameter came twice.
    #[error(transparent)]
    Repeated(#[from] Repeated),
    /// The body is neither a form nor a JSON object of texts.
    #[error("the body must be a form or a JSON object of strings")]
    Unreadable,
    /// A secret is in the URL (RFC 6749 §2.3.1).
    #[error(
        "{0} must not be in the URL, which others may have logged: replace it, and send the new one in the body"
    )]
    SecretInUrl(&'static str),
    /// The body is longer than this many bytes.
    #[error("the request body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client proved itself in two ways (RFC 6749 §2.3).
    #[error("send the client's credentials only once: by Basic or in the body")]
    TwoProofs,
    /// Unknown, inactive, or not proven. One answer for all three.
    #[error("unknown client, or client authentication failed")]
    InvalidClient {
        /// It tried by `Authorization: Basic`, and is asked that way again.
        basic: bool,
    },
    /// No grant of that name is served.
    #[error("this grant_type is not supported")]
    UnknownGrant,
    /// The client may not use this grant.
    #[error("this client may not use this grant type")]
    GrantNotAllowed,
    /// The person for whom the client was registered is inactive or deleted.
    #[error("the person for whom this client was registered is no longer active")]
    RegistrantGone,
    /// A pushed authorization request is not to be served.
    #[error("{1}")]
    Pushed(ErrorCode, String),
    /// More would have to be kept of it than is kept of anything that strangers begin.
    #[error("the request is too long: at most {MOST_KEPT} bytes of it can be stored")]
    TooLong,
    /// Unknown, used, expired, another client's, or redirected elsewhere: one answer for all.
    #[error("the code is not valid")]
    CodeNotRedeemable,
    /// The verifier is malformed, belongs to another challenge, or came without one.
    #[error("the code_verifier does not match the code_challenge")]
    VerifierMismatch,
    /// There was a challenge, but there is no verifier.
    #[error("the code_verifier is missing")]
    VerifierMissing,
    /// The person has not answered yet.
    #[error("the user has not answered yet; poll again after the interval")]
    Pending,
    /// The person has not answered yet, and the device asks too often.
    #[error("polling too fast; increase the interval by 5 seconds")]
    SlowDown,
    /// The person did not answer in time.
    #[error("the codes have expired; start again")]
    DeviceExpired,
    /// The person refused.
    #[error("the user denied access")]
    DeviceDenied,
    /// Unknown, used, expired, ended, or another client's: one answer for all.
    #[error("the refresh token is not valid")]
    RefreshNotUsable,
    /// There is no such person, or the password is another: one answer for both.
    #[error("the user name or the password is wrong")]
    WrongPassword,
    /// The person may not have tokens (`docs/contracts/aidbox.md` §2.2).
    #[error("User is inactive")]
    UserInactive,
    /// The password is right, and has to be changed before anybody signs in by it; with the id of the
    /// person.
    #[error("the password must be changed before it can be used")]
    MustChangePassword(String),
    /// The password is right and not enough: the person has a second factor, which only the sign-in
    /// page asks for.
    #[error(
        "this account signs in with a second factor, which is asked for at the sign-in page alone; \
         use the authorization code grant"
    )]
    SecondFactorNeeded,
    /// A scope is malformed or beyond what may be granted.
    #[error("the scope {0:?} cannot be granted")]
    Scope(String),
    /// The key that a token is to be bound to was not shown (RFC 9449 §5).
    #[error(transparent)]
    Proof(ProofError),
    /// This client's tokens are bound to keys, and no proof came.
    #[error("the tokens of this client are bound to a key: send a DPoP proof")]
    ProofMissing,
    /// This client may not get tokens for a requested resource (RFC 8707 §2).
    #[error("this client cannot get tokens for the resource {0:?}")]
    Target(String),
    /// There is no access token (RFC 6750 §3.1), so the challenge names no error.
    #[error("an access token is required")]
    TokenMissing,
    /// The access token is not valid.
    #[error("the access token is not valid")]
    InvalidToken,
    /// The access token lacks this scope.
    #[error("the access token lacks the scope {0}")]
    Insufficient(&'static str),
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Too many attempts for a subject or source; the number is the seconds to wait.
    #[error("too many attempts; try again in {0} s")]
    Throttled(u64),
    /// An internal error.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// An internal error.
    #[error("the signing keys failed")]
    Keys(#[from] KeyringError),
}

impl OAuthError {
    /// The code that the client sees.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Missing(_)
            | Self::Repeated(_)
            | Self::Unreadable
            | Self::SecretInUrl(_)
            | Self::TooLarge(_)
            | Self::TwoProofs
            | Self::TooLong => ErrorCode::InvalidRequest,
            Self::InvalidClient { .. } => ErrorCode::InvalidClient,
            Self::Pushed(code, _) => *code,
            Self::UnknownGrant => ErrorCode::UnsupportedGrantType,
            Self::GrantNotAllowed | Self::RegistrantGone => ErrorCode::UnauthorizedClient,
            Self::CodeNotRedeemable
            | Self::VerifierMismatch
            | Self::VerifierMissing
            | Self::RefreshNotUsable
            | Self::WrongPassword
            | Self::MustChangePassword(_)
            | Self::SecondFactorNeeded
            | Self::UserInactive => ErrorCode::InvalidGrant,
            Self::Pending => ErrorCode::AuthorizationPending,
            Self::SlowDown => ErrorCode::SlowDown,
            Self::DeviceExpired => ErrorCode::ExpiredToken,
            Self::DeviceDenied => ErrorCode::AccessDenied,
            Self::Scope(_) => ErrorCode::InvalidScope,
            Self::Proof(ProofError::Nonce) => ErrorCode::UseDpopNonce,
            Self::Proof(ProofError::Invalid(_)) | Self::ProofMissing => ErrorCode::InvalidDpopProof,
            Self::Target(_) => ErrorCode::InvalidTarget,
            Self::TokenMissing | Self::InvalidToken => ErrorCode::InvalidToken,
            Self::Insufficient(_) => ErrorCode::InsufficientScope,
            Self::Busy(_) | Self::Throttled(_) => ErrorCode::TemporarilyUnavailable,
            Self::Store(_) | Self::Keys(_) | Self::Proof(ProofError::Store(_)) => {
                ErrorCode::ServerError
            }
        }
    }

    /// Whether the data source is at fault: the same may do in a moment.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Store(_) | Self::Proof(ProofError::Store(_)) | Self::Keys(KeyringError::Store(_))
        )
    }
}

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It is malformed, about another request, too old, or was used before.
    #[error("the DPoP proof {0}")]
    Invalid(&'static str),
    /// It has to carry the nonce that this server hands out (RFC 9449 §8).
    #[error("the DPoP proof must contain the nonce from the header DPoP-Nonce")]
    Nonce,
    /// An internal error: the answer cannot be determined.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// A parameter came more than once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} was sent more than once")]
pub struct Repeated(pub String);

/// Bytes that are kept of anything that strangers begin, at most: what an address can carry.
pub(crate) const MOST_KEPT: usize = 8 * 1024;
