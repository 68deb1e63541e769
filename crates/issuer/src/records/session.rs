//! Browser sessions.

use std::collections::BTreeMap;

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// How a person authenticated (OIDC Core §2, `amr`; RFC 8176).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amr(Vec<String>);

/// What a sign-in by several factors has among its methods (RFC 8176 §2).
const MULTI_FACTOR: &str = "mfa";

/// What a sign-in by a key has among its methods (RFC 8176 §2).
const POSSESSION: &str = "pop";

/// The authentication context classes (`acr`) that sign-ins here reach.
pub mod acr {
    /// A password.
    pub const PASSWORD: &str = "urn:castellan:acr:password";
    /// A passkey, by itself or after a password.
    pub const PASSKEY: &str = "urn:castellan:acr:passkey";
    /// A password, and a code that an authenticator app shows.
    pub const TOTP: &str = "urn:castellan:acr:totp";
    /// A password, and a recovery code.
    pub const RECOVERY_CODE: &str = "urn:castellan:acr:recovery-code";
}

/// The class that a sign-in by several factors reaches that had this method among them: the first one
/// counts.
const CLASSES: [(&str, &str); 3] =
    [(POSSESSION, acr::PASSKEY), ("otp", acr::TOTP), (MULTI_FACTOR, acr::RECOVERY_CODE)];

impl Amr {
    /// By the methods of these names.
    #[must_use]
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// By a passkey: a key, which the user unlocks each time, so that it is several factors by itself
    /// (RFC 8176 §2).
    pub const PASSKEY: &'static [&'static str] = &[POSSESSION, "user", MULTI_FACTOR];

    /// By these, and by the methods of `names` as a second factor.
    #[must_use]
    pub fn and(&self, names: &[&str]) -> Self {
        let mut all = self.0.clone();
        for name in names.iter().chain(&[MULTI_FACTOR]) {
            if !all.iter().any(|known| known == name) {
                all.push((*name).to_owned());
            }
        }
        Self(all)
    }

    /// Whether it was by several factors.
    #[must_use]
    pub fn is_multi_factor(&self) -> bool {
        self.has(MULTI_FACTOR)
    }

    /// The authentication context class that they reach (OIDC Core §2, `acr`).
    #[must_use]
    pub fn acr(&self) -> &'static str {
        let reached = CLASSES.iter().filter(|_| self.is_multi_factor());
        let found = reached.into_iter().find(|(name, _)| self.has(name));
        found.map_or(acr::PASSWORD, |(_, class)| class)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

impl Default for Amr {
    /// By a password, which was the only way before others were recorded.
    fn default() -> Self {
        Self::of(&["pwd"])
    }
}

/// A browser session. Its id is the digest of the cookie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Who is signed in.
    pub account: String,
    /// When they proved it (OIDC Core §2, `auth_time`).
    pub auth_time: Timestamp,
    /// The authentication methods that the person used.
    #[serde(default)]
    pub amr: Amr,
    /// When it was last written as used.
    pub used: Timestamp,
    /// First second at which it has expired, used or not.
    pub ends: Timestamp,
    /// Seconds it may lie unused.
    pub idle_seconds: u64,
    /// The name by which apps know it (Front-Channel Logout 1.0 §3). It is random, so that it
    /// reveals neither the cookie nor this record, and is kept when the same person authenticates
    /// again. `None` for sessions from before this field existed.
    #[serde(default)]
    pub sid: Option<String>,
    /// The apps to notify of its end, and when the person came to each (Back-Channel Logout 1.0
    /// §2.3).
    #[serde(default)]
    pub apps: BTreeMap<String, Timestamp>,
    /// Digest of the mark of the browser that it belongs to: its cookie alone is not enough. `None`
    /// for sessions from before this field existed, which are no longer valid.
    #[serde(default)]
    pub browser: Option<String>,
    /// The name of its cookie, if it was opened at a SiteAccess (`docs/contracts/ibexa.md` §2.1): it is
    /// valid where that is the session cookie, without the mark of a browser; `None` for one that was
    /// opened at the pages. An older version sees one without a browser, which opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// The account's generation of sign-ins when it began.
    #[serde(default)]
    pub generation: u32,
    /// When it ended, if somebody ended it. The record stays until it would have expired, so that
    /// people see it as closed, without its browser: it opens nothing, at a node of an older
    /// version either.
    #[serde(default)]
    pub ended: Option<Timestamp>,
}

/// The unique name by which the session that apps know as `sid` is found.
#[must_use]
pub fn sid_name(sid: &str) -> String {
    format!("sid/{sid}")
}

/// What the unique names of all sessions of `account` begin with; what follows is the `sid`.
#[must_use]
pub fn account_prefix(account: &str) -> String {
    format!("account/{account}/")
}

impl Stored for Session {
    const KIND: Kind = Kind::Session;

    /// Those of a session from before these names get theirs when it is next written.
    fn unique(&self) -> Vec<String> {
        self.sid.as_ref().map_or_else(Vec::new, |sid| {
            vec![format!("{}{sid}", account_prefix(&self.account)), sid_name(sid)]
        })
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends.min(Timestamp(self.used.0.saturating_add(self.idle_seconds))))
    }
}
