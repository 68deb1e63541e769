//! Token families: everything that is issued from one authorization.

use castellan_proto::{Timestamp, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{
    records::{Amr, BeyondScopes, GrantName, TokenProfile, repository::Stored},
    store::Kind,
};

pub use super::client::Refresh;

/// Everything issued from one authorization (`docs/rules.md` rule 31). Its id is random, and grows
/// with time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Family {
    /// The client that it was issued to.
    pub client: String,
    /// For which person; none for a client that acts for itself.
    pub account: Option<String>,
    /// Of a client that registered itself and acts for itself, the person for whom it was registered:
    /// what they gave it ends with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrant: Option<String>,
    /// The grant that started it.
    pub origin: GrantName,
    /// The scopes that were granted.
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
    /// The authentication methods that the person used.
    #[serde(default)]
    pub amr: Amr,
    /// The `sid` of its tokens: the browser session that it belongs to. `None` for devices.
    #[serde(default)]
    pub sid: Option<String>,
    /// The dialect of the app when the family began, which its tokens continue to follow.
    #[serde(flatten)]
    pub profile: TokenProfile,
    /// The thumbprint of the key that its tokens are bound to (RFC 9449 §6).
    #[serde(default)]
    pub jkt: Option<String>,
    /// Claims about the person besides what its scopes open.
    #[serde(default)]
    pub beyond_scopes: BeyondScopes,
    /// The key of the record of the code that it was issued for: presenting that code again ends
    /// the family, as long as it exists (RFC 6749 §4.1.2).
    #[serde(default)]
    pub code: Option<String>,
    /// Whether it depends on a consent that can be withdrawn.
    #[serde(default)]
    pub by_consent: bool,
    /// The id of the agreement it depends on.
    #[serde(default)]
    pub agreement: String,
    /// The person's generation of sign-ins when they proved who they are; that of the registrant when it
    /// began.
    #[serde(default)]
    pub account_generation: u32,
    /// The client's generation of authorizations when it was issued.
    #[serde(default, skip_serializing_if = "is_first")]
    pub client_generation: u32,
    /// Whether it has ended.
    #[serde(default)]
    pub ended: bool,
    /// When that was, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// First second at which nothing of it is of use; never if absent.
    pub ends: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
const fn is_first(generation: &u32) -> bool {
    *generation == 0
}

impl Stored for Family {
    const KIND: Kind = Kind::Family;

    fn expires_at(&self) -> Option<Timestamp> {
        self.ends
    }
}

impl Family {
    /// Until when something of it can be of use if it is renewed at `now`; never-ending if absent.
    #[must_use]
    pub fn useful_until(&self, now: Timestamp) -> Option<Timestamp> {
        let access = now.0.saturating_add(self.access_seconds);
        match self.refresh {
            None => Some(Timestamp(access)),
            Some(refresh) => self.end_of(refresh, now).map(|end| Timestamp(access.max(end.0))),
        }
    }

    /// When its newest refresh token is over, if that is never used.
    #[must_use]
    pub fn refresh_ends(&self) -> Option<Timestamp> {
        self.refresh.and_then(|refresh| self.end_of(refresh, self.renewed))
    }

    fn end_of(&self, refresh: Refresh, renewed: Timestamp) -> Option<Timestamp> {
        let ends = [
            refresh.idle_seconds.map(|idle| renewed.0.saturating_add(idle)),
            refresh.longest_seconds.map(|longest| self.created.0.saturating_add(longest)),
        ];
        ends.into_iter().flatten().min().map(Timestamp)
    }

    /// Whether its newest refresh token has lain unused for too long, or there has been one for as
    /// long as there may be.
    #[must_use]
    pub fn refresh_is_over(&self, now: Timestamp) -> bool {
        self.refresh.is_none() || self.refresh_ends().is_some_and(|end| now >= end)
    }

    /// What its newest access token has.
    #[must_use]
    pub fn current_scope(&self) -> &Scopes {
        self.narrowed.as_ref().unwrap_or(&self.scope)
    }
}
