//! Who the person behind an access token is (OIDC Core §5.3).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    Issuer,
    error::OAuthError,
    records::Account,
    tokens::{dpop::Proof, verify::Live},
};

impl Issuer {
    /// What `token` rests on, and the claims that its scopes open (OIDC Core §5.4).
    ///
    /// # Errors
    /// [`OAuthError::InvalidToken`] for a token that does not hold,
    /// [`OAuthError::Insufficient`] for one without `openid`.
    pub async fn userinfo(
        &self,
        token: &str,
        proof: Option<&Proof<'_>>,
    ) -> Result<(Arc<Live>, Value), OAuthError> {
        let live = self.verify_shown(token, proof).await?;
        // A token that is for some APIs alone is none here (RFC 8707 §2).
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

fn claims(live: &Live) -> Option<Value> {
    let (id, account) = live.account.as_ref()?;
    Some(claims_of(id, account, |name| live.may(name)))
}

/// What `account` is to whoever has the scopes that `may` says (OIDC Core §5.4).
pub(crate) fn claims_of(id: &str, account: &Account, may: impl Fn(&str) -> bool) -> Value {
    let mut claims = json!({"sub": id});
    if may("profile") {
        claims["name"] = json!(account.display_name());
        claims["preferred_username"] = json!(account.user_name);
        if let Some(given) = &account.name.given_name {
            claims["given_name"] = json!(given);
        }
        if let Some(family) = &account.name.family_name {
            claims["family_name"] = json!(family);
        }
    }
    if may("email")
        && let Some(email) = account.emails.first()
    {
        claims["email"] = json!(email);
        // Nothing here has checked the address yet.
        claims["email_verified"] = json!(false);
    }
    claims
}
