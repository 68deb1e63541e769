//! What happens, for whoever counts it, and how much of it waits to be recorded.

use std::sync::atomic::Ordering;

use super::{AuditKind, Event, Outcome, WAITING};
use crate::Issuer;

/// What stands in the place of a grant type where an API key is exchanged for a JWT.
pub const API_KEY: &str = "api_key";
/// The same where a person gets a JWT for their password.
pub const PERSON_JWT: &str = "person_jwt";
/// The same for every grant type that is not served.
pub const OTHER_GRANT: &str = "other";

/// Counts what happens. Called by whatever does it, so it must not wait.
pub trait EventCounter: Send + Sync {
    /// Counts `event`.
    fn count(&self, event: &Event);
}

/// How many events wait to be recorded, and what became of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many wait.
    pub waiting: usize,
    /// How many may wait.
    pub limit: usize,
    /// How many were dropped since the start, because too many were waiting.
    pub dropped: u64,
}

impl Event {
    /// The same, for a token that was asked for by `grant`: a name of ours, whatever was sent.
    #[must_use]
    pub(crate) fn by_grant(self, grant: &'static str) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// What is recorded.
    #[must_use]
    pub const fn kind(&self) -> AuditKind {
        self.kind
    }

    /// What came of it.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// By which grant type a token was asked for: a name of [`crate::grant::ROSTER`] or of another
    /// roster, [`API_KEY`], [`PERSON_JWT`] or [`OTHER_GRANT`].
    #[must_use]
    pub const fn grant(&self) -> Option<&'static str> {
        self.grant
    }
}

impl Issuer {
    /// Has every event counted by `counter`, recorded or not, unless another one counts them already.
    pub fn count_events_by(&self, counter: Box<dyn EventCounter>) {
        let _ = self.audit_queue().counter.set(counter);
    }

    /// What waits to be recorded.
    #[must_use]
    pub fn audit_backlog(&self) -> Backlog {
        let queue = self.audit_queue();
        let waiting = queue.sender.get().map_or(0, |one| one.max_capacity() - one.capacity());
        let dropped = queue.dropped_in_all.load(Ordering::Relaxed);
        Backlog { waiting, limit: WAITING, dropped }
    }
}
