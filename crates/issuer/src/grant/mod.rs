//! The grants that the token endpoint serves: one room and one line in the roster each.
//!
//! What surrounds a grant (proving the client, minting, answering) is the conductor's
//! ([`crate::endpoint::token`]), so that no grant can forget it.

mod authorization_code;
mod client_credentials;
mod device_code;
mod password;
mod refresh_token;
pub mod settings;

use async_trait::async_trait;
use castellan_proto::scope::Scopes;
use serde_json::Value;

use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    grant::settings::AskedGrant,
    records::{Amr, BeyondScopes, Client, Family, GrantName, GrantSettings, Refresh},
    request::params::Params,
    settings::registration::REGISTER,
    store::StoreError,
    tokens::mint::Authorized,
};

pub(crate) use authorization_code::CodeDocument;

/// Apps that are read at a time.
const PAGE: usize = 200;

/// The name of the device grant (RFC 8628 §3.4).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// One way to a token.
#[async_trait]
pub trait GrantType: Send + Sync {
    /// The `grant_type` on the wire.
    fn name(&self) -> &'static str;

    /// The name that records have for the families that it starts, and for its settings of a
    /// client; `None` if it continues families of other grants.
    fn begins(&self) -> Option<GrantName>;

    /// What documents may name it in `grant_types` besides.
    fn spellings(&self) -> &'static [&'static str] {
        &[]
    }

    /// What the document of `client` names it in `grant_types`.
    fn document_name(&self, _client: &Client) -> &'static str {
        self.name()
    }

    /// What its settings are called in `auth` of documents; none if it has no settings.
    fn auth_name(&self) -> Option<&'static str> {
        self.begins().map(|_| self.name())
    }

    /// Whether it can issue refresh tokens.
    fn gives_refresh_tokens(&self) -> bool {
        false
    }

    /// Reads its settings from the document of a client.
    ///
    /// # Errors
    /// What is wrong with them, naming the member.
    fn read(&self, _asked: &AskedGrant<'_>) -> Result<GrantSettings, String> {
        Ok(GrantSettings::default())
    }

    /// Its settings as documents have them.
    fn show(&self, settings: &GrantSettings) -> Value {
        settings::show(settings)
    }

    /// Whether `client` may use it.
    fn allows(&self, client: &Client) -> bool {
        self.begins().is_some_and(|name| client.grants.has(&name))
    }

    /// Whether the client must have shown its secret.
    fn needs_secret(&self, client: &Client) -> bool;

    /// Checks what was sent and writes the family, or its next generation.
    ///
    /// # Errors
    /// [`OAuthError`] saying what is wrong; a one-time thing that was shown is spent even so.
    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError>;
}

/// The grants that an issuer serves.
pub type Roster = &'static [&'static dyn GrantType];

/// Every grant that is served unless [`Issuer::serving`] says otherwise.
pub const ROSTER: Roster = &[
    &authorization_code::AuthorizationCode,
    &refresh_token::RefreshToken,
    &client_credentials::ClientCredentials,
    &device_code::DeviceCode,
    &password::Password,
];

impl Issuer {
    /// A family of the grant `origin` with the settings of `client`: without a person yet, for
    /// every guard of this server, which its issuer identifier stands for, and for the audiences
    /// that the settings name.
    ///
    /// # Errors
    /// [`OAuthError::GrantNotAllowed`] if the client may not use the grant.
    pub fn new_family(
        &self,
        client: &AuthenticatedClient,
        origin: GrantName,
        scope: Scopes,
    ) -> Result<Family, OAuthError> {
        let grant = client.client.grants.get(&origin).ok_or(OAuthError::GrantNotAllowed)?;
        let (now, profile) = (self.now(), client.client.profile);
        let mut audience = vec![self.address().issuer.clone()];
        audience.extend(grant.audience.iter().cloned());
        let mut family = Family {
            client: client.id.clone(),
            account: None,
            registrant: None,
            origin,
            scope,
            narrowed: None,
            audience,
            narrowed_audience: None,
            generation: 0,
            access_generation: 0,
            opaque_from: 0,
            renewed: now,
            ends_previous: false,
            access_seconds: grant
                .access_seconds
                .unwrap_or_else(|| self.settings().access_seconds(profile)),
            refresh: grant.refresh.map(|refresh| self.bounded(refresh, &client.client)),
            auth_time: None,
            amr: Amr::default(),
            sid: None,
            profile,
            jkt: client.jkt.clone(),
            beyond_scopes: BeyondScopes::default(),
            code: None,
            by_consent: false,
            agreement: String::new(),
            account_generation: 0,
            client_generation: client.client.generation,
            ended: false,
            ended_at: None,
            created: now,
            ends: None,
        };
        family.ends = family.useful_until(now);
        Ok(family)
    }

    /// `refresh` within the server's bounds. Where the client's profile has no default, tokens without a
    /// number do not expire, unless the server has a longest time for all.
    fn bounded(&self, refresh: Refresh, client: &Client) -> Refresh {
        let settings = self.settings();
        let has_default = !client.profile.refresh_has_no_default_end();
        let ours = has_default.then(|| settings.refresh_idle.get().as_secs());
        let longest = settings.refresh_longest.map(|longest| longest.get().as_secs());
        let idle = refresh.idle_seconds.or(ours);
        let idle_seconds = match (idle, longest) {
            (Some(idle), Some(longest)) => Some(idle.min(longest)),
            (idle, longest) => idle.or(longest),
        };
        Refresh { idle_seconds, ..refresh }
    }

    /// Ids of the apps whose refresh tokens do not expire, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn apps_without_end(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        self.each_client(|id, client| {
            let mut refresh = client.grants.settings().filter_map(|grant| grant.refresh);
            let is_endless = |one: Refresh| {
                one.longest_seconds.is_none() && self.bounded(one, client).idle_seconds.is_none()
            };
            if found.len() < limit && refresh.any(is_endless) {
                found.push(id.to_owned());
            }
        })
        .await?;
        Ok(found)
    }

    /// Whether a client has the scope by which clients are registered.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn has_registrant(&self) -> Result<bool, StoreError> {
        let mut has = false;
        self.each_client(|_, client| has |= client.scope.has_name(REGISTER)).await?;
        Ok(has)
    }

    /// Seconds that the longest access token of any client lives.
    pub(crate) async fn longest_access(&self) -> Result<u64, StoreError> {
        let mut longest = self.settings().longest_default_access();
        self.each_client(|_, client| {
            longest = longest.max(client.longest_access());
        })
        .await?;
        Ok(longest)
    }

    pub(crate) async fn each_client(
        &self,
        mut look: impl FnMut(&str, &Client),
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.repository().page::<Client>("", after, PAGE, self.now()).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id.clone());
            for stored in &page {
                look(&stored.id, &stored.body);
            }
        }
    }
}
