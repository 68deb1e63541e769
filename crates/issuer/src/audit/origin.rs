//! Where an event comes from: the request that is being answered, and who sent it.
//!
//! The server sets it once for every request ([`Origin::of_request`]), around everything that answers
//! it, and the command line once for a command; so no door can forget it, and none of the methods
//! between there and an event has to hand it on.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Event, Outcome};

/// Whoever does something: a person, through an app or not, or what calls by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// The account's id.
    pub user: Option<String>,
    /// The app's `client_id`.
    pub client: Option<String>,
    /// The API key or machine user, as `Kind/id`.
    pub credential: Option<String>,
}

impl Party {
    /// The person `id`.
    #[must_use]
    pub fn user(id: &str) -> Self {
        Self { user: Some(id.to_owned()), ..Self::default() }
    }

    /// The app `id`.
    #[must_use]
    pub fn client(id: &str) -> Self {
        Self { client: Some(id.to_owned()), ..Self::default() }
    }

    /// The person `user`, if there is one, through the app `client`.
    #[must_use]
    pub fn through(user: Option<&str>, client: &str) -> Self {
        Self { user: user.map(ToOwned::to_owned), ..Self::client(client) }
    }

    /// The credential `id` of `kind`.
    #[must_use]
    pub fn credential(kind: &str, id: &str) -> Self {
        Self { credential: Some(format!("{kind}/{id}")), ..Self::default() }
    }

    pub(super) const fn is_nobody(&self) -> bool {
        self.user.is_none() && self.client.is_none() && self.credential.is_none()
    }
}

/// What one request is called, by Castellan and by others: held without an allocation, because every
/// request has it and few need it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestIds {
    /// The id of its decision.
    decision: ShortText<24>,
    /// The id of its trace (W3C Trace Context §3.2.2.3).
    trace: ShortText<32>,
    /// The `X-Request-Id` that it came with, or was given.
    request: ShortText<128>,
}

impl RequestIds {
    /// Characters of a request id at most.
    pub const LONGEST_REQUEST_ID: usize = 128;

    /// The request whose decision has the id `decision`, in the trace `trace`, which others call
    /// `request`. What is longer than these may be is left out.
    #[must_use]
    pub fn new(decision: &str, trace: &str, request: &str) -> Self {
        let (decision, trace) = (ShortText::new(decision), ShortText::new(trace));
        Self { decision, trace, request: ShortText::new(request) }
    }

    /// Those that are known, each with its name in log lines.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("decision", self.decision.as_str()),
            ("trace_id", self.trace.as_str()),
            ("request_id", self.request.as_str()),
        ];
        all.into_iter().filter(|(_, text)| !text.is_empty())
    }
}

/// A text of at most `N` bytes, below 256.
#[derive(Clone, Copy, Debug)]
struct ShortText<const N: usize> {
    bytes: [u8; N],
    length: u8,
}

impl<const N: usize> Default for ShortText<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> ShortText<N> {
    fn new(text: &str) -> Self {
        let mut short = Self::default();
        if let (Some(room), Ok(length)) =
            (short.bytes.get_mut(..text.len()), u8::try_from(text.len()))
        {
            room.copy_from_slice(text.as_bytes());
            short.length = length;
        }
        short
    }

