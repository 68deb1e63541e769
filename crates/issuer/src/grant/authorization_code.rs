//! `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.5).

use async_trait::async_trait;
use castellan_proto::{CodeVerifier, Opaque, OpaqueKind, RedirectUri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::GrantType;
use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    grant::settings::{AskedGrant, NOTHING_TO_ROTATE, seconds, show_with_refresh},
    records::{
        Client, Code, Family, GrantName, GrantSettings, Rotation, TokenFormat, code::code_id,
        repository::Written,
    },
    request::params::Params,
    tokens::{dependencies::Missing, mint::Authorized},
};

pub(super) struct AuthorizationCode;

#[async_trait]
impl GrantType for AuthorizationCode {
    fn name(&self) -> &'static str {
        "authorization_code"
    }

    fn begins(&self) -> Option<GrantName> {
        Some(GrantName::AUTHORIZATION_CODE)
    }

    fn spellings(&self) -> &'static [&'static str] {
        &["code"]
    }

    fn document_name(&self, client: &Client) -> &'static str {
        client.profile.code_grant_name()
    }

    fn gives_refresh_tokens(&self) -> bool {
        true
    }

    fn read(&self, asked: &AskedGrant<'_>) -> Result<GrantSettings, String> {
        asked.read::<CodeDocument>()?.settings(asked)
    }

    fn show(&self, settings: &GrantSettings) -> Value {
        let mut shown = show_with_refresh(settings);
        shown["secret_required"] = json!(settings.secret_required);
        shown["pkce"] = json!(settings.pkce);
        if let Some(refresh) = settings.refresh {
            shown["refresh_token_rotation"] = json!(refresh.rotation);
        }
        shown
    }

    fn needs_secret(&self, client: &Client) -> bool {
        let grant = client.grants.get(&GrantName::AUTHORIZATION_CODE);
        grant.is_some_and(|grant| grant.owes_secret(client))
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError> {
        let text = params.get("code").ok_or(OAuthError::Missing("code"))?;
        let code = Opaque::read(OpaqueKind::Code, text).ok_or(OAuthError::CodeNotRedeemable)?;
        // Spent even if the request is refused below: a code that was presented with a mistake is
        // no longer valid.
        let key = code_id(&client.id, &code);
        let Some((code, first)) = issuer.repository().take::<Code>(&key, issuer.now()).await?
        else {
            // Perhaps one that was redeemed so long ago that only its tokens are left.
            issuer.end_family_of(&code, &key).await?;
            return Err(OAuthError::CodeNotRedeemable);
        };
        let mut family = Family { code: Some(key), ..family(issuer, client, &code)? };
        if !first {
            // Somebody else has the code too. What the first redemption issued ends (RFC 6749
            // §4.1.2), and if the first one is still in progress, its insert will find an ended
            // family in its place.
            let dead = Family { ended: true, ..family };
            issuer.forestall_family(&code.family, &dead).await?;
            return Err(OAuthError::CodeNotRedeemable);
        }
        check(&code, params)?;
        if code.jkt.is_some() && code.jkt != client.jkt {
            return Err(OAuthError::CodeNotRedeemable);
        }
        family.narrowed_audience = issuer.narrowed_audience(params, &family)?;
        match issuer.missing(&family, &family.scope).await? {
            None => {}
            Some(Missing::Person) => return Err(OAuthError::UserInactive),
            Some(Missing::Client | Missing::Session | Missing::Consent) => {
                return Err(OAuthError::CodeNotRedeemable);
            }
        }
        match issuer.repository().insert(&code.family, &family, issuer.now()).await? {
            Written::Done => {
                let (id, nonce, id_claims) = (code.family, code.nonce, code.id_claims);
                Ok(Authorized { id, family, nonce, id_claims, introduces: true })
            }
            _ => Err(OAuthError::CodeNotRedeemable),
        }
    }
}

fn check(code: &Code, params: &Params) -> Result<(), OAuthError> {
    if params
        .get("redirect_uri")
        .is_some_and(|uri| RedirectUri::in_ascii(uri) != *code.redirect_uri)
    {
        return Err(OAuthError::CodeNotRedeemable);
    }
    match (&code.challenge, params.get("code_verifier")) {
        (None, None) => Ok(()),
        // A verifier without a challenge: somebody removed the challenge (RFC 9700 §4.8.2).
        (None, Some(_)) => Err(OAuthError::VerifierMismatch),
        (Some(_), None) => Err(OAuthError::VerifierMissing),
        (Some(challenge), Some(text)) => {
            let verifier =
                CodeVerifier::try_from(text).map_err(|_| OAuthError::VerifierMismatch)?;
            if challenge.is_met_by(&verifier) { Ok(()) } else { Err(OAuthError::VerifierMismatch) }
        }
    }
}

fn family(
    issuer: &Issuer,
    client: &AuthenticatedClient,
    code: &Code,
) -> Result<Family, OAuthError> {
    let profile = client.client.profile;
    let new = issuer.new_family(client, GrantName::AUTHORIZATION_CODE, code.scope.clone())?;
    let mut audience = code.resources.clone().unwrap_or_else(|| new.audience.clone());
    if profile.names_client_in_audience() {
        audience.push(client.id.clone());
    }
    Ok(Family {
        account: Some(code.account.clone()),
        audience,
        ends_previous: profile.refresh_ends_previous(),
        auth_time: Some(code.auth_time),
        amr: code.amr.clone(),
        account_generation: code.account_generation,
        client_generation: code.client_generation,
        sid: code.sid.clone(),
        beyond_scopes: code.beyond_scopes.clone(),
        by_consent: code.by_consent,
        agreement: code.agreement.clone(),
        ..new
    })
}

/// What a document says of the grant.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CodeDocument {
    pub(crate) redirect_uri: Option<RedirectUri>,
    pub(crate) secret_required: Option<bool>,
    pkce: Option<bool>,
    pub(crate) token_format: Option<TokenFormat>,
    access_token_expiration: Option<u64>,
    refresh_token: Option<bool>,
    refresh_token_expiration: Option<u64>,
    refresh_token_max_lifetime: Option<u64>,
    pub(crate) refresh_token_rotation: Option<Rotation>,
    audience: Vec<String>,
}

impl CodeDocument {
    fn settings(self, asked: &AskedGrant<'_>) -> Result<GrantSettings, String> {
        let secret_required = self.secret_required.unwrap_or(asked.has_secret);
        let pkce = self.pkce.unwrap_or(!asked.has_secret);
        if secret_required && !asked.has_secret {
            return Err("secret_required needs a secret".to_owned());
        }
        if !secret_required && !pkce {
            return Err(
                "without secret_required and pkce, anyone could redeem the codes of this client: set one of them"
                    .to_owned(),
            );
        }
        let rotation = self.refresh_token_rotation.or(asked.rotation);
        let rotation = rotation.unwrap_or_else(|| asked.default_rotation());
        let (idle, longest) = (self.refresh_token_expiration, self.refresh_token_max_lifetime);
        let refresh = asked.refresh(self.refresh_token, idle, longest, rotation)?;
        if refresh.is_none() && self.refresh_token_rotation.is_some() {
            return Err(NOTHING_TO_ROTATE.to_owned());
        }
        Ok(GrantSettings {
            format: self.token_format.unwrap_or_else(|| asked.profile.default_format()),
            access_seconds: seconds("access_token_expiration", self.access_token_expiration)?,
            audience: self.audience,
            refresh,
            secret_required: Some(secret_required),
            pkce: Some(pkce),
        })
    }
}
