//! The grants that the token endpoint serves: one room and one line in the roster each.
//!
//! What surrounds a grant (proving the client, minting, answering) is the conductor's
//! ([`crate::token`]), so that no grant can forget it.

mod authorization_code;
mod client_credentials;
mod refresh_token;

use async_trait::async_trait;
use castellan_proto::scope::Scopes;

use crate::{
    Issuer,
    client_auth::Proven,
    error::TokenError,
    params::Params,
    records::{Client, Family},
};

/// One way to a token.
#[async_trait]
pub trait GrantType: Send + Sync {
    /// The `grant_type` on the wire.
    fn name(&self) -> &'static str;

    /// Whether `client` may use it.
    fn allows(&self, client: &Client) -> bool;

    /// Whether the client must have shown its secret.
    fn needs_secret(&self, client: &Client) -> bool;

    /// Checks what was sent and writes the family, or its next generation.
    ///
    /// # Errors
    /// [`TokenError`] saying what is wrong; a one-time thing that was shown is spent even so.
    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &Proven,
        params: &Params,
    ) -> Result<Authorized, TokenError>;
}

/// What a grant came to.
pub struct Authorized {
    /// The family's id.
    pub id: String,
    /// The family as it is written.
    pub family: Family,
    /// For the ID token, if there is to be one.
    pub nonce: Option<String>,
    /// The person is new to this token: an ID token and `userinfo` belong in the answer.
    pub introduces: bool,
}

/// Every grant that is served.
pub const ROSTER: [&dyn GrantType; 3] = [
    &authorization_code::AuthorizationCode,
    &refresh_token::RefreshToken,
    &client_credentials::ClientCredentials,
];

/// The scopes that `params` ask for, within `most`; all of `most` if they ask for none.
fn scope_within(params: &Params, most: &Scopes) -> Result<Scopes, TokenError> {
    let Some(text) = params.get("scope") else { return Ok(most.clone()) };
    let asked = Scopes::parse(text).map_err(|_| TokenError::Scope(shorten(text)))?;
    match most.first_uncovered(&asked) {
        None => Ok(asked),
        Some(scope) => Err(TokenError::Scope(scope.to_string())),
    }
}

/// Enough of a caller's own text to name it.
fn shorten(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(64).collect()
}
