//! Audit records: who did what, from where, at which site, and what came of it
//! (`docs/contracts/aidbox.md` §11 item 15, `docs/audit.md`).
//!
//! Whatever happens is handed over with [`Issuer::audit`], which logs it, waits for nothing and stores
//! nothing: the host of the issuer takes the events ([`Issuer::take_audit`]), makes records of them
//! ([`chain`]) and writes those after the answer. Without a host that takes them, nothing is kept.
//!
//! [`AuditKind`] is the list of all that is recorded, each with the one place that records it. Never
//! among it: a secret, a token, a code, a document, a body, or what somebody typed in.

pub mod chain;
pub mod counting;
pub mod entry;
pub mod log;
pub mod origin;
pub mod verify;

use std::{
    borrow::Cow,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use castellan_proto::Timestamp;
use tokio::sync::mpsc;

use crate::Issuer;
use counting::EventCounter;
use entry::Members;
use origin::Party;

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditKind {
    /// A person, a machine user or an API key signed in or failed to: `session` and
    /// `authorization/flow.rs`, `sign_in/per_request.rs`, `machine`.
    SignIn,
    /// A browser session, all sessions of a person, or all of a client have ended: `session`; a
    /// machine user signed out: `machine`.
    SessionEnded,
    /// A person agreed: `authorization/flow.rs`.
    ConsentGiven,
    /// A person refused: `authorization/flow.rs`.
    ConsentRefused,
    /// A consent was taken back, by its person or an administrator: `authorization/consent.rs`,
    /// `resources`.
    ConsentWithdrawn,
    /// Tokens were issued, or refused: `endpoint/token.rs`, `person_token.rs`.
    TokenIssued,
    /// Tokens were refreshed, or that was refused: `endpoint/token.rs`.
    TokenRefreshed,
    /// Everything issued from one authorization is over: `tokens/family.rs`; a JWT of a person is:
    /// `person_token.rs`.
    TokenRevoked,
    /// A resource is new: `resources`.
    ResourceCreated,
    /// A resource was changed: `resources`; a new secret: `machine`.
    ResourceChanged,
    /// A resource was deleted: `resources`.
    ResourceDeleted,
    /// A person changed their password, or failed to: `sign_in/new_password.rs`.
    PasswordChanged,
    /// An administrator issued a link to set a password, or somebody was led to one who has to change
    /// theirs: `sign_in/reset.rs`.
    ResetLinkIssued,
    /// A password was set by such a link, or the link was not valid: `sign_in/reset.rs`.
    PasswordReset,
    /// A guard, a right or a policy denied a request: `Denials` and `http/resources` of the server.
    AccessDenied,
    /// A process began to record: [`chain`].
    Started,
    /// A process ended in order, and recorded all it had: [`chain`].
    Stopped,
    /// Events were not recorded, because there were too many: [`chain`].
    Dropped,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::SignIn,
        Self::SessionEnded,
        Self::ConsentGiven,
        Self::ConsentRefused,
        Self::ConsentWithdrawn,
        Self::TokenIssued,
        Self::TokenRefreshed,
        Self::TokenRevoked,
        Self::ResourceCreated,
        Self::ResourceChanged,
        Self::ResourceDeleted,
        Self::PasswordChanged,
        Self::ResetLinkIssued,
        Self::PasswordReset,
        Self::AccessDenied,
        Self::Started,
        Self::Stopped,
        Self::Dropped,
    ];

    /// Its name in records. Never change one: it is on disk.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SessionEnded => "session_ended",
            Self::ConsentGiven => "consent_given",
            Self::ConsentRefused => "consent_refused",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::TokenIssued => "token_issued",
            Self::TokenRefreshed => "token_refreshed",
            Self::TokenRevoked => "token_revoked",
            Self::ResourceCreated => "resource_created",
            Self::ResourceChanged => "resource_changed",
            Self::ResourceDeleted => "resource_deleted",
            Self::PasswordChanged => "password_changed",
            Self::ResetLinkIssued => "reset_link_issued",
            Self::PasswordReset => "password_reset",
            Self::AccessDenied => "access_denied",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Dropped => "dropped",
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried in vain.
    Failure,
    /// It was not allowed.
    Denied,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Denied];

    /// Its name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    kind: AuditKind,
    outcome: Outcome,
    at: Timestamp,
    /// Who did it.
    by: Party,
    /// The person whom it concerns, if that is not who did it.
    subject: Option<String>,
    /// What it was done to, as `Kind/id`.
    target: Option<String>,
    detail: Option<String>,
    source: Option<String>,
    decision: Option<String>,
    count: Option<u64>,
    /// The grant type, or what stands in its place, that a token was asked for by; not recorded.
    grant: Option<&'static str>,
}

