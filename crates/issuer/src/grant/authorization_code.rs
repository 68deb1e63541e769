//! `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.5).

use async_trait::async_trait;
use castellan_proto::{CodeVerifier, Opaque, OpaqueKind};

use super::GrantType;
use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    records::{Client, Code, Family, Origin, code::code_id, repository::Written},
    request::params::Params,
    tokens::{dependencies::Missing, mint::Authorized},
};

pub(super) struct AuthorizationCode;

#[async_trait]
impl GrantType for AuthorizationCode {
    fn name(&self) -> &'static str {
        "authorization_code"
    }

    fn allows(&self, client: &Client) -> bool {
        client.code.is_some()
    }

    fn needs_secret(&self, client: &Client) -> bool {
        client.code.as_ref().is_some_and(|grant| grant.secret_required)
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError> {
        let text = params.get("code").ok_or(OAuthError::Missing("code"))?;
        let code = Opaque::read(OpaqueKind::Code, text).ok_or(OAuthError::CodeNotRedeemable)?;
        // Spent even if refused below: a code somebody fumbled with is worth nothing any more.
        let taken =
            issuer.repository().take::<Code>(&code_id(&client.id, &code), issuer.now()).await?;
        let (code, first) = taken.ok_or(OAuthError::CodeNotRedeemable)?;
        let mut family = family(issuer, client, &code)?;
        if !first {
            // Somebody else has it too. What the first one got ends (RFC 6749 §4.1.2), and if the
            // first one is not done yet, its insert will find a dead family in its place.
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
            Some(Missing::Client | Missing::Consent) => return Err(OAuthError::CodeNotRedeemable),
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
    if params.get("redirect_uri").is_some_and(|uri| uri != code.redirect_uri) {
        return Err(OAuthError::CodeNotRedeemable);
    }
    match (&code.challenge, params.get("code_verifier")) {
        (None, None) => Ok(()),
        // No challenge and yet a verifier: somebody took the challenge out (RFC 9700 §4.8.2).
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
    let grant = client.client.code.as_ref().ok_or(OAuthError::GrantNotAllowed)?;
    let now = issuer.now();
    let profile = client.client.profile;
    let named = code.resources.clone();
    let mut audience = named.unwrap_or_else(|| audience(issuer, &grant.audience));
    if profile.names_client_in_audience() {
        audience.push(client.id.clone());
    }
    let mut family = Family {
        client: client.id.clone(),
        account: Some(code.account.clone()),
        origin: Origin::AuthorizationCode,
        scope: code.scope.clone(),
        narrowed: None,
        audience,
        narrowed_audience: None,
        generation: 0,
        access_generation: 0,
        opaque_from: 0,
        renewed: now,
        ends_previous: profile.refresh_ends_previous(),
        access_seconds: grant
            .access_seconds
            .unwrap_or_else(|| issuer.settings().access_seconds(profile)),
        refresh: grant.refresh.map(|refresh| issuer.bounded(refresh, &client.client)),
        auth_time: Some(code.auth_time),
        sid: code.sid.clone(),
        profile,
        jkt: client.jkt.clone(),
        by_consent: code.by_consent,
        agreement: code.agreement.clone(),
        ended: false,
        created: now,
        ends: None,
    };
    family.ends = family.useful_until(now);
    Ok(family)
}

/// Every guard of this server, which its issuer identifier names, and whoever else is meant.
pub(super) fn audience(issuer: &Issuer, also: &[String]) -> Vec<String> {
    std::iter::once(issuer.address().issuer.clone()).chain(also.iter().cloned()).collect()
}
