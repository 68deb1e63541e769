//! Whether the credential of a request that is under way still holds (`docs/rules.md` rules 27 to 29).

use std::{any::Any, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, header, request::Parts};
use castellan_gate::{Caller, Identity, PolicyTerm, Shown, Unavailable, rest::present};
use castellan_issuer::cache::liveness;
use tokio::time::{Instant, sleep, timeout};

use super::{Credentials, session::MEANT};
use crate::{
    background::usage::FOREIGN_TOKEN, dialects::SessionCookie, guards::policies::HerePolicies,
};

/// In the extensions of a request: the session cookie of its SiteAccess, at a guard that takes those.
#[derive(Clone)]
pub(in crate::guards) struct SessionOf(pub(in crate::guards) Arc<SessionCookie>);

/// In the extensions of a request whose credential was looked at before its gate: the headers that
/// showed it.
#[derive(Clone)]
pub(in crate::guards) struct RemovedHeaders(pub(in crate::guards) HeaderMap);

/// How often a credential of `Authorization` is looked at even if nothing has changed, because its time
/// may have passed. That reads nothing from the store as long as the feed is heard.
const TIMED: Duration = Duration::from_millis(500);
/// The same for sessions and certificates, which are read each time and last for hours.
const LASTING: Duration = Duration::from_secs(5);
/// How long a look may take. The bound of rule 27 is a second.
const PATIENCE: Duration = Duration::from_millis(500);
/// The same where a password has to be hashed, or somebody else has to be asked.
const LONG_PATIENCE: Duration = Duration::from_secs(5);

/// The kinds of which that is so.
const SLOW: [&str; 3] = [FOREIGN_TOKEN, "password", "client_secret"];

/// Waits until what `shown` shows is no longer `identity`, with all that they may do.
pub(super) async fn until_ended(
    credentials: Arc<Credentials>,
    shown: Shown,
    identity: Arc<Identity>,
) {
    let mut seen = shown.since();
    let mut parts = shown.into_parts();
    if let Some(RemovedHeaders(headers)) = parts.extensions.remove() {
        parts.headers.extend(headers);
    }
    // It was there when the request came: its page has meant it.
    parts.headers.insert(MEANT, HeaderValue::from_static("again"));
    parts.headers.remove("dpop");
    let shown = parts.headers.get(header::AUTHORIZATION);
    let regular = if shown.is_some() { TIMED } else { LASTING };
    let is_slow = SLOW.contains(&identity.kind);
    let patience = if is_slow { LONG_PATIENCE } else { PATIENCE };
    let mut looked = Instant::now();
    loop {
        let liveness = credentials.issuer.liveness();
        let changes = liveness.changes();
        let pause = if liveness.hears() { regular } else { TIMED };
        if changes != seen || looked.elapsed() >= pause {
            // Before the look: what changes meanwhile is seen as a change.
            (seen, looked) = (changes, Instant::now());
            match timeout(patience, credentials.again(&mut parts)).await {
                Ok(Ok(Caller::Known(now))) if is_same(&identity, &now) => {}
                _ => return,
            }
        }
        sleep(liveness::POLL).await;
    }
}

impl Credentials {
    /// The caller whom `parts` show now.
    async fn again(&self, parts: &mut Parts) -> Result<Caller, Unavailable> {
        parts.extensions.remove::<Caller>();
        if let (Some(sessions), Some(SessionOf(cookie))) = (&self.sessions, parts.extensions.get())
        {
            let found = sessions.find(&parts.headers, cookie).await?;
            return Ok(found.map_or(Caller::NOBODY, |(_, caller)| caller));
        }
        if let Some(shown) = self.shown(&parts.headers, &parts.extensions).await? {
            parts.extensions.insert(shown.caller);
        }
        let presented = present(self, parts).await;
        presented.map(|presented| presented.caller).map_err(|_| Unavailable)
    }
}

/// Whether `now` is who `before` was and may do the same: what was decided for them still holds then.
fn is_same(before: &Identity, now: &Identity) -> bool {
    let person = |one: &Identity| one.person.as_ref().map(|person| person.id.clone());
    before.kind == now.kind
        && person(before) == person(now)
        && before.client_id == now.client_id
        && before.credential_id == now.credential_id
        && before.token_scopes == now.token_scopes
        && before.client_scopes == now.client_scopes
        && before.person_term == now.person_term
        && match (&before.policy_term, &now.policy_term) {
            (PolicyTerm::Unknown, PolicyTerm::Unknown) => true,
            (PolicyTerm::Ask(before), PolicyTerm::Ask(now)) => {
                let here = |one| <dyn Any>::downcast_ref::<HerePolicies>(one);
                let (before, now) = (here(&**before), here(&**now));
                before.zip(now).is_some_and(|(before, now)| before.say_the_same(now))
            }
            _ => false,
        }
}
