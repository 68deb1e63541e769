//! Who the person behind an access token is (OIDC Core §5.3).

use serde_json::{Value, json};

use crate::{
    Issuer,
    error::TokenError,
    verify::{Live, VerifyError},
};

impl Issuer {
    /// The client of `token`, and the claims that its scopes open (OIDC Core §5.4).
    ///
    /// # Errors
    /// [`TokenError::InvalidToken`] for a token that does not hold,
    /// [`TokenError::Insufficient`] for one without `openid`.
    pub async fn userinfo(&self, token: &str) -> Result<(String, Value), TokenError> {
        let live = self.verify_access(token).await.map_err(|error| match error {
            VerifyError::Store(error) => TokenError::Store(error),
            VerifyError::Expired | VerifyError::Invalid => TokenError::InvalidToken,
        })?;
        if !live.may("openid") {
            return Err(TokenError::Insufficient("openid"));
        }
        let claims = claims(&live).ok_or(TokenError::InvalidToken)?;
        Ok((live.client_id.clone(), claims))
    }
}

fn claims(live: &Live) -> Option<Value> {
    let (id, account) = live.account.as_ref()?;
    let mut claims = json!({"sub": id});
    if live.may("profile") {
        claims["name"] = json!(account.display_name());
        claims["preferred_username"] = json!(account.user_name);
        if let Some(given) = &account.name.given_name {
            claims["given_name"] = json!(given);
        }
        if let Some(family) = &account.name.family_name {
            claims["family_name"] = json!(family);
        }
    }
    if live.may("email")
        && let Some(email) = account.emails.first()
    {
        claims["email"] = json!(email);
        // Nothing here has checked the address yet.
        claims["email_verified"] = json!(false);
    }
    Some(claims)
}