/// Bytes of one text of a record at most: ids have 128, and what callers choose is cut.
const TEXT: usize = 256;

impl Event {
    /// `kind`, which was done.
    #[must_use]
    pub fn of(kind: AuditKind) -> Self {
        Self {
            kind,
            outcome: Outcome::Success,
            at: Timestamp(0),
            by: Party::default(),
            subject: None,
            target: None,
            detail: None,
            source: None,
            decision: None,
            count: None,
            grant: None,
        }
    }

    /// The same, tried in vain because of `detail`.
    #[must_use]
    pub fn failed(self, detail: &str) -> Self {
        Self { outcome: Outcome::Failure, ..self.detail(detail) }
    }

    /// The same, not allowed because of `detail`.
    #[must_use]
    pub fn denied(self, detail: &str) -> Self {
        Self { outcome: Outcome::Denied, ..self.detail(detail) }
    }

    /// The same by `by`, unless the request says who calls.
    #[must_use]
    pub fn by(self, by: Party) -> Self {
        Self { by, ..self }
    }

    /// The same, done to `id` of `kind`.
    #[must_use]
    pub fn target(self, kind: &str, id: &str) -> Self {
        Self { target: Some(format!("{kind}/{id}")), ..self }
    }

    /// The same event with a detail: fixed words or names of ours, never what somebody typed.
    #[must_use]
    pub fn detail(self, detail: &str) -> Self {
        Self { detail: Some(detail.to_owned()), ..self }
    }

    /// The same, so often.
    #[must_use]
    pub(crate) fn count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// Whether nobody who is known to Castellan is behind it, so that anybody can cause any number.
    #[must_use]
    pub const fn is_a_strangers(&self) -> bool {
        match self.outcome {
            Outcome::Success => false,
            Outcome::Failure => true,
            Outcome::Denied => self.by.is_nobody(),
        }
    }

    /// Whether it is what callers do all day, of which one of them can cause any number.
    #[must_use]
    pub const fn is_routine(&self) -> bool {
        matches!(
            self.kind,
            AuditKind::SignIn
                | AuditKind::TokenIssued
                | AuditKind::TokenRefreshed
                | AuditKind::AccessDenied
        )
    }

    /// Its members, in the order in which a record shows them.
    fn members(&self, site: &str) -> Members {
        let mut members = Members::default();
        let mut set = |name, text: Option<&str>| {
            if let Some(text) = text {
                members.add(name, cut(text));
            }
        };
        set("at", Some(&self.at.rfc3339()));
        set("kind", Some(self.kind.as_str()));
        set("outcome", Some(self.outcome.as_str()));
        set("site", Some(site));
        set("user", self.by.user.as_deref());
        set("client", self.by.client.as_deref());
        set("credential", self.by.credential.as_deref());
        set("subject", self.subject.as_deref());
        set("target", self.target.as_deref());
        set("detail", self.detail.as_deref());
        set("source", self.source.as_deref());
        set("decision", self.decision.as_deref());
        if let Some(count) = self.count {
            members.add("count", count);
        }
        members
    }
}

