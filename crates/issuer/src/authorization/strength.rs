//! By how much people have to prove who they are, and what an app would like them to show.

use castellan_proto::Timestamp;

use super::request::AuthorizationRequest;
use crate::{
    records::{Account, Client, acr},
    session::browser::SignedIn,
    sign_in::second_factor::factor,
};

/// What one request asks of a sign-in.
pub(super) struct Strength {
    /// One of these classes, if there are any (OIDC Core §5.5.1.1).
    essential: Vec<String>,
    /// One of these classes, if the person can reach one (OIDC Core §3.1.2.1).
    preferred: Vec<String>,
    /// Several factors, whichever they are.
    several: bool,
}

impl Strength {
    /// What `request` of `client` asks.
    pub(super) fn of(request: &AuthorizationRequest, client: &Client) -> Self {
        Self {
            essential: request.claims.acr.clone(),
            preferred: request.acr_values.clone(),
            several: client.require_second_factor,
        }
    }

    /// Whether the sign-in of `person` is enough.
    pub(super) fn is_met(&self, person: &SignedIn) -> bool {
        let is_of = |class: &String| class == person.amr.acr();
        (self.essential.is_empty() || self.essential.iter().any(is_of))
            && (!self.several || person.amr.is_multi_factor())
    }

    /// Whether `person`, if asked again, could sign in as the app would prefer at `now`.
    pub(super) fn could_be_better(&self, person: &SignedIn, now: Timestamp) -> bool {
        let is_of = |class: &String| class == person.amr.acr();
        !self.preferred.iter().any(is_of)
            && self.preferred.iter().any(|class| can_reach(&person.account, class, now))
    }
}

/// Whether a sign-in of `account` can reach `class` by what the person has.
fn can_reach(account: &Account, class: &str, now: Timestamp) -> bool {
    let Some(factor) = factor(class) else { return false };
    let opted_in = account.attached.mfa.as_ref().is_some_and(|mfa| mfa.has(class));
    // A passkey is a way to sign in by itself.
    (opted_in || class == acr::PASSKEY) && factor.is_ready(account, now)
}
