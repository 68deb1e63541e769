//! A code of an authenticator app (RFC 6238).

use async_trait::async_trait;
use castellan_proto::Timestamp;

use super::SecondFactor;
use crate::{
    Issuer,
    error::OAuthError,
    records::{
        Account, Device, DeviceTotp, acr,
        repository::{Update, Versioned},
    },
    request::params::Params,
    secrets::totp::{DIGITS, TotpKey},
    sign_in::{Field, FieldKind},
    store::{Notice, StoreError},
};

/// What an authenticator app shows.
pub(super) struct Totp;

#[async_trait]
impl SecondFactor for Totp {
    fn name(&self) -> &'static str {
        "totp"
    }

    fn acr(&self) -> &'static str {
        acr::TOTP
    }

    fn description(&self) -> &'static str {
        "Authenticator app"
    }

    fn amr(&self) -> &'static [&'static str] {
        &["otp"]
    }

    fn field(&self) -> Field {
        Field {
            name: "code",
            label: "Code from your authenticator app",
            kind: FieldKind::Code,
            autocomplete: "one-time-code",
        }
    }

    fn problem(&self) -> &'static str {
        "This code is not right, or was used already. Enter the code that your app shows now."
    }

    fn is_ready(&self, account: &Account, now: Timestamp) -> bool {
        account.attached.devices.iter().any(|device| device.shows_codes(now))
    }

    async fn check(
        &self,
        issuer: &Issuer,
        account: &Versioned<Account>,
        form: &Params,
    ) -> Result<bool, OAuthError> {
        // Apps show a code in two groups.
        let code: String = form.get("code").unwrap_or_default().split_whitespace().collect();
        if code.len() != DIGITS as usize {
            return Ok(false);
        }
        let now = issuer.now();
        for device in account.body.attached.devices.iter().filter(|device| device.shows_codes(now))
        {
            let Some(totp) = &device.totp else { continue };
            let key = issuer.open_totp_key(&account.id, &device.device_id, &totp.sealed)?;
            if let Some(step) = key.step_of(&code, now) {
                return Ok(issuer.use_step(&account.id, device, &totp.sealed, step).await?);
            }
        }
        Ok(false)
    }
}

impl Issuer {
    /// `key` of the device `device` of `account` as it is stored: it opens in no other place.
    ///
    /// # Errors
    /// [`StoreError`] if the machine's cryptography fails.
    pub(crate) fn seal_totp_key(
        &self,
        account: &str,
        device: &str,
        key: &TotpKey,
    ) -> Result<String, StoreError> {
        self.seal_bytes(&label(account, device), key.bytes())
    }

    /// The key that is stored as `sealed`.
    ///
    /// # Errors
    /// [`StoreError`] if it is not that of this device, or was sealed with another key.
    fn open_totp_key(
        &self,
        account: &str,
        device: &str,
        sealed: &str,
    ) -> Result<TotpKey, StoreError> {
        Ok(TotpKey::of(&self.open_bytes(&label(account, device), sealed)?))
    }

    /// Uses up the time step `step` of the device, whose key is `sealed`; `false` if that one or a later
    /// one has been used already. Of any number of concurrent calls, one is told `true`.
    async fn use_step(
        &self,
        account: &str,
        device: &Device,
        sealed: &str,
        step: u64,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let advance = |stored: Option<Account>| {
            let Some(mut account) = stored else { return Ok(Update::Leave(false)) };
            let mut devices = account.attached.devices.iter_mut();
            let found = devices.find(|other| other.device_id == device.device_id);
            let totp = found.and_then(|device| device.totp.as_mut());
            let Some(totp) = totp.filter(|totp| totp.sealed == sealed && totp.last_step < step)
            else {
                return Ok(Update::Leave(false));
            };
            *totp = DeviceTotp { last_step: step, used: now, sealed: sealed.to_owned() };
            // Nothing was decided by it.
            Ok::<_, StoreError>(Update::Write(account, Notice::Silent, true))
        };
        self.repository().update(account, now, advance).await
    }
}

/// What the key of a device is bound to.
fn label(account: &str, device: &str) -> String {
    serde_json::json!(["totp", account, device]).to_string()
}
