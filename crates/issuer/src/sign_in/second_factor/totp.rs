//! A code of an authenticator app (RFC 6238).

use async_trait::async_trait;
use castellan_proto::Timestamp;

use super::SecondFactor;
use crate::{
    Issuer,
    error::OAuthError,
    language::Text,
    records::{
        Account, Device, DeviceTotp, acr,
        repository::{Update, Versioned},
    },
    request::params::Params,
    secrets::totp::{DIGITS, TotpKey},
    session::browser::Browser,
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

    fn field(&self) -> Option<Field> {
        Some(Field {
            name: "code",
            label: Text {
                en: "Code from your authenticator app",
                ca: "Codi de la teva aplicació d’autenticació",
                es: "Código de tu aplicación de autenticación",
                de: "Code aus Ihrer Authenticator-App",
                fr: "Code de votre application d’authentification",
            },
            kind: FieldKind::Code,
            autocomplete: "one-time-code",
        })
    }

    fn problem(&self) -> Text {
        Text {
            en: "This code is not right, or was used already. Enter the code that your app shows now.",
            ca: "Aquest codi no és correcte o ja s’ha fet servir. Escriu el codi que l’aplicació mostra ara.",
            es: "Este código no es correcto o ya se ha usado. Escribe el código que tu aplicación muestra ahora.",
            de: "Dieser Code ist falsch oder wurde schon verwendet. Geben Sie den Code ein, den Ihre App jetzt zeigt.",
            fr: "Ce code est incorrect ou a déjà servi. Saisissez le code que votre application affiche maintenant.",
        }
    }

    fn is_ready(&self, account: &Account, now: Timestamp) -> bool {
        account.attached.devices.iter().any(|device| device.shows_codes(now))
    }

    async fn check(
        &self,
        issuer: &Issuer,
        account: &Versioned<Account>,
        (_, form): (&str, &Params),
        _: &Browser,
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
