//! Browser sessions: who is signed in here.

pub mod browser;
mod csrf;
mod ending;
pub mod logout_notice;
pub mod own;
pub mod site_access;

use crate::session::browser::Browser;
use crate::session::browser::SignedIn;

use castellan_proto::{Opaque, OpaqueKind};

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    records::{
        Account, Amr, Session,
        repository::{TRIES, Versioned, Written, contention},
    },
    session::logout_notice::{FrontchannelLogout, LogoutNotification, new_sid},
    store::{Kind, Notice, StoreError},
};

/// A session that has ended, and the apps to notify.
struct Ended {
    session: Session,
    logout_notices: FrontchannelLogout,
    notifications: Vec<LogoutNotification>,
}

/// Where a session is opened.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In a browser, whose mark it is worth nothing without.
    Browser(&'a Browser),
    /// At a SiteAccess, by a client that keeps nothing but a cookie of this name.
    SiteAccess(&'a str),
}

/// Seconds between writes of a session's last use.
const SLIDE_SECONDS: u64 = 60;

impl Issuer {
    /// Who is signed in in this browser: both its session and its mark must be there. Slides the
    /// session's idle time, at most once a minute.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn signed_in(&self, browser: &Browser) -> Result<Option<SignedIn>, StoreError> {
        let Some(cookie) = &browser.session else { return Ok(None) };
        let is_here = |session: &Session| {
            session.browser.as_deref().is_some_and(|digest| browser.is_marked(digest))
        };
        self.open_session_of(cookie, is_here, SLIDE_SECONDS).await
    }

    /// The session that `cookie` names, if it is open and `is_here`. Its idle time begins anew where it
    /// was last written `slide` seconds ago.
    async fn open_session_of(
        &self,
        cookie: &Opaque,
        is_here: impl Fn(&Session) -> bool,
        slide: u64,
    ) -> Result<Option<SignedIn>, StoreError> {
        let (id, now) = (cookie.digest().text(), self.now());
        let stored = self.repository().get::<Session>(&id, now).await?;
        let Some(mut stored) = stored.filter(|stored| is_here(&stored.body)) else {
            return Ok(None);
        };
        let account_id = stored.body.account.clone();
        let account = self.repository().get::<Account>(&account_id, now).await?;
        let Some(account) = account
            .map(|stored| stored.body)
            .filter(|account| account.still_trusts_session(&stored.body))
        else {
            return Ok(None);
        };
        if now.since(stored.body.used).as_secs() >= slide {
            stored.body.used = now;
            // One of an older version is found by its name from now on.
            stored.body.sid.get_or_insert_with(new_sid);
            // If another request extends it at the same time, that is enough.
            self.repository().replace(&stored, Notice::Silent, now).await?;
        }
        Ok(Some(SignedIn::of(id, account, stored.body)))
    }

    /// A new session for an account in `browser`; always a new id. In a browser without a mark it
    /// opens nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn open_session(
        &self,
        account: (String, Account),
        browser: &Browser,
    ) -> Result<(Opaque, SignedIn), StoreError> {
        self.open_session_after(None, account, Amr::default(), Place::Browser(browser)).await
    }

    /// Signs `account` in in a browser; a session that exists there ends. If it belonged to the
    /// same person, the new one continues it for its apps, unless a new password had already ended
    /// it.
    pub(crate) async fn take_over(
        &self,
        browser: &Browser,
        account: Versioned<Account>,
        amr: Amr,
    ) -> Result<(Opaque, SignedIn), StoreError> {
        let goes_on = |session: &Session| {
            session.account == account.id && account.body.still_trusts_session(session)
        };
        let (mut before, mut notifications) = (None, Vec::new());
        if let Some(ended) = self.end_session(browser, goes_on).await? {
            if goes_on(&ended.session) {
                (before, notifications) = (Some(ended.session), ended.notifications);
            } else {
                self.queue_notifications(ended.notifications);
            }
        }
        let opened = self
            .open_session_after(before, (account.id, account.body), amr, Place::Browser(browser))
            .await;
        if opened.is_err() {
            // It went on nowhere.
            self.queue_notifications(notifications);
        }
        opened
    }

    async fn open_session_after(
        &self,
        before: Option<Session>,
        (account_id, account): (String, Account),
        amr: Amr,
        place: Place<'_>,
    ) -> Result<(Opaque, SignedIn), StoreError> {
        self.may_issue()?;
        if account.needs_second_factor() && !amr.is_multi_factor() {
            // Whoever opens sessions has asked for it. This is for those who forget to.
            return Err(StoreError::new("a session was to begin without its second factor"));
        }
        let (browser, cookie_name) = match place {
            Place::Browser(browser) => {
                (browser.mark.as_ref().map(|mark| mark.digest().text()), None)
            }
            Place::SiteAccess(name) => (None, Some(name.to_owned())),
        };
        let (cookie, now) = (Opaque::generate(OpaqueKind::Session), self.now());
        let settings = self.settings();
        let (sid, apps) = before.map(|before| (before.sid, before.apps)).unwrap_or_default();
        let session = Session {
            account: account_id.clone(),
            auth_time: now,
            amr,
            used: now,
            ends: now + settings.session_absolute.get(),
            idle_seconds: settings.session_idle.get().as_secs(),
            sid: sid.or_else(|| Some(new_sid())),
            apps,
            browser,
            cookie: cookie_name,
            generation: account.generation,
            ended: None,
        };
        let id = cookie.digest().text();
        if self.repository().insert(&id, &session, now).await? != Written::Done {
            return Err(StoreError::new("a newly generated session id was already in use"));
        }
        let mut event = Event::of(AuditKind::SignIn).by(Party::user(&account_id));
        if session.amr.is_multi_factor() {
            event = event.detail(session.amr.acr());
        }
        self.audit(event.target("Session", session.sid.as_deref().unwrap_or_default()));
        Ok((cookie, SignedIn::of(id, account, session)))
    }

    /// Ends the session of this browser, everywhere, and notifies its apps.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the session may or may not be over.
    pub async fn sign_out(&self, browser: &Browser) -> Result<FrontchannelLogout, StoreError> {
        let Some(ended) = self.end_session(browser, |_| false).await? else {
            return Ok(FrontchannelLogout::default());
        };
        self.queue_notifications(ended.notifications);
        Ok(ended.logout_notices)
    }

    /// Ends a session whose cookie was never handed out.
    pub(crate) async fn sign_out_of(&self, cookie: &Opaque) -> Result<(), StoreError> {
        let id = cookie.digest().text();
        if let Some(ended) = self.end_session_if(&id, |_| true, |_| false).await? {
            self.queue_notifications(ended.notifications);
        }
        Ok(())
    }

    /// Ends the session of this browser, if there is one. The caller notifies its apps, or
    /// continues it under another id if `goes_on` says so.
    async fn end_session(
        &self,
        browser: &Browser,
        goes_on: impl Fn(&Session) -> bool,
    ) -> Result<Option<Ended>, StoreError> {
        let Some(cookie) = &browser.session else { return Ok(None) };
        // A session of another browser does not count here. One from before the bond to browsers
        // may be ended.
        let is_here = |session: &Session| {
            session.browser.as_deref().is_none_or(|digest| browser.is_marked(digest))
        };
        self.end_session_if(&cookie.digest().text(), is_here, goes_on).await
    }

    /// Ends the session whose record is `id`, if it `may` end. The record stays as that of a closed
    /// session, unless the session goes on under another id: then that is where it is listed.
    async fn end_session_if(
        &self,
        id: &str,
        may: impl Fn(&Session) -> bool,
        goes_on: impl Fn(&Session) -> bool,
    ) -> Result<Option<Ended>, StoreError> {
        let now = self.now();
        for _ in 0..TRIES {
            let stored = self.repository().get::<Session>(id, now).await?;
            let Some(stored) = stored.filter(|stored| stored.body.ended.is_none()) else {
                self.bump(Kind::Session, id);
                return Ok(None);
            };
            if !may(&stored.body) {
                return Ok(None);
            }
            // Determined first: if the apps cannot be determined, the session does not end.
            let (logout_notices, notifications) = self.logout_notices(&stored.body).await?;
            // At the version that was read: an app that was added meanwhile is notified as well.
            let is_over = !goes_on(&stored.body);
            let ended = if is_over {
                let body = Session { ended: Some(now), browser: None, ..stored.body.clone() };
                let closed = Versioned { id: id.to_owned(), version: stored.version, body };
                let written = self.repository().replace(&closed, Notice::Tell, now).await;
                written.map(|written| written == Written::Done)
            } else {
                self.repository().delete_at(&stored, now).await
            };
            match ended {
                Ok(false) => {}
                Ok(true) => {
                    self.bump(Kind::Session, id);
                    if is_over {
                        self.audit_end(&stored.body);
                    }
                    return Ok(Some(Ended { session: stored.body, logout_notices, notifications }));
                }
                Err(error) => {
                    // It may have ended, so apps are notified.
                    self.queue_notifications(notifications);
                    return Err(error);
                }
            }
        }
        Err(contention(Kind::Session))
    }

    /// Records that `session` has ended.
    fn audit_end(&self, session: &Session) {
        let event = Event::of(AuditKind::SessionEnded).by(Party::user(&session.account));
        self.audit(event.target("Session", session.sid.as_deref().unwrap_or_default()));
    }

    pub(crate) fn bump(&self, kind: Kind, id: &str) {
        self.liveness().bump(&self.repository().key(kind, id).text());
    }
}
