//! Who the person behind an access token is (OIDC Core §5.3).

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Issuer,
    error::OAuthError,
    records::account::claims_of,
    session::browser::SignedIn,
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
        let claims = claims(&live).ok_or(OAuthError::InvalidToken)?;
        Ok((live, claims))
    }
}

impl SignedIn {
    /// Everything that is known of the person, for themselves (`docs/contracts/aidbox.md` §11a).
    #[must_use]
    pub fn claims(&self) -> Value {
        claims_of(&self.account_id, &self.account, |_, _| true)
    }
}

fn claims(live: &Live) -> Option<Value> {
    let (id, account) = live.account.as_ref()?;
    Some(claims_of(id, account, |claim, scope| live.opens(claim, scope)))
}
