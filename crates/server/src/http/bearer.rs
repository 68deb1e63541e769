//! The bearer token of a request to one of our own endpoints (RFC 6750 §2.1).

use axum::http::{HeaderMap, header};
use castellan_issuer::error::TokenError;

/// The one token of the one `Authorization` header.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, TokenError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(TokenError::InvalidToken);
    };
    let value = value.to_str().map_err(|_| TokenError::InvalidToken)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_start()),
        _ => Err(TokenError::InvalidToken),
    }
}
