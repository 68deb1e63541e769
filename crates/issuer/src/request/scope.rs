//! Scopes that a request narrows.

use castellan_proto::scope::Scopes;

use crate::{error::OAuthError, request::params::Params};

/// The scopes that `params` ask for, within `most`; all of `most` if they ask for none.
pub(crate) fn scope_within(params: &Params, most: &Scopes) -> Result<Scopes, OAuthError> {
    let Some(text) = params.get("scope") else { return Ok(most.clone()) };
    let asked = Scopes::parse(text).map_err(|_| OAuthError::Scope(shorten(text)))?;
    match most.first_uncovered(&asked) {
        None => Ok(asked),
        Some(scope) => Err(OAuthError::Scope(scope.to_string())),
    }
}

/// Enough of a caller's own text to name it.
fn shorten(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(64).collect()
}