    fn as_str(&self) -> &str {
        // It was a text.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

/// Where events come from.
#[derive(Debug, Default)]
pub struct Origin {
    source: Option<Source>,
    ids: RequestIds,
    parties: Mutex<Parties>,
    /// Whether a line of the log says already that this request was refused.
    has_line: AtomicBool,
}

/// Told apart only where an event is recorded: most requests cause none.
#[derive(Clone, Debug)]
enum Source {
    Address(IpAddr),
    /// The user of this machine who runs a command.
    Command(u32),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Command(uid) => write!(f, "command line, uid {uid}"),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Parties {
    /// Who calls, once that is proven.
    caller: Option<Party>,
    /// Whose secret is being guessed at, or shown.
    aim: Party,
}

tokio::task_local! {
    static ORIGIN: Origin;
}

impl Origin {
    /// The request called `ids`, from `source`, if that is known.
    #[must_use]
    pub fn of_request(ids: RequestIds, source: Option<IpAddr>) -> Self {
        Self { source: source.map(Source::Address), ids, ..Self::default() }
    }

    /// The command line, run by the user `uid` of this machine.
    #[must_use]
    pub fn of_command(uid: u32) -> Self {
        Self { source: Some(Source::Command(uid)), ..Self::default() }
    }

    /// Does `work`, all events of which come from here.
    pub fn within<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        // Not `async`: such a function has room for `work` twice, and every request is moved about.
        ORIGIN.scope(self, work)
    }

    /// Whether it is a command, and no request.
    pub(super) const fn is_command(&self) -> bool {
        matches!(self.source, Some(Source::Command(_)))
    }

    fn parties(&self) -> MutexGuard<'_, Parties> {
        self.parties.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `work`, which goes on after the present request and whose events come from there as well.
pub(crate) fn going_on<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let present = ORIGIN.try_with(|origin| Origin {
        source: origin.source.clone(),
        ids: origin.ids,
        parties: Mutex::new(origin.parties().clone()),
        has_line: AtomicBool::new(true),
    });
    present.unwrap_or_default().within(work)
}

/// What `look` makes of where whatever happens at present comes from; `None` outside of requests and
/// commands.
pub(super) fn present<T>(look: impl FnOnce(&Origin) -> T) -> Option<T> {
    ORIGIN.try_with(look).ok()
}

/// Hands the names and values that tell a log line's request to `add`: its ids, and its source.
pub fn describe(mut add: impl FnMut(&'static str, &dyn fmt::Display)) {
    let _ = ORIGIN.try_with(|origin| {
        origin.ids.named().for_each(|(name, text)| add(name, &text));
        if let Some(source @ Source::Address(_)) = &origin.source {
            add("source", source);
        }
    });
}

/// Notes that a line of the log says what was refused.
pub(super) fn note_line() {
    let _ = ORIGIN.try_with(|origin| origin.has_line.store(true, Ordering::Relaxed));
}

/// Whether nothing was logged of the present request yet.
#[must_use]
pub fn lacks_line() -> bool {
    ORIGIN.try_with(|origin| !origin.has_line.load(Ordering::Relaxed)).unwrap_or(true)
}

/// The request is known to be `caller`'s: whatever it does, they do.
pub fn called_by(caller: Party) {
    let _ = ORIGIN.try_with(|origin| origin.parties().caller = Some(caller));
}

/// Somebody shows, or guesses at, a secret of the account `id`, which exists.
pub(crate) fn aims_at_user(id: &str) {
    let _ = ORIGIN.try_with(|origin| origin.parties().aim.user = Some(id.to_owned()));
}

/// The same of the client `id`, which exists.
pub(crate) fn aims_at_client(id: &str) {
    let _ = ORIGIN.try_with(|origin| origin.parties().aim.client = Some(id.to_owned()));
}

/// `event` with where it comes from. Whom an event names itself is who did it, unless the request is
/// known to be somebody else's: then it is whom it concerns.
pub(super) fn complete(mut event: Event) -> Event {
    // Without an origin there is nothing to add.
    let _ = ORIGIN.try_with(|origin| {
        let parties = origin.parties();
        event.source = origin.source.as_ref().map(ToString::to_string);
        let decision = origin.ids.decision.as_str();
        event.decision = (!decision.is_empty()).then(|| decision.to_owned());
        if let Some(caller) = &parties.caller {
            let named = std::mem::replace(&mut event.by, caller.clone());
            event.subject = named.user.filter(|user| caller.user.as_ref() != Some(user));
        } else if event.outcome == Outcome::Failure && event.by.is_nobody() {
            event.by = parties.aim.clone();
        }
    });
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditKind;

    #[tokio::test]
    async fn who_calls_did_it_and_the_other_is_whom_it_concerns() {
        let origin =
            Origin::of_request(RequestIds::new("d-1", "", ""), Some([192, 0, 2, 7].into()));
        let event = || Event::of(AuditKind::SessionEnded).by(Party::user("ann"));
        let (own, foreign) = origin
            .within(async {
                let own = complete(event());
                called_by(Party::through(Some("root"), "console"));
                (own, complete(event()))
            })
            .await;
        assert_eq!((own.by, own.subject), (Party::user("ann"), None));
        assert_eq!(own.source.as_deref(), Some("192.0.2.7"));
        assert_eq!(foreign.by, Party::through(Some("root"), "console"));
        assert_eq!(foreign.subject.as_deref(), Some("ann"));
        assert_eq!(foreign.decision.as_deref(), Some("d-1"));
    }

    #[test]
    fn ids_that_are_too_long_are_left_out() {
        let ids = RequestIds::new("d-1", "t", &"r".repeat(RequestIds::LONGEST_REQUEST_ID + 1));
        assert_eq!(ids.named().collect::<Vec<_>>(), [("decision", "d-1"), ("trace_id", "t")]);
        let longest = "r".repeat(RequestIds::LONGEST_REQUEST_ID);
        assert_eq!(
            RequestIds::new("", "", &longest).named().next(),
            Some(("request_id", &*longest))
        );
    }

    #[tokio::test]
    async fn a_failure_names_the_account_that_it_was_tried_at() {
        let failed = Origin::of_command(1_000)
            .within(async {
                aims_at_user("ann");
                complete(Event::of(AuditKind::SignIn).failed("no"))
            })
            .await;
        assert_eq!(failed.by, Party::user("ann"));
        assert_eq!(complete(Event::of(AuditKind::SignIn).failed("no")).by, Party::default());
    }
}
