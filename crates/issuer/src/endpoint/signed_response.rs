//! Responses as signed JWTs, for clients that have to show them to somebody else: userinfo (OIDC
//! Core §5.3.2) and introspection (RFC 9701). Each is signed with keys of its own, so that neither
//! can pass for an ID token.

use castellan_proto::jose::Algorithm;
use serde_json::{Value, json};

use crate::{
    Issuer,
    client_auth::{AuthenticatedClient, BasicAuth},
    error::OAuthError,
    keys::KeyUse,
    request::params::Params,
    tokens::dpop::Proof,
};

/// Claims about a person, in the form that the app has configured.
pub enum UserInfo {
    /// A JSON object.
    Plain(Value),
    /// A signed JWT.
    Signed(String),
}

/// The algorithm of an introspection answer if the app does not say (RFC 9701 §6).
const DEFAULT: Algorithm = Algorithm::Rs256;

impl Issuer {
    /// The client of `token`, and who the person is, signed if that client wants it so.
    ///
    /// # Errors
    /// Those of [`Issuer::userinfo`].
    pub async fn userinfo_as_wanted(
        &self,
        token: &str,
        proof: Option<&Proof<'_>>,
    ) -> Result<(String, UserInfo), OAuthError> {
        let (live, mut claims) = self.userinfo(token, proof).await?;
        let client = live.client_id.clone();
        let Some(algorithm) = live.client.userinfo_alg else {
            return Ok((client, UserInfo::Plain(claims)));
        };
        claims["iss"] = json!(self.address().issuer);
        claims["aud"] = json!(client);
        let jwt = self.sign(KeyUse::Userinfo.with(algorithm), "JWT", &claims).await?;
        Ok((client, UserInfo::Signed(jwt)))
    }

    /// The answer about a token, signed for the client that asks (RFC 9701 §5).
    ///
    /// # Errors
    /// Those of [`Issuer::introspect`].
    pub async fn introspect_signed(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
    ) -> Result<String, OAuthError> {
        let caller = self.prove_introspector(params, basic).await?;
        let answer = self.look_into(&caller, params).await?;
        let AuthenticatedClient { id, client, .. } = caller;
        let claims = json!({
            "iss": self.address().issuer,
            "aud": id,
            "iat": self.now(),
            "token_introspection": answer,
        });
        let kind = KeyUse::Introspection.with(client.introspection_alg.unwrap_or(DEFAULT));
        Ok(self.sign(kind, "token-introspection+jwt", &claims).await?)
    }
}
