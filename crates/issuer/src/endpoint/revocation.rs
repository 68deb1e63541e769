//! Revocation (RFC 7009) and introspection (RFC 7662).

use castellan_proto::OpaqueKind;

use crate::{
    Issuer,
    client_auth::{AuthenticatedClient, BasicAuth, ClientCredentials},
    endpoint::introspection::Introspection,
    error::OAuthError,
    request::params::Params,
    store::StoreError,
    tokens::{
        claims::AccessClaims,
        verified::{Holder, VerifyError},
    },
};

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The token is no longer valid; perhaps it never was.
    Over,
    /// The token belongs to another client and was left unchanged.
    NotYours,
}

impl Issuer {
    /// Ends the family of the token shown, be it an access or a refresh token. A token that is
    /// unknown, or another client's, changes nothing.
    ///
    /// # Errors
    /// [`OAuthError`] if the client is not proven or the store fails; then nothing is promised.
    pub async fn revoke(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
    ) -> Result<Revoked, OAuthError> {
        let client = self.authenticate_caller(params, basic).await?;
        let token = params.get("token").ok_or(OAuthError::Missing("token"))?;
        let Some(id) = self.family_of(token) else {
            // A JWT of a person belongs to no client: whoever holds it may end it.
            self.end_person_token(token).await?;
            return Ok(Revoked::Over);
        };
        match self.family(&id).await? {
            Some(stored) if stored.body.client != client.id => Ok(Revoked::NotYours),
            _ => {
                self.end_family(&id).await?;
                Ok(Revoked::Over)
            }
        }
    }

    /// The answer about a token (RFC 7662 §2.2). A token that is not valid, or that the caller may
    /// not ask about, is `active: false` and nothing else.
    ///
    /// # Errors
    /// [`OAuthError`] if the caller is not a confidential client, or the store fails.
    pub async fn introspect(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
    ) -> Result<Introspection, OAuthError> {
        let caller = self.prove_introspector(params, basic).await?;
        self.look_into(&caller, params).await
    }

    /// The authenticated client that asks about a token.
    pub(crate) async fn prove_introspector(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let by_basic = basic.is_some();
        let caller = self.authenticate_caller(params, basic).await?;
        if !caller.authenticated {
            return Err(OAuthError::InvalidClient { basic: by_basic });
        }
        Ok(caller)
    }

    /// What is known about the token in `params`, for `caller`. Whether the token concerns the
    /// caller is checked last, so that the refusal takes the same time for tokens of others as the
    /// answer for the caller's own (`docs/rules.md` rule 38a).
    pub(crate) async fn look_into(
        &self,
        caller: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Introspection, OAuthError> {
        let token = params.get("token").ok_or(OAuthError::Missing("token"))?;
        let inactive = Introspection::Inactive;
        let iss = || self.address().issuer.clone();
        if let Some(family_token) = self.read_family_token(OpaqueKind::Refresh, token) {
            let now = self.now();
            let Some(stored) = self.family(&family_token.family).await? else {
                return Ok(inactive);
            };
            let family = stored.body;
            let good = !family.ended
                && family_token.generation == family.generation
                && !family.refresh_is_over(now);
            if !good || self.missing(&family, &family.scope).await?.is_some() {
                return Ok(inactive);
            }
            // A refresh token is for this server, whatever its access tokens are for.
            if !caller.client.is_concerned(&caller.id, &family.client, &[]) {
                return Ok(inactive);
            }
            return Ok(Introspection::Refresh(iss(), Box::new(family)));
        }
        match self.verify_access(token, Holder::Asks).await {
            Ok(live)
                if !caller.client.is_concerned(&caller.id, &live.client_id, &live.audience) =>
            {
                Ok(inactive)
            }
            Ok(live) => Ok(Introspection::Access(iss(), live)),
            Err(VerifyError::Store(error)) => Err(error.into()),
            Err(_) => Ok(inactive),
        }
    }

    pub(crate) async fn authenticate_caller(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let proof = ClientCredentials::read(params, basic)?;
        let by_basic = matches!(proof, ClientCredentials::Basic(..));
        let client = self.authenticate_client(proof, params.source()).await?;
        if !client.client.is_public() && !client.authenticated {
            return Err(OAuthError::InvalidClient { basic: by_basic });
        }
        Ok(client)
    }

    /// The family that a token belongs to, if the token was issued here; also for an expired one,
    /// so that revoking a late access token ends its refresh token.
    fn family_of(&self, token: &str) -> Option<String> {
        let family_token = self
            .read_family_token(OpaqueKind::Refresh, token)
            .or_else(|| self.read_family_token(OpaqueKind::Access, token));
        if let Some(family_token) = family_token {
            return Some(family_token.family);
        }
        let claims: AccessClaims = self.proven_claims(token)?;
        claims.family().map(ToOwned::to_owned)
    }

    /// Ends the family of an access token of the client `client`, even if the token has expired or
    /// been revoked. `false` if it was not issued here, or not to that client.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; then nothing is promised.
    pub async fn end_token_of(&self, client: &str, token: &str) -> Result<bool, StoreError> {
        let family_token = self
            .read_family_token(OpaqueKind::Access, token)
            .map(|family_token| family_token.family);
        let claims = self.proven_claims(token);
        let claimed = claims.as_ref().map(|claims| &*claims.client_id);
        let named = || claims.as_ref().and_then(AccessClaims::family).map(ToOwned::to_owned);
        let Some(id) = family_token.or_else(named) else { return Ok(false) };
        let family = self.family(&id).await?;
        if family.as_ref().map(|stored| &*stored.body.client).or(claimed) != Some(client) {
            return Ok(false);
        }
        self.end_family(&id).await?;
        Ok(true)
    }
}
