//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4): a device looks whether
//! the person has answered.

use async_trait::async_trait;
use castellan_proto::{Opaque, OpaqueKind};
use serde::Deserialize;
use serde_json::Value;

use super::{DEVICE_CODE, GrantType};
use crate::{
    Issuer,
    authorization::device::{Device, DeviceState},
    client_auth::AuthenticatedClient,
    error::OAuthError,
    grant::settings::{AskedGrant, seconds, show_with_refresh},
    records::{
        Client, Family, GrantName, GrantSettings, TokenFormat, code::code_id, repository::Written,
    },
    request::params::Params,
    tokens::{dependencies::Missing, mint::Authorized},
};

pub(super) struct DeviceCode;

#[async_trait]
impl GrantType for DeviceCode {
    fn name(&self) -> &'static str {
        DEVICE_CODE
    }

    fn begins(&self) -> Option<GrantName> {
        Some(GrantName::DEVICE)
    }

    fn spellings(&self) -> &'static [&'static str] {
        &[SHORT_NAME]
    }

    fn auth_name(&self) -> Option<&'static str> {
        Some(SHORT_NAME)
    }

    fn gives_refresh_tokens(&self) -> bool {
        true
    }

    fn read(&self, asked: &AskedGrant<'_>) -> Result<GrantSettings, String> {
        let written: DeviceDocument = asked.read()?;
        let (idle, longest) =
            (written.refresh_token_expiration, written.refresh_token_max_lifetime);
        let rotation = asked.default_rotation();
        Ok(GrantSettings {
            format: written.token_format.unwrap_or(TokenFormat::Jwt),
            access_seconds: seconds("access_token_expiration", written.access_token_expiration)?,
            audience: written.audience,
            refresh: asked.refresh(written.refresh_token, idle, longest, rotation)?,
            ..GrantSettings::default()
        })
    }

    fn show(&self, settings: &GrantSettings) -> Value {
        show_with_refresh(settings)
    }

    fn needs_secret(&self, client: &Client) -> bool {
        !client.is_public()
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError> {
        let text = params.get("device_code").ok_or(OAuthError::Missing("device_code"))?;
        let code = Opaque::read(OpaqueKind::Device, text).ok_or(OAuthError::CodeNotRedeemable)?;
        let (id, now) = (code_id(&client.id, &code), issuer.now());
        if let Some(stored) = issuer.repository().get::<Device>(&id, now).await? {
            if stored.body.state == DeviceState::Denied {
                return Err(OAuthError::DeviceDenied);
            }
            if now >= stored.body.ends {
                return Err(OAuthError::DeviceExpired);
            }
            if stored.body.state == DeviceState::Waiting {
                let too_often = issuer.poll_intervals().is_too_often(code.digest(), now);
                return Err(if too_often { OAuthError::SlowDown } else { OAuthError::Pending });
            }
        }
        // Answered, so it is used up: of any number of concurrent polls one succeeds.
        let Some((device, first)) = issuer.repository().take::<Device>(&id, now).await? else {
            issuer.end_family_of(&code, &id).await?;
            return Err(OAuthError::CodeNotRedeemable);
        };
        let mut family = Family { code: Some(id), ..family(issuer, client, &device)? };
        if !first {
            // Somebody else has the code too: treated as with authorization codes (RFC 6749
            // §4.1.2).
            let dead = Family { ended: true, ..family };
            issuer.forestall_family(&device.family, &dead).await?;
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
        if issuer.repository().insert(&device.family, &family, now).await? != Written::Done {
            return Err(OAuthError::CodeNotRedeemable);
        }
        issuer.finished_from(params.source().filter(|_| !client.authenticated));
        Ok(Authorized {
            id: device.family,
            family,
            nonce: None,
            id_claims: Vec::new(),
            introduces: true,
        })
    }
}

fn family(
    issuer: &Issuer,
    client: &AuthenticatedClient,
    device: &Device,
) -> Result<Family, OAuthError> {
    let DeviceState::Allowed { account, auth_time, amr, generation, agreement } = &device.state
    else {
        return Err(OAuthError::CodeNotRedeemable);
    };
    let new = issuer.new_family(client, GrantName::DEVICE, device.scope.clone())?;
    Ok(Family {
        account: Some(account.clone()),
        audience: device.resources.clone().unwrap_or_else(|| new.audience.clone()),
        auth_time: Some(*auth_time),
        amr: amr.clone(),
        account_generation: *generation,
        by_consent: !agreement.is_empty(),
        agreement: agreement.clone(),
        ..new
    })
}

/// What documents may call the grant instead of its whole name.
const SHORT_NAME: &str = "device_code";

/// What a document says of the grant.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DeviceDocument {
    token_format: Option<TokenFormat>,
    access_token_expiration: Option<u64>,
    refresh_token: Option<bool>,
    refresh_token_expiration: Option<u64>,
    refresh_token_max_lifetime: Option<u64>,
    audience: Vec<String>,
}
