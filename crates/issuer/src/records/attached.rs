//! What is attached to an account and is not written by `User` documents: devices, linked accounts,
//! the state of opt-in multi-factor authentication, and that of the credential policy
//! (`docs/contracts/curity.md` §§6.4, 6.5).
//!
//! It is part of the account's record, so that reading an account reads it too, one write changes it
//! whole, and the unique names of the record see to it that a link belongs to one account. Its size is
//! limited, since every sign-in reads the record.

use castellan_proto::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::passkey::Passkey;

/// Devices of one account at most.
pub const MOST_DEVICES: usize = 32;
/// Linked accounts of one account at most: each is a unique name of the record.
pub const MOST_LINKS: usize = 16;
/// Factors of opt-in multi-factor authentication of one account at most.
pub const MOST_FACTORS: usize = 32;
/// The type of devices that show one-time passwords.
pub const TOTP_DEVICE: &str = "totp";

/// What is attached to an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attached {
    /// Their devices, in the order in which they were added; no two have one `device_id`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Their accounts elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What they chose about further factors; none if they were never asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa: Option<MfaOptIn>,
    /// What the credential policy has to know of them.
    #[serde(skip_serializing_if = "CredentialState::is_empty")]
    pub credential: CredentialState,
}

/// A device of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Its id among those of the account.
    pub device_id: String,
    /// What another system calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What its owner calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its form, such as `phone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form_factor: Option<String>,
    /// What it is used for, such as `totp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// From when on it is not to be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Its credential, if people sign in with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Passkey>,
    /// When it was added.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// What it shares with this server, if it shows one-time passwords and was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totp: Option<DeviceTotp>,
}

impl Device {
    /// Whether it can still be used at `now`.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|ends| now.0 < ends)
    }

    /// Whether one-time passwords of it are accepted at `now`.
    #[must_use]
    pub fn shows_codes(&self, now: Timestamp) -> bool {
        self.totp.is_some() && self.is_current(now)
    }
}

/// What a device that shows one-time passwords shares with this server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceTotp {
    /// The key, sealed ([`is_sealed`](super::is_sealed)).
    pub sealed: String,
    /// The time step of the last code that was accepted: none of it or of one before works again
    /// (RFC 6238 §5.2).
    pub last_step: u64,
    /// When that was.
    pub used: Timestamp,
}

impl std::fmt::Debug for DeviceTotp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceTotp").field("last_step", &self.last_step).finish_non_exhaustive()
    }
}

impl Device {
    /// The passkey that it is, if it can be used at `now`.
    #[must_use]
    pub fn passkey_at(&self, now: Timestamp) -> Option<&Passkey> {
        let is_over = self.expires_at.is_some_and(|ends| ends <= now.0);
        self.passkey.as_ref().filter(|_| !is_over)
    }
}

/// The account of a person elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What they are called there.
    pub value: String,
    /// Where.
    pub domain: String,
    /// When it was linked.
    pub created: Timestamp,
}

/// What a person chose about further factors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MfaOptIn {
    /// The factors that they registered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// When they opted out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<Timestamp>,
    /// What they sign in with who have no device at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryBatch>,
}

impl MfaOptIn {
    /// Whether the factor `acr` is registered.
    #[must_use]
    pub fn has(&self, acr: &str) -> bool {
        self.factors.iter().any(|factor| factor.acr == acr)
    }
}

/// Recovery codes that were made together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryBatch {
    /// Its name.
    pub id: String,
    /// When they were made.
    pub created: Timestamp,
    /// The codes, in the order in which they were shown.
    pub codes: Vec<RecoveryCode>,
}

/// A recovery code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryCode {
    /// The keyed hash of it.
    pub hash: String,
    /// When somebody signed in with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed: Option<Timestamp>,
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecoveryCode").field("consumed", &self.consumed).finish_non_exhaustive()
    }
}

/// A registered factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// The authentication context class that it reaches.
    pub acr: String,
    /// When it was registered or last changed.
    pub changed: Timestamp,
}

/// What the credential policy has to know of an account.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialState {
    /// Their password has to be changed before they can sign in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub must_change: bool,
    /// The hashes of earlier passwords, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<String>,
    /// From when on the age of the password counts, if that is not when it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_from: Option<Timestamp>,
}

impl std::fmt::Debug for CredentialState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialState")
            .field("must_change", &self.must_change)
            .field("history", &self.history.len())
            .finish_non_exhaustive()
    }
}

impl CredentialState {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Link {
    /// What begins the unique names of links: a capital letter, which no login name has.
    const PREFIX: &'static str = "LINK:";

    /// The unique name of the link of `value` at `domain`.
    #[must_use]
    pub fn unique_name(value: &str, domain: &str) -> String {
        let both = serde_json::json!([domain, value]).to_string();
        format!("{}{}", Self::PREFIX, Digest::of(both.as_bytes()).text())
    }
}
