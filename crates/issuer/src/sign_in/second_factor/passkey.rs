//! A passkey, after another way to sign in.

use async_trait::async_trait;
use castellan_proto::Timestamp;
use serde_json::Value;

use super::SecondFactor;
use crate::{
    Issuer,
    error::OAuthError,
    language::Text,
    records::{Account, Amr, acr, repository::Versioned},
    request::params::Params,
    session::browser::Browser,
    sign_in::{
        Field,
        by_passkey::{NAME, PROBLEM, RESPONSE, challenge},
    },
};

/// What an authenticator unlocks.
pub(super) struct PasskeyFactor;

#[async_trait]
impl SecondFactor for PasskeyFactor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn acr(&self) -> &'static str {
        acr::PASSKEY
    }

    fn description(&self) -> &'static str {
        "Passkey"
    }

    fn amr(&self) -> &'static [&'static str] {
        Amr::PASSKEY
    }

    fn field(&self) -> Option<Field> {
        None
    }

    fn is_offered(&self, issuer: &Issuer) -> bool {
        issuer.settings().passkeys.is_some()
    }

    fn request(&self, issuer: &Issuer, account: &Account, flow: &str) -> Option<Value> {
        issuer.passkey_request(Some(account), &challenge(flow))
    }

    fn problem(&self) -> Text {
        PROBLEM
    }

    fn is_ready(&self, account: &Account, now: Timestamp) -> bool {
        account.attached.devices.iter().any(|device| device.passkey_at(now).is_some())
    }

    async fn check(
        &self,
        issuer: &Issuer,
        account: &Versioned<Account>,
        (flow, form): (&str, &Params),
        browser: &Browser,
    ) -> Result<bool, OAuthError> {
        let response = form.get(RESPONSE).unwrap_or_default();
        let challenge = challenge(flow);
        let found = issuer.check_passkey(&challenge, response, Some(&account.id), browser).await?;
        Ok(found.is_some())
    }
}
