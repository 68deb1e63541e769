//! The access token of a request to one of our own endpoints, and what is shown with it (RFC 6750
//! §2.1, RFC 9449 §7.1).

use axum::http::{HeaderMap, header};
use castellan_issuer::error::OAuthError;

use super::error::Scheme;
use crate::wire::request;

/// The one token of the one `Authorization` header.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, OAuthError> {
    match credential(headers)? {
        (scheme, token) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(OAuthError::InvalidToken),
    }
}

/// The same, or one that is bound to a key, with the proof of that.
pub(crate) fn token_and_proof(headers: &HeaderMap) -> Result<(&str, Option<&str>), OAuthError> {
    match credential(headers)? {
        (scheme, token) if scheme.eq_ignore_ascii_case("bearer") => Ok((token, None)),
        (scheme, token) if scheme.eq_ignore_ascii_case("dpop") => {
            Ok((token, Some(request::dpop(headers)?.ok_or(OAuthError::ProofMissing)?)))
        }
        _ => Err(OAuthError::InvalidToken),
    }
}

/// By which scheme a token was sent, as far as that can be told.
pub(crate) fn scheme(headers: &HeaderMap) -> Scheme {
    match credential(headers) {
        Ok((scheme, _)) if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => Scheme::Bearer,
    }
}

fn credential(headers: &HeaderMap) -> Result<(&str, &str), OAuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(OAuthError::InvalidToken);
    };
    let value = value.to_str().map_err(|_| OAuthError::InvalidToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(OAuthError::InvalidToken)?;
    Ok((scheme, token.trim_start()))
}
