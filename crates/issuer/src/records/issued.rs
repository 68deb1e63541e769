//! What is issued: sessions, consent, flows, codes, token families, links.

use std::collections::BTreeMap;

use castellan_proto::{CodeChallenge, Timestamp, scope::Scopes};
use serde::{Deserialize, Serialize};

pub use super::client::Refresh;
use crate::{
    authorization::request::AuthorizationRequest,
    records::{AppDialect, repository::Stored},
    store::Kind,
};

/// A browser session. Its id is the digest of the cookie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Who is signed in.
    pub account: String,
    /// When they proved it (OIDC Core §2, `auth_time`).
    pub auth_time: Timestamp,
    /// When it was last written as used.
    pub used: Timestamp,
    /// First second at which it is over, used or not.
    pub ends: Timestamp,
    /// Seconds it may lie unused.
    pub idle_seconds: u64,
    /// What apps know it by (Front-Channel Logout 1.0 §3): random, so that it leads neither to the
    /// cookie nor to this record, and kept, so that it outlives both where the same person proves
    /// anew who they are. None for a session of before there were such names.
    #[serde(default)]
    pub sid: Option<String>,
    /// The apps that want to hear of its end, and when the person came to each (Back-Channel Logout
    /// 1.0 §2.3).
    #[serde(default)]
    pub apps: BTreeMap<String, Timestamp>,
    /// Digest of the mark of the browser that it is for: its cookie alone opens nothing. None for a
    /// session of before there was such a bond, which is none any more.
    #[serde(default)]
    pub browser: Option<String>,
}

/// What a person agreed to for one client. Its id is the account's, a slash, and the client's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// All that was agreed to so far.
    pub scope: Scopes,
    /// What named scopes stood for then.
    #[serde(default)]
    pub alias_digests: BTreeMap<String, String>,
    /// When it was first agreed to.
    pub start: Timestamp,
    /// Which agreement this is: taken back and given anew, it is another.
    #[serde(default)]
    pub agreement: String,
}

/// A sign-in or consent in progress. Its id is the digest of what the form carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// What the app asked for, checked; none if somebody only signs in here.
    pub request: Option<AuthorizationRequest>,
    /// Digest of the cookie of the browser that began it.
    pub browser: String,
    /// The session by which consent is being asked, so that it is that person who answers.
    pub session: Option<String>,
    /// Sign in even if there is a session: one made at or after this time counts.
    pub fresh_since: Option<Timestamp>,
    /// First second at which it is over.
    pub ends: Timestamp,
}

/// An authorization code. Its id is the digest of client and code (`docs/rules.md` rule 32).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// The family that redeeming it makes.
    pub family: String,
    /// Who agreed.
    pub account: String,
    /// To what.
    pub scope: Scopes,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// What the verifier must meet.
    pub challenge: Option<CodeChallenge>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// The thumbprint of the key that must be shown with it, if the request named one
    /// (RFC 9449 §10).
    #[serde(default)]
    pub jkt: Option<String>,
    /// What tokens are to be for, if the request said so (RFC 8707).
    #[serde(default)]
    pub resources: Option<Vec<String>>,
    /// Claims about the person that are to stand in the ID token.
    #[serde(default)]
    pub id_claims: Vec<String>,
    /// When the person proved who they are.
    pub auth_time: Timestamp,
    /// The browser session.
    pub session: String,
    /// What apps know that session by.
    #[serde(default)]
    pub sid: Option<String>,
    /// Whether tokens rest on a consent that can be withdrawn.
    pub by_consent: bool,
    /// On which one.
    #[serde(default)]
    pub agreement: String,
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

