//! The browser that a request came from, and who is signed in there.

use std::collections::BTreeMap;

use castellan_proto::{Opaque, Timestamp, constant_time_eq};

use crate::{
    records::{Account, Amr, Session},
    request::source::Source,
};

/// What a browser brings along.
#[derive(Default)]
pub struct Browser {
    /// The session cookie, if it reads as one.
    pub session: Option<Opaque>,
    /// The mark that binds a sign-in in progress, and the session, to this browser, if it reads as
    /// one.
    pub mark: Option<Opaque>,
    /// From where it comes; none if it is our own.
    pub source: Option<Source>,
}

/// A person who is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session's id.
    pub session: String,
    /// The account's id.
    pub account_id: String,
    /// The account's record.
    pub account: Account,
    /// When they proved who they are.
    pub auth_time: Timestamp,
    /// The authentication methods that the person used.
    pub amr: Amr,
    /// What apps know the session by.
    pub(crate) sid: Option<String>,
    /// The apps to notify of its end, and since when.
    pub(crate) apps: BTreeMap<String, Timestamp>,
    /// The name of its cookie, if it was opened at a SiteAccess; none if it is one of the pages.
    pub(crate) cookie: Option<String>,
}

impl SignedIn {
    /// Who is signed in by `session`, whose record is `id`.
    pub(crate) fn of(id: String, account: Account, session: Session) -> Self {
        let Session { account: account_id, auth_time, amr, sid, apps, cookie, .. } = session;
        Self { session: id, account_id, account, auth_time, amr, sid, apps, cookie }
    }

    /// What apps and people know the session by: it reveals neither its cookie nor its record.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }
}

impl Browser {
    /// Whether it has the mark of which `digest` is kept.
    pub(crate) fn is_marked(&self, digest: &str) -> bool {
        let same =
            |mark: &Opaque| constant_time_eq(digest.as_bytes(), mark.digest().text().as_bytes());
        self.mark.as_ref().is_some_and(same)
    }
}
