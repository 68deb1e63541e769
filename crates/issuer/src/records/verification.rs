//! A verification under way: what a person, or somebody for them, has begun and has yet to confirm
//! (`docs/contracts/curity.md` §6.2).

use castellan_proto::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{account::Account, repository::Stored};
use crate::store::Kind;

/// A verification under way. Its id is the digest of the account's id and that of the state, so that
/// another account's state leads nowhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// What it is for; nothing else is confirmed with it.
    pub purpose: String,
    /// The id of the account that it is about.
    pub account: String,
    /// When that account was made: another one under the same id is somebody else.
    pub created: Timestamp,
    /// Which of all that had the id that account is.
    #[serde(default)]
    pub incarnation: u32,
    /// What it is about, sealed: it may be the secret of a device.
    pub sealed: String,
    /// The digest of the state and the code that was sent, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Attempts to confirm it so far, each counted before it is checked.
    #[serde(default)]
    pub attempts: u32,
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

impl Stored for Verification {
    const KIND: Kind = Kind::Verification;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

impl Verification {
    /// Whether it began for `account` as that is now.
    #[must_use]
    pub fn is_for(&self, account: &Account) -> bool {
        account.created == self.created && account.incarnation == self.incarnation
    }
}

/// What begins the ids of all verifications of `account`.
pub(crate) fn of_account(account: &str) -> String {
    format!("{}/", Digest::of(account.as_bytes()).text())
}