/// Everything issued from one authorization (`docs/rules.md` rule 31). Its id is random, and grows
/// with time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Family {
    /// For which client.
    pub client: String,
    /// For which person; none for a client that acts for itself.
    pub account: Option<String>,
    /// From what.
    pub origin: Origin,
    /// What was granted.
    pub scope: Scopes,
    /// What the newest access token has, if that is less.
    #[serde(default)]
    pub narrowed: Option<Scopes>,
    /// Who its tokens are for.
    pub audience: Vec<String>,
    /// Who the newest access token is for, if that is less (RFC 8707 §2.2).
    #[serde(default)]
    pub narrowed_audience: Option<Vec<String>>,
    /// Which refresh token is the newest.
    pub generation: u32,
    /// Which access token is the newest.
    pub access_generation: u32,
    /// An opaque access token of an earlier generation is dead: it had other scopes, which only
    /// the newest ones' are kept of.
    #[serde(default)]
    pub opaque_from: u32,
    /// When the newest were made.
    pub renewed: Timestamp,
    /// An access token of an earlier generation is dead.
    pub ends_previous: bool,
    /// Seconds that an access token lives.
    pub access_seconds: u64,
    /// Refresh tokens, if there are any.
    pub refresh: Option<Refresh>,
    /// When the person proved who they are.
    #[serde(default)]
    pub auth_time: Option<Timestamp>,
    /// The `sid` of its ID tokens: the browser session that it comes of. None of a device's.
    #[serde(default)]
    pub sid: Option<String>,
    /// The contract that the app was written by then, which its tokens go on to follow.
    #[serde(default)]
    pub dialect: Option<AppDialect>,
    /// The thumbprint of the key that its tokens are bound to (RFC 9449 §6).
    #[serde(default)]
    pub jkt: Option<String>,
    /// Rests on a consent that can be withdrawn.
    #[serde(default)]
    pub by_consent: bool,
    /// On which one.
    #[serde(default)]
    pub agreement: String,
    /// Over for good.
    #[serde(default)]
    pub ended: bool,
    /// When it was made.
    pub created: Timestamp,
    /// First second at which nothing of it is of use; never if absent.
    pub ends: Option<Timestamp>,
}

/// What a family came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 8628.
    Device,
}

/// A one-time link that makes the first administrator. Its id is the digest of the link's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

/// A denial that can be explained. Its id is the decision's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// When.
    pub at: Timestamp,
    /// At which guard.
    pub guard: String,
    /// What the gate said of it; opaque here.
    pub denial: serde_json::Value,
}

impl Stored for Session {
    const KIND: Kind = Kind::Session;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends.min(Timestamp(self.used.0.saturating_add(self.idle_seconds))))
    }
}

impl Stored for Consent {
    const KIND: Kind = Kind::Consent;
}

impl Stored for Flow {
    const KIND: Kind = Kind::Flow;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

impl Stored for Code {
    const KIND: Kind = Kind::Code;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

impl Stored for Family {
    const KIND: Kind = Kind::Family;

    fn expires_at(&self) -> Option<Timestamp> {
        self.ends
    }
}

impl Stored for Setup {
    const KIND: Kind = Kind::Setup;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

impl Stored for DecisionRecord {
    const KIND: Kind = Kind::Decision;

    /// A day (`docs/rules.md` rule 5).
    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.at.0 + 86_400))
    }
}

impl Family {
    /// Whether it was issued to an app of `/oauth`.
    #[must_use]
    pub fn is_decidim(&self) -> bool {
        self.dialect == Some(AppDialect::Decidim)
    }

    /// Until when something of it can be of use if it is renewed at `now`; never-ending if absent.
    #[must_use]
    pub fn useful_until(&self, now: Timestamp) -> Option<Timestamp> {
        let access = now.0.saturating_add(self.access_seconds);
        match self.refresh {
            None => Some(Timestamp(access)),
            Some(Refresh { idle_seconds: None, .. }) => None,
            Some(Refresh { idle_seconds: Some(idle), .. }) => {
                Some(Timestamp(access.max(now.0.saturating_add(idle))))
            }
        }
    }

    /// Whether its newest refresh token has lain unused for too long.
    #[must_use]
    pub fn refresh_is_over(&self, now: Timestamp) -> bool {
        self.refresh.is_none_or(|refresh| {
            refresh.idle_seconds.is_some_and(|idle| now.since(self.renewed).as_secs() >= idle)
        })
    }

    /// What its newest access token has.
    #[must_use]
    pub fn current_scope(&self) -> &Scopes {
        self.narrowed.as_ref().unwrap_or(&self.scope)
    }
}