/// The beginning of `text`, and a mark where it was cut.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT {
        return text.into();
    }
    format!("{}…", &text[..text.floor_char_boundary(TEXT)]).into()
}

/// Events that wait to be recorded at most; those of strangers get only part of the room, so that
/// they cannot take it from others.
const WAITING: usize = 8_192;
const FOR_STRANGERS: usize = WAITING / 4;

/// Events that are not recorded yet.
#[derive(Default)]
pub(crate) struct Queue {
    sender: OnceLock<mpsc::Sender<Event>>,
    dropped: AtomicU64,
    /// The same, ever since the start.
    dropped_in_all: AtomicU64,
    counter: OnceLock<Box<dyn EventCounter>>,
    lines: log::Lines,
}

/// Events on their way to be recorded, for the one who records them.
pub struct Events {
    issuer: Issuer,
    receiver: mpsc::Receiver<Event>,
}

impl Issuer {
    /// Records `event`, which happened now: logs it, and hands it over to whoever writes records.
    /// Waits for nothing; where too many wait, the event is dropped and counted.
    pub fn audit(&self, event: Event) {
        let queue = self.audit_queue();
        if let Some(counter) = queue.counter.get() {
            counter.count(&event);
        }
        let (sender, is_logged) = (queue.sender.get(), log::is_logged(&event));
        if sender.is_none() && !is_logged {
            return;
        }
        let event = origin::complete(Event { at: self.now(), ..event });
        if is_logged {
            queue.lines.write(&event, self.repository().site());
        }
        let Some(sender) = sender else { return };
        let is_full = event.is_a_strangers() && sender.capacity() < WAITING - FOR_STRANGERS;
        if is_full || sender.try_send(event).is_err() {
            queue.dropped.fetch_add(1, Ordering::Relaxed);
            queue.dropped_in_all.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All events from now on; `None` if somebody else takes them already.
    #[must_use]
    pub fn take_audit(&self) -> Option<Events> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.audit_queue().sender.set(sender).ok()?;
        Some(Events { issuer: self.clone(), receiver })
    }
}

impl Events {
    /// Waits for events and puts at most `most` of them into `batch`. Cancelling the wait loses
    /// nothing.
    pub async fn wait(&mut self, batch: &mut Vec<Event>, most: usize) {
        if self.receiver.recv_many(batch, most).await == 0 {
            // The sender is as old as the receiver.
            std::future::pending::<()>().await;
        }
    }

    /// Puts those that are there into `batch`, until that has `most`.
    pub fn take(&mut self, batch: &mut Vec<Event>, most: usize) {
        while batch.len() < most
            && let Ok(event) = self.receiver.try_recv()
        {
            batch.push(event);
        }
    }

    /// How many were dropped since this was last asked.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.issuer.audit_queue().dropped.swap(0, Ordering::Relaxed)
    }

    /// The issuer that they come from.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_texts_are_cut() {
        let mut names: Vec<_> = AuditKind::ALL.map(AuditKind::as_str).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), AuditKind::ALL.len());
        let long = "é".repeat(10_000);
        let party =
            Party { user: Some(long.clone()), client: Some(long.clone()), credential: None };
        let event =
            Event::of(AuditKind::AccessDenied).by(party).denied(&long).target("User", &long);
        let key = castellan_proto::jose::HmacKey::new(&[7; 32]);
        let bytes = event.members("default").close(Timestamp(0), 1, &key).0.text().len();
        assert!(bytes < 5 * (TEXT + 64), "{bytes}");
    }

    #[test]
    fn what_anybody_can_cause_is_a_strangers() {
        let known = Party::user("ann");
        let event = || Event::of(AuditKind::SignIn);
        assert!(!event().is_a_strangers());
        assert!(event().by(known.clone()).failed("no").is_a_strangers(), "tried at ann");
        assert!(!event().by(known).denied("no").is_a_strangers());
        assert!(event().denied("no").is_a_strangers());
    }
}
