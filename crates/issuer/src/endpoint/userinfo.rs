//! Who the person behind an access token is (OIDC Core §5.3).

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Issuer,
    error::OAuthError,
    records::claims::claims_of,
    session::browser::SignedIn,
    store::StoreError,
    tokens::{dpop::Proof, verified::Live},
};

impl Issuer {
    /// The verified `token`, and the claims that its scopes cover (OIDC Core §5.4).
    ///
    /// # Errors
    /// [`OAuthError::InvalidToken`] for a token that is not valid, [`OAuthError::Insufficient`] for
    /// one without `openid`.
    pub async fn userinfo(
        &self,
        token: &str,
        proof: Option<&Proof<'_>>,
    ) -> Result<(Arc<Live>, Value), OAuthError> {
        let live = self.verify_shown(token, proof).await?;
        // A token that is only for certain APIs is not valid here (RFC 8707 §2).
        if !live.audience.contains(&self.address().issuer) {
            return Err(OAuthError::InvalidToken);
        }
        if !live.may("openid") {
            return Err(OAuthError::Insufficient("openid"));
        }
        let (id, account) = live.account.as_ref().ok_or(OAuthError::InvalidToken)?;
        let opens = |claim: &str, scope: &str| live.opens(claim, scope);
        let roles =
            if opens(ROLES, ROLES) { Some(self.standing(id, account).await?.roles) } else { None };
        let claims = claims_of(id, account, roles.as_deref(), opens);
        Ok((live, claims))
    }

    /// Everything that is known of a person, for themselves (`docs/contracts/aidbox.md` §11a).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn own_claims(&self, person: SignedIn) -> Result<Value, StoreError> {
        let (id, account) = (person.account_id, Arc::new(person.account));
        let roles = self.standing(&id, &account).await?.roles;
        Ok(claims_of(&id, &account, Some(&roles), |_, _| true))
    }
}

/// The claim of a person's roles, and the scope that covers it.
const ROLES: &str = "roles";
