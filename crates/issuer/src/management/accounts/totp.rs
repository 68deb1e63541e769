//! Registering authenticator apps (`docs/contracts/curity.md` §6.2): the app gets a key, and shows a
//! code that proves that it has it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::random;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{actor::Actor, attach::check_text, error::AccountError};
use crate::{
    Issuer,
    records::{Account, Device, DeviceTotp, MOST_DEVICES, TOTP_DEVICE},
    secrets::totp::{ALGORITHM, DIGITS, INTERVAL, SKEW, TotpKey},
    sign_in::verification::{Beginning, Purpose},
};

const PURPOSE: Purpose = Purpose("totp device");
/// Seconds in which a code has to come (§6.2).
const SECONDS: u64 = 300;
/// What people read whose account has no room for another device.
const TOO_MANY: &str = "The account has as many devices as it can have; delete one first";

/// A device that has yet to show a code. It is stored sealed.
#[derive(Serialize, Deserialize)]
struct Pending {
    device_id: String,
    alias: String,
    /// The key in base64url.
    key: String,
}

impl Issuer {
    /// Begins to register an authenticator app as a device of the account `id` that is called `alias`.
    /// Apps show it under `issuer`.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn start_totp_device(
        &self,
        actor: &Actor,
        id: &str,
        alias: &str,
        issuer: &str,
    ) -> Result<Value, AccountError> {
        check_text("alias", alias)?;
        let account = self.account_to_open(actor, id).await?;
        has_room(&account.body)?;
        let key = TotpKey::generate();
        let pending = Pending {
            device_id: URL_SAFE_NO_PAD.encode(random::<16>()),
            alias: alias.to_owned(),
            key: URL_SAFE_NO_PAD.encode(key.bytes()),
        };
        let beginning =
            Beginning { purpose: PURPOSE, body: &pending, code: None, seconds: SECONDS };
        let state = self.begin_verification(&account, beginning).await?;
        Ok(json!({
            "state": state,
            "deviceId": pending.device_id,
            "issuer": issuer,
            "key": *key.text(),
            "digits": DIGITS,
            "interval": INTERVAL,
            "algorithm": ALGORITHM,
            "skew": SKEW,
            "delayWindow": SKEW,
            "deviceType": TOTP_DEVICE,
            "deviceExpiresIn": null,
            "qrLink": *key.address(issuer, &account.body.user_name),
        }))
    }

    /// Completes what [`Issuer::start_totp_device`] began, with the `code` that the app shows. It does
    /// not work again at a sign-in.
    ///
    /// # Errors
    /// [`AccountError::UnknownCode`] if it is another one, and the others as they say.
    pub async fn complete_totp_device(
        &self,
        actor: &Actor,
        id: &str,
        state: &str,
        code: &str,
    ) -> Result<bool, AccountError> {
        let account = self.account_to_open(actor, id).await?;
        // Counted before the code is looked at.
        let pending = self.attempt_verification::<Pending>(&account, PURPOSE, state).await?.body;
        let key = URL_SAFE_NO_PAD.decode(&pending.key).unwrap_or_default();
        let key = TotpKey::of(&key);
        let code: String = code.split_whitespace().collect();
        let now = self.now();
        let last_step = key.step_of(&code, now).ok_or(AccountError::UnknownCode)?;
        let sealed = self.seal_totp_key(id, &pending.device_id, &key)?;
        let pending = self.take_verification::<Pending>(&account, PURPOSE, state).await?;
        let device = Device {
            device_id: pending.device_id,
            alias: Some(pending.alias),
            device_type: Some(TOTP_DEVICE.to_owned()),
            created: now,
            modified: now,
            totp: Some(DeviceTotp { sealed, last_step, used: now }),
            ..Device::default()
        };
        let add = |account: &mut Account| {
            has_room(account)?;
            account.attached.devices.push(device.clone());
            Ok(Some(()))
        };
        Ok(self.change_sign_in(actor, id, "devices", add).await?.is_some())
    }
}

fn has_room(account: &Account) -> Result<(), AccountError> {
    if account.attached.devices.len() < MOST_DEVICES {
        return Ok(());
    }
    Err(AccountError::Localized(TOO_MANY.to_owned()))
}
