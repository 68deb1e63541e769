//! The token endpoint without HTTP: prove the client, let one grant play its part, mint.

use castellan_proto::Secret;

use crate::{
    Issuer, client_auth::ClientProof, error::TokenError, grant::ROSTER, mint::TokenAnswer,
    params::Params,
};

impl Issuer {
    /// Answers a token request (RFC 6749 §3.2).
    ///
    /// # Errors
    /// [`TokenError`] saying what is wrong with it.
    pub async fn token(
        &self,
        params: &Params,
        basic: Option<(String, Secret)>,
    ) -> Result<TokenAnswer, TokenError> {
        let name = params.get("grant_type").ok_or(TokenError::Missing("grant_type"))?;
        let grant = ROSTER
            .into_iter()
            .find(|grant| grant.name() == name)
            .ok_or(TokenError::UnknownGrant)?;
        let proof = ClientProof::read(params, basic)?;
        let by_basic = matches!(proof, ClientProof::Basic(..));
        let client = self.prove_client(proof).await?;
        if grant.needs_secret(&client.client) && !client.authenticated {
            return Err(TokenError::InvalidClient { basic: by_basic });
        }
        if !grant.allows(&client.client) {
            return Err(TokenError::GrantNotAllowed);
        }
        let authorized = grant.redeem(self, &client, params).await?;
        self.mint(&client, authorized).await
    }
}
