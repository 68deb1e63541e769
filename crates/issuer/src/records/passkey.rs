//! Passkeys: devices by which people sign in (WebAuthn Level 3 §4, "credential record").
//!
//! Nothing in it is secret. It is part of the account, and its unique name sees to it that no two
//! accounts of a site have the same credential (§7.1 step 26).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::Digest;
use serde::{Deserialize, Serialize};

/// The type of devices that are passkeys, and their category (`docs/contracts/curity.md` §6.4).
pub const PASSKEY_DEVICE: &str = "webauthn/passkeys";
/// Passkeys of one account at most: each is a unique name of the record.
pub const MOST_PASSKEYS: usize = 16;

/// The credential of a passkey.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Passkey {
    /// The id of the credential, in base64url.
    pub credential: String,
    /// Its public key in COSE, in base64url.
    pub key: String,
    /// The counter at its last use; 0 if it has none.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub sign_count: u32,
    /// Whether it may be copied to other devices.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_backup_eligible: bool,
    /// Whether there were such copies at its last use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_backed_up: bool,
    /// How the authenticator can be reached, in the words of browsers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<String>,
    /// The model of the authenticator (AAGUID), in base64url, if it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl Passkey {
    /// What begins the unique names of passkeys: a capital letter, which no login name has.
    const PREFIX: &'static str = "PASSKEY:";

    /// The unique name of the passkey with the credential id `id`.
    #[must_use]
    pub fn unique_name(id: &[u8]) -> String {
        format!("{}{}", Self::PREFIX, Digest::of(id).text())
    }

    /// The id of its device: ids of credentials may be longer than those of devices.
    #[must_use]
    pub fn device_id(id: &[u8]) -> String {
        Digest::of(id).text()
    }

    /// The id of the credential.
    #[must_use]
    pub fn credential_id(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(&self.credential).unwrap_or_default()
    }

    /// The public key in COSE.
    #[must_use]
    pub fn cose(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(&self.key).unwrap_or_default()
    }
}
