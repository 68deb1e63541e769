//! Clients that call APIs with their secret itself (`docs/contracts/aidbox.md` §2.1, `basic`).

use crate::{
    Issuer,
    client_auth::{AuthenticatedClient, BasicAuth, ClientCredentials, is_generated},
    error::OAuthError,
    request::source::Source,
    store::Kind,
};

impl Issuer {
    /// The client that `Authorization: Basic` at an API shows: `id` with its secret, and with `basic`
    /// among its grant types. The guess at the secret is counted as at the token endpoint.
    ///
    /// # Errors
    /// [`OAuthError::InvalidClient`] if it is unknown, inactive, showed a wrong secret or none, or
    /// may not call so: one answer for all of them. [`OAuthError::Throttled`] as from
    /// [`Issuer::authenticate_client`].
    pub async fn client_at_api(
        &self,
        BasicAuth { client_id: id, secret }: BasicAuth,
        source: Option<Source>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let shown = || ClientCredentials::Basic(id.clone(), secret.clone());
        let proven = self.authenticate_client(shown(), source).await?;
        if may_call(&proven) {
            return Ok(proven);
        }
        // It may call by now. The secret was right, so that no second guess is counted.
        self.fresh(&[self.repository().key(Kind::Client, &id)]).await?;
        let proven = self.prove_uncounted(shown(), is_generated(&secret)).await?;
        if may_call(&proven) {
            return Ok(proven);
        }
        Err(OAuthError::InvalidClient { basic: true })
    }
}

/// Whether `proven` showed a secret, not just its name, and may call APIs with it.
fn may_call(proven: &AuthenticatedClient) -> bool {
    proven.authenticated && proven.client.basic
}
