//! An authenticator app, and people who use one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::secrets::totp::TotpKey;
use castellan_proto::Timestamp;
use serde_json::{Value, json};

use crate::{
    management::support::{ACCOUNTS, asked_with, data},
    support::{castellan::Castellan, fixtures::text, jose, wire::Answer},
};

/// The class of a sign-in by password and a code of an app.
pub const TOTP: &str = "urn:castellan:acr:totp";

/// What an app has read from a QR code.
pub struct Authenticator(TotpKey);

/// A person who has to show a second factor.
pub struct OptedIn {
    pub app: Authenticator,
    /// The id of their device.
    pub device: String,
    pub recovery_codes: Vec<String>,
}

impl Authenticator {
    /// An app with the key in base32 that a person would type.
    pub fn of(key: &str) -> Self {
        Self(TotpKey::of(&bytes_of(key)))
    }

    /// That key as it is, and in base64url.
    pub fn forms_of(key: &str) -> (Vec<u8>, String) {
        let bytes = bytes_of(key);
        let base64 = URL_SAFE_NO_PAD.encode(&bytes);
        (bytes, base64)
    }

    /// What it shows in `ahead` seconds.
    pub fn code(&self, ahead: u64) -> String {
        self.0.code_at(Timestamp(jose::now() + ahead)).to_string()
    }

    /// Six digits that it shows at no time near the present.
    pub fn wrong_code(&self) -> String {
        let near: Vec<_> = (0..8).map(|step| self.code(step * 30)).collect();
        let before = Timestamp(jose::now() - 30);
        let near = |code: &String| near.contains(code) || *code == *self.0.code_at(before);
        (100_000..=999_999).map(|number| number.to_string()).find(|code| !near(code)).unwrap()
    }
}

/// The bytes that `key` is the base32 of (RFC 4648 §6).
fn bytes_of(key: &str) -> Vec<u8> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in key.bytes() {
        let value = letters.iter().position(|one| *one == letter).unwrap();
        (bits, count) = ((bits << 5) | u32::try_from(value).unwrap(), count + 5);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    bytes
}

/// What the mutation `name` answers to `input`, with `selected` of its payload.
pub async fn mutate(
    castellan: &Castellan,
    token: &str,
    (name, input, selected): (&str, Value, &str),
) -> Answer {
    let kind = format!("{}{}Input!", name[..1].to_uppercase(), &name[1..]);
    let query = format!("mutation($input: {kind}) {{{name}(input: $input) {{{selected}}}}}");
    asked_with(castellan, ACCOUNTS, token, (&query, json!({"input": input}))).await
}

/// What it answers, which is no error.
pub async fn done(
    castellan: &Castellan,
    token: &str,
    (name, input, selected): (&str, Value, &str),
) -> Value {
    data(&mutate(castellan, token, (name, input, selected)).await)[name].clone()
}

/// Registers an app as a device of `account`; with its id.
pub async fn register(
    castellan: &Castellan,
    token: &str,
    account: &str,
) -> (Authenticator, String) {
    let start = json!({"accountId": account, "alias": "my phone"});
    let begun = ("startVerifyTotpDeviceByAccountId", start, "state key deviceId");
    let begun = done(castellan, token, begun).await;
    let app = Authenticator::of(text(&begun, "key"));
    let shown = json!({"accountId": account, "state": begun["state"], "totp": app.code(0)});
    let complete = ("completeVerifyTotpDeviceByAccountId", shown, "result");
    assert_eq!(done(castellan, token, complete).await, json!({"result": true}));
    (app, text(&begun, "deviceId").to_owned())
}

/// Has `account` opt in to codes of an app.
pub async fn opt_in(castellan: &Castellan, token: &str, account: &str) -> OptedIn {
    let (app, device) = register(castellan, token, account).await;
    let start = json!({"accountId": account, "factors": [{"acr": TOTP}]});
    let begun = ("startOptInMfaSetupByAccountId", start, "state recoveryCodes {value}");
    let begun = done(castellan, token, begun).await;
    let codes = begun["recoveryCodes"].as_array().unwrap().iter();
    let recovery_codes = codes.map(|code| text(code, "value").to_owned()).collect();
    let confirm = json!({"accountId": account, "state": begun["state"]});
    done(castellan, token, ("completeOptInMfaSetupByAccountId", confirm, "account {id}")).await;
    OptedIn { app, device, recovery_codes }
}
