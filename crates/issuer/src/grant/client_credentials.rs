//! `grant_type=client_credentials` (RFC 6749 §4.4): a client acts for itself.

use async_trait::async_trait;

use super::{GrantType, authorization_code::audience};
use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    records::{Client, Family, Origin, TokenProfile, repository::Written},
    request::{params::Params, resource::resources_within, scope::scope_within},
    store::StoreError,
    tokens::{family::new_id, mint::Authorized},
};

pub(super) struct ClientCredentials;

#[async_trait]
impl GrantType for ClientCredentials {
    fn name(&self) -> &'static str {
        "client_credentials"
    }

    fn allows(&self, client: &Client) -> bool {
        client.machine.is_some() && !client.is_public()
    }

    fn needs_secret(&self, _: &Client) -> bool {
        true
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError> {
        let grant = client.client.machine.as_ref().ok_or(OAuthError::GrantNotAllowed)?;
        let scope = scope_within(params, &client.client.scope)?;
        let now = issuer.now();
        let access_seconds =
            grant.access_seconds.unwrap_or_else(|| issuer.settings().access_token.get().as_secs());
        let named = resources_within(params, &issuer.targets(&grant.audience))?;
        let audience = named.unwrap_or_else(|| audience(issuer, &grant.audience));
        let mut family = Family {
            client: client.id.clone(),
            account: None,
            origin: Origin::ClientCredentials,
            scope,
            narrowed: None,
            audience,
            narrowed_audience: None,
            generation: 0,
            access_generation: 0,
            opaque_from: 0,
            renewed: now,
            ends_previous: false,
            access_seconds,
            refresh: None,
            auth_time: None,
            sid: None,
            profile: TokenProfile::Standard,
            jkt: client.jkt.clone(),
            by_consent: false,
            agreement: String::new(),
            ended: false,
            created: now,
            ends: None,
        };
        family.ends = family.useful_until(now);
        let id = new_id(now);
        match issuer.repository().insert(&id, &family, now).await? {
            Written::Done => {
                Ok(Authorized { id, family, nonce: None, id_claims: Vec::new(), introduces: false })
            }
            _ => Err(StoreError::new("a newly generated family id was already in use").into()),
        }
    }
}
