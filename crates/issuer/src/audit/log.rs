//! The line of the log about an event (`docs/logs.md`): what went wrong and what was changed at the
//! default level, tokens that were issued at `debug`.
//!
//! Callers cause these lines, so that their number is bounded: those of strangers far below those of
//! callers who are known, and what is left out is counted.

use std::sync::{Mutex, PoisonError};

use castellan_proto::Timestamp;
use tracing::Level;

use super::{AuditKind, Event, Outcome, origin};

/// The target of these lines, by which a filter selects them.
const TARGET: &str = "castellan::event";

/// Lines that callers who are known may cause.
const KNOWN: Rate = Rate { at_once: 2_000, per_second: 200 };

/// Whether anybody reads a line about `event`.
pub(super) fn is_logged(event: &Event) -> bool {
    if is_quiet(event) {
        tracing::enabled!(target: TARGET, Level::DEBUG)
    } else {
        tracing::enabled!(target: TARGET, Level::INFO)
    }
}

/// What goes well all day, and what a command says itself.
fn is_quiet(event: &Event) -> bool {
    let is_issued = matches!(event.kind, AuditKind::TokenIssued | AuditKind::TokenRefreshed);
    (is_issued && event.outcome == Outcome::Success)
        || origin::present(origin::Origin::is_command).unwrap_or_default()
}

/// How many lines may still be written.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<[Allowance; 2]>);

/// How many lines may be written.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// At once.
    pub at_once: u32,
    /// As many more each second.
    pub per_second: u32,
}

/// What is left of a [`Rate`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowance {
    used: u32,
    since: u64,
    left_out: u64,
}

impl Allowance {
    /// One of which nothing is used.
    pub const FULL: Self = Self { used: 0, since: 0, left_out: 0 };
    /// What strangers may cause.
    pub const STRANGERS: Rate = Rate { at_once: 200, per_second: 20 };

    /// Takes one of those that `rate` allows; how many were left out before it. `None` if there is none
    /// left.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Option<u64> {
        let seconds = now.0.saturating_sub(self.since);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.since = now.0;
        self.used = self.used.saturating_sub(rate.per_second.saturating_mul(seconds));
        if self.used >= rate.at_once {
            self.left_out += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Lines {
    /// Writes the line about `event` at `site`, unless there are too many.
    pub(super) fn write(&self, event: &Event, site: &str) {
        if event.outcome != Outcome::Success {
            // One that is left out counts: the next one says how many were.
            origin::note_line();
        }
        let (at, bounds) =
            if event.is_a_strangers() { (0, Allowance::STRANGERS) } else { (1, KNOWN) };
        let mut allowances = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = allowances[at].take(bounds, event.at) else { return };
        drop(allowances);
        if left_out > 0 {
            tracing::warn!(target: TARGET, site, left_out, "events were not logged: they are too many");
        }
        let kind = event.kind.as_str();
        let outcome = event.outcome.as_str();
        let words = words(event.kind, event.outcome);
        let (user, client) = (event.by.user.as_deref(), event.by.client.as_deref());
        let (credential, subject) = (event.by.credential.as_deref(), event.subject.as_deref());
        let object = event.target.as_deref();
        let detail = event.detail.as_deref();
        // Where it came from is added to each line of a request.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: TARGET,
                    kind, outcome, site, user, client, credential, subject, object, detail,
                    "{words}"
                )
            };
        }
        if is_quiet(event) {
            line!(debug);
        } else {
            line!(info);
        }
    }
}

/// `kind` and `outcome` in words.
const fn words(kind: AuditKind, outcome: Outcome) -> &'static str {
    let is_done = matches!(outcome, Outcome::Success);
    match (kind, is_done) {
        (AuditKind::SignIn, true) => "signed in",
        (AuditKind::SignIn, false) => "a sign-in failed",
        (AuditKind::SessionEnded, _) => "a session ended",
        (AuditKind::ConsentGiven, _) => "a person consented",
        (AuditKind::ConsentRefused, _) => "a person refused consent",
        (AuditKind::ConsentWithdrawn, _) => "a consent was withdrawn",
        (AuditKind::TokenIssued, true) => "tokens were issued",
        (AuditKind::TokenIssued, false) => "a token request was refused",
        (AuditKind::TokenRefreshed, true) => "tokens were refreshed",
        (AuditKind::TokenRefreshed, false) => "a refresh request was refused",
        (AuditKind::TokenRevoked, _) => "tokens were revoked",
        (AuditKind::ResourceCreated, _) => "a resource was created",
        (AuditKind::ResourceChanged, _) => "a resource was changed",
        (AuditKind::ResourceDeleted, _) => "a resource was deleted",
        (AuditKind::PasswordChanged, true) => "a password was changed",
        (AuditKind::PasswordChanged, false) => "a password change failed",
        (AuditKind::ResetLinkIssued, _) => "a link to set a password was issued",
        (AuditKind::PasswordReset, true) => "a password was set by a link",
        (AuditKind::PasswordReset, false) => "a password was not set by a link",
        (AuditKind::AccessDenied, _) => "a request was denied",
        (AuditKind::Started, _) => "audit records begin",
        (AuditKind::Stopped, _) => "audit records end",
        (AuditKind::Dropped, _) => "audit records were dropped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_those_left_out_are_counted() {
        let mut allowance = Allowance::default();
        let rate = Rate { at_once: 3, per_second: 1 };
        let mut take = |second: u64| allowance.take(rate, Timestamp(second));
        assert_eq!(
            [take(10), take(10), take(10), take(10), take(10)],
            [Some(0), Some(0), Some(0), None, None]
        );
        assert_eq!([take(11), take(11)], [Some(2), None]);
        assert_eq!([take(5), take(1_000), take(1_000)], [None, Some(2), Some(0)]);
    }
}
