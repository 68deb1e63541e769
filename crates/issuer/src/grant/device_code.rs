//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4): a device looks whether
//! the person has answered.

use async_trait::async_trait;
use castellan_proto::{Opaque, OpaqueKind};

use super::{DEVICE_CODE, GrantType, authorization_code::audience};
use crate::{
    Issuer,
    authorization::device::{Device, DeviceState},
    client_auth::AuthenticatedClient,
    error::OAuthError,
    records::{Client, Family, Origin, TokenProfile, code::code_id, repository::Written},
    request::params::Params,
    tokens::{dependencies::Missing, mint::Authorized},
};

pub(super) struct DeviceCode;

#[async_trait]
impl GrantType for DeviceCode {
    fn name(&self) -> &'static str {
        DEVICE_CODE
    }

    fn allows(&self, client: &Client) -> bool {
        client.device.is_some()
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
        // Answered, so it is used up: of any number of looks at once one goes on.
        let taken = issuer.repository().take::<Device>(&id, now).await?;
        let (device, first) = taken.ok_or(OAuthError::CodeNotRedeemable)?;
        let mut family = family(issuer, client, &device)?;
        if !first {
            // Somebody else has it too: as with codes (RFC 6749 §4.1.2).
            let dead = Family { ended: true, ..family };
            issuer.forestall_family(&device.family, &dead).await?;
            return Err(OAuthError::CodeNotRedeemable);
        }
        family.narrowed_audience = issuer.narrowed_audience(params, &family)?;
        match issuer.missing(&family, &family.scope).await? {
            None => {}
            Some(Missing::Person) => return Err(OAuthError::UserInactive),
            Some(Missing::Client | Missing::Consent) => return Err(OAuthError::CodeNotRedeemable),
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
    let grant = client.client.device.as_ref().ok_or(OAuthError::GrantNotAllowed)?;
    let DeviceState::Allowed { account, auth_time, agreement } = &device.state else {
        return Err(OAuthError::CodeNotRedeemable);
    };
    let (now, named) = (issuer.now(), device.resources.clone());
    let mut family = Family {
        client: client.id.clone(),
        account: Some(account.clone()),
        origin: Origin::Device,
        scope: device.scope.clone(),
        narrowed: None,
        audience: named.unwrap_or_else(|| audience(issuer, &grant.audience)),
        narrowed_audience: None,
        generation: 0,
        access_generation: 0,
        opaque_from: 0,
        renewed: now,
        ends_previous: false,
        access_seconds: grant
            .access_seconds
            .unwrap_or_else(|| issuer.settings().access_token.get().as_secs()),
        refresh: grant.refresh.map(|refresh| issuer.bounded(refresh, &client.client)),
        auth_time: Some(*auth_time),
        sid: None,
        profile: TokenProfile::Standard,
        jkt: client.jkt.clone(),
        by_consent: !agreement.is_empty(),
        agreement: agreement.clone(),
        ended: false,
        created: now,
        ends: None,
    };
    family.ends = family.useful_until(now);
    Ok(family)
}
