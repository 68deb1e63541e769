//! `grant_type=client_credentials` (RFC 6749 §4.4): a client acts for itself.

use async_trait::async_trait;
use serde::Deserialize;

use super::GrantType;
use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    grant::settings::{AskedGrant, seconds},
    records::{Account, Client, GrantName, GrantSettings, TokenFormat, repository::Written},
    request::{params::Params, resource::resources_within, scope::scope_within},
    store::StoreError,
    tokens::{dependencies::is_registrant, family::new_id, mint::Authorized},
};

pub(super) struct ClientCredentials;

#[async_trait]
impl GrantType for ClientCredentials {
    fn name(&self) -> &'static str {
        "client_credentials"
    }

    fn begins(&self) -> Option<GrantName> {
        Some(GrantName::CLIENT_CREDENTIALS)
    }

    fn read(&self, asked: &AskedGrant<'_>) -> Result<GrantSettings, String> {
        if !asked.has_secret {
            return Err("client_credentials needs a secret".to_owned());
        }
        let written: MachineDocument = asked.read()?;
        Ok(GrantSettings {
            format: written.token_format.unwrap_or(TokenFormat::Jwt),
            access_seconds: seconds("access_token_expiration", written.access_token_expiration)?,
            audience: written.audience,
            ..GrantSettings::default()
        })
    }

    fn allows(&self, client: &Client) -> bool {
        client.grants.has(&GrantName::CLIENT_CREDENTIALS) && !client.is_public()
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
        let name = GrantName::CLIENT_CREDENTIALS;
        let grant = client.client.grants.get(&name).ok_or(OAuthError::GrantNotAllowed)?;
        let scope = scope_within(params, &client.client.scope)?;
        let named = resources_within(params.resources(), &issuer.targets(&grant.audience))?;
        let mut family = issuer.new_family(client, name, scope)?;
        if let Some(named) = named {
            family.audience = named;
        }
        let now = issuer.now();
        let registration = client.client.registration.as_ref();
        if let Some(id) = registration.and_then(|one| one.account.as_ref()) {
            let found = issuer.repository().get::<Account>(id, now).await?;
            let person = found.map(|stored| stored.body).ok_or(OAuthError::RegistrantGone)?;
            if !is_registrant(&person, &client.client, person.generation) {
                return Err(OAuthError::RegistrantGone);
            }
            family.registrant = Some(id.clone());
            family.account_generation = person.generation;
        }
        let id = new_id(now);
        match issuer.repository().insert(&id, &family, now).await? {
            Written::Done => {
                Ok(Authorized { id, family, nonce: None, id_claims: Vec::new(), introduces: false })
            }
            _ => Err(StoreError::new("a newly generated family id was already in use").into()),
        }
    }
}

/// What a document says of the grant.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MachineDocument {
    token_format: Option<TokenFormat>,
    access_token_expiration: Option<u64>,
    audience: Vec<String>,
}
