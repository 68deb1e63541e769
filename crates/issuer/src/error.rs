//! Whose fault it is, in the type.

use castellan_proto::ErrorCode;

use crate::{keys::KeyringError, secrets::hashing::Busy, store::StoreError};

/// Why a verb of the token endpoint, and those beside it, said no.
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
    #[error("the body is not readable as a form or as a JSON object of texts")]
    Unreadable,
    /// The body is longer than so many bytes.
    #[error("the request body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client proved itself in two ways (RFC 6749 §2.3).
    #[error("send the client's credentials once: by Basic or in the body")]
    TwoProofs,
    /// Unknown, inactive, or not proven. One answer for all three.
    #[error("the client is unknown, or did not prove who it is")]
    InvalidClient {
        /// It tried by `Authorization: Basic`, and is asked that way again.
        basic: bool,
    },
    /// No grant of that name is served.
    #[error("this grant_type is not served here")]
    UnknownGrant,
    /// The client may not use this grant.
    #[error("this client may not use this grant")]
    GrantNotAllowed,
    /// A pushed authorization request is not to be served.
    #[error("{1}")]
    Pushed(ErrorCode, String),
    /// More would have to be kept of it than is kept of anything that strangers begin.
    #[error("the request is too long: {MOST_KEPT} bytes of it at most are kept")]
    TooLong,
    /// Unknown, used, expired, another client's, or redirected elsewhere: one answer for all.
    #[error("the code cannot be redeemed")]
    CodeNotRedeemable,
    /// The verifier is malformed, belongs to another challenge, or came without one.
    #[error("the code_verifier does not meet the code_challenge")]
    VerifierMismatch,
    /// There was a challenge, and there is no verifier.
    #[error("the code_verifier is missing")]
    VerifierMissing,
    /// The person has not answered yet.
    #[error("the person has not answered yet; ask again after the interval")]
    Pending,
    /// The person has not answered yet, and the device asks too often.
    #[error("too often: wait five seconds longer between two requests")]
    SlowDown,
    /// The person did not answer in time.
    #[error("the codes have expired; begin again")]
    DeviceExpired,
    /// The person said no.
    #[error("the person did not agree")]
    DeviceDenied,
    /// Unknown, used, expired, ended, or another client's: one answer for all.
    #[error("the refresh token cannot be used")]
    RefreshNotUsable,
    /// The person may not hold tokens (`docs/contracts/aidbox.md` §2.2).
    #[error("User is inactive")]
    UserInactive,
    /// A scope is malformed or beyond what may be granted.
    #[error("the scope {0:?} cannot be granted")]
    Scope(String),
    /// The key that a token is to be bound to was not shown (RFC 9449 §5).
    #[error(transparent)]
    Proof(ProofError),
    /// This client's tokens are bound to keys, and no proof came.
    #[error("this client's tokens are bound to a key: send a DPoP proof")]
    ProofMissing,
    /// A resource is none that this client's tokens may be for (RFC 8707 §2).
    #[error("no token of this client is for the resource {0:?}")]
    Target(String),
    /// The access token is missing, or no good.
    #[error("the access token is not valid")]
    InvalidToken,
    /// The access token lacks this scope.
    #[error("the access token lacks the scope {0}")]
    Insufficient(&'static str),
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Too much of what is bounded by who or where it comes from: so many seconds to wait.
    #[error("too many attempts; try again in {0} s")]
    Throttled(u64),
    /// Ours, not theirs.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Ours, not theirs.
    #[error("the keys failed")]
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
            | Self::TooLarge(_)
            | Self::TwoProofs
            | Self::TooLong => ErrorCode::InvalidRequest,
            Self::InvalidClient { .. } => ErrorCode::InvalidClient,
            Self::Pushed(code, _) => *code,
            Self::UnknownGrant => ErrorCode::UnsupportedGrantType,
            Self::GrantNotAllowed => ErrorCode::UnauthorizedClient,
            Self::CodeNotRedeemable
            | Self::VerifierMismatch
            | Self::VerifierMissing
            | Self::RefreshNotUsable
            | Self::UserInactive => ErrorCode::InvalidGrant,
            Self::Pending => ErrorCode::AuthorizationPending,
            Self::SlowDown => ErrorCode::SlowDown,
            Self::DeviceExpired => ErrorCode::ExpiredToken,
            Self::DeviceDenied => ErrorCode::AccessDenied,
            Self::Scope(_) => ErrorCode::InvalidScope,
            Self::Proof(ProofError::Nonce) => ErrorCode::UseDpopNonce,
            Self::Proof(ProofError::Invalid(_)) | Self::ProofMissing => ErrorCode::InvalidDpopProof,
            Self::Target(_) => ErrorCode::InvalidTarget,
            Self::InvalidToken => ErrorCode::InvalidToken,
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
    #[error("the DPoP proof must carry the nonce that stands in the header DPoP-Nonce")]
    Nonce,
    /// Ours: it cannot be told.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// A parameter came more than once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} came more than once")]
pub struct Repeated(pub String);

/// Bytes that are kept of anything that strangers begin, at most: what an address can carry.
pub(crate) const MOST_KEPT: usize = 8 * 1024;
