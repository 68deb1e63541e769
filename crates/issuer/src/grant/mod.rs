//! The grants that the token endpoint serves: one room and one line in the roster each.
//!
//! What surrounds a grant (proving the client, minting, answering) is the conductor's
//! ([`crate::endpoint::token`]), so that no grant can forget it.

mod authorization_code;
mod client_credentials;
mod device_code;
mod refresh_token;

use crate::tokens::mint::Authorized;
use async_trait::async_trait;

use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    records::{Client, Refresh},
    request::params::Params,
    store::StoreError,
};

/// Apps that are read at a time.
const PAGE: usize = 200;

/// The name of the device grant (RFC 8628 §3.4).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// One way to a token.
#[async_trait]
pub trait GrantType: Send + Sync {
    /// The `grant_type` on the wire.
    fn name(&self) -> &'static str;

    /// Whether `client` may use it.
    fn allows(&self, client: &Client) -> bool;

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

/// Every grant that is served.
pub const ROSTER: [&dyn GrantType; 4] = [
    &authorization_code::AuthorizationCode,
    &refresh_token::RefreshToken,
    &client_credentials::ClientCredentials,
    &device_code::DeviceCode,
];

impl Issuer {
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
            let code = client.code.as_ref().and_then(|grant| grant.refresh);
            let device = client.device.as_ref().and_then(|grant| grant.refresh);
            let mut refresh = [code, device].into_iter().flatten();
            let is_endless = |one| self.bounded(one, client).idle_seconds.is_none();
            if found.len() < limit && refresh.any(is_endless) {
                found.push(id.to_owned());
            }
        })
        .await?;
        Ok(found)
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

    async fn each_client(&self, mut look: impl FnMut(&str, &Client)) -> Result<(), StoreError> {
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
