//! The access token of a request to one of our own endpoints, and what is shown with it (RFC 6750
//! §2.1, RFC 9449 §7.1).

use axum::http::HeaderMap;
use castellan_issuer::error::OAuthError;
use castellan_proto::{AuthScheme, Authorization, AuthorizationError};

use super::{
    error::Scheme,
    request::{authorization, dpop},
};

/// The one token of the one `Authorization` header.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, OAuthError> {
    match authorization(headers) {
        Ok(Some(Authorization::Bearer(token))) => Ok(token),
        Ok(None) => Err(OAuthError::TokenMissing),
        _ => Err(OAuthError::InvalidToken),
    }
}

/// The same, or one that is bound to a key, with the proof of that.
pub(crate) fn token_and_proof(headers: &HeaderMap) -> Result<(&str, Option<&str>), OAuthError> {
    match authorization(headers) {
        Ok(Some(Authorization::Bearer(token))) => Ok((token, None)),
        Ok(Some(Authorization::Dpop(token))) => {
            Ok((token, Some(dpop(headers)?.ok_or(OAuthError::ProofMissing)?)))
        }
        Ok(None) => Err(OAuthError::TokenMissing),
        _ => Err(OAuthError::InvalidToken),
    }
}

/// The scheme by which a token was sent, as far as it can be determined.
pub(crate) fn scheme(headers: &HeaderMap) -> Scheme {
    match authorization(headers) {
        Ok(Some(Authorization::Dpop(_))) | Err(AuthorizationError::Malformed(AuthScheme::Dpop)) => {
            Scheme::Dpop
        }
        _ => Scheme::Bearer,
    }
}
