//! Where an event comes from: the request that is being answered, and who sent it.
//!
//! The server sets it once for every request ([`Origin::of_request`]), around everything that answers
//! it, and the command line once for a command; so no door can forget it, and none of the methods
//! between there and an event has to hand it on.

use std::{
    fmt,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
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

/// Where events come from.
#[derive(Debug, Default)]
pub struct Origin {
    source: Option<Source>,
    decision: Option<String>,
    parties: Mutex<Parties>,
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
    /// The request whose decision has the id `decision`, from `source`, if that is known.
    #[must_use]
    pub fn of_request(decision: &str, source: Option<IpAddr>) -> Self {
        Self {
            source: source.map(Source::Address),
            decision: Some(decision.to_owned()),
            parties: Mutex::default(),
        }
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

    fn parties(&self) -> MutexGuard<'_, Parties> {
        self.parties.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `work`, which goes on after the present request and whose events come from there as well.
pub(crate) fn going_on<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let present = ORIGIN.try_with(|origin| Origin {
        source: origin.source.clone(),
        decision: origin.decision.clone(),
        parties: Mutex::new(origin.parties().clone()),
    });
    present.unwrap_or_default().within(work)
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
        event.decision.clone_from(&origin.decision);
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
        let origin = Origin::of_request("d-1", Some([192, 0, 2, 7].into()));
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
