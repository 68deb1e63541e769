//! Ending sessions by their names: one, all of a person, all that a client has.
//!
//! What is over for tokens stands in the record of the person or the client, which every token
//! depends on anyway: however much there is, it ends with one write. Browser sessions are ended one
//! by one besides, so that people see them as closed and apps are told.

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    records::{
        Account, Client, Session, account_prefix,
        repository::{Update, Versioned, read},
        sid_name,
    },
    store::{Kind, NameEnd, NameQuery, Notice, StoreError, names},
};

/// Browser sessions that are read at a time.
const STEP: usize = 100;

impl Issuer {
    /// The browser session that apps know as `sid`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn browser_session(
        &self,
        sid: &str,
    ) -> Result<Option<Versioned<Session>>, StoreError> {
        self.repository().find::<Session>(&sid_name(sid), self.now()).await
    }

    /// The browser sessions of `account`, closed ones as well, in the order of their `sid`: at most
    /// `limit`, after the `sid` `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn browser_sessions_of(
        &self,
        account: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Versioned<Session>>, StoreError> {
        self.named_sessions(account_prefix(account), after, limit).await
    }

    /// All browser sessions in the order of their `sid`, closed ones as well: at most `limit`,
    /// after the `sid` `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn browser_sessions(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Versioned<Session>>, StoreError> {
        self.named_sessions(sid_name(""), after, limit).await
    }

    /// The sessions that have the name `prefix` with a `sid` behind it.
    async fn named_sessions(
        &self,
        prefix: String,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Versioned<Session>>, StoreError> {
        let query = NameQuery {
            site: self.repository().site().clone(),
            kind: Kind::Session,
            end: NameEnd::Start,
            after: after.map(|sid| format!("{prefix}{sid}")),
            part: prefix,
            descending: false,
            limit,
        };
        let found = names::page(self.repository().store(), &query, self.now()).await?;
        found.into_iter().map(|named| read(named.record)).collect()
    }

    /// Ends the browser session of `account` that apps know as `sid`, and what first-party apps
    /// have from it; its apps are told. `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails. The session may or may not be over; calling this again
    /// completes it.
    pub async fn close_browser_session(
        &self,
        account: &str,
        sid: &str,
    ) -> Result<bool, StoreError> {
        let found = self.browser_session(sid).await?;
        if found.is_none_or(|stored| stored.body.account != account) {
            return Ok(false);
        }
        self.close_shared_session(account, sid).await?;
        Ok(true)
    }

    /// The same for a session that `account` is known to have had. There may be no record of that
    /// name: it has expired, and what apps had from it lives on, or an older version wrote it.
    pub(crate) async fn close_shared_session(
        &self,
        account: &str,
        sid: &str,
    ) -> Result<(), StoreError> {
        let found = self.browser_session(sid).await?;
        if let Some(stored) = found.filter(|stored| stored.body.account == account) {
            self.close_record(&stored.id).await?;
        }
        let now = self.now();
        let end = |stored: Option<Account>| {
            let Some(mut account) = stored else { return Ok(Update::Leave(())) };
            Ok::<_, StoreError>(if account.ended_sessions.add(sid, now) {
                Update::Write(account, Notice::Tell, ())
            } else {
                Update::Leave(())
            })
        };
        self.repository().update(account, now, end).await?;
        self.bump(Kind::Account, account);
        Ok(())
    }

    /// Ends everything of a person: their browser sessions, whose apps are told, and every token.
    /// `false` if there is no such person.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails. Calling this again completes it.
    pub async fn end_sessions_of(&self, account: &str) -> Result<bool, StoreError> {
        let end = |stored: Option<Account>| {
            Ok::<_, StoreError>(match stored {
                Some(mut account) => {
                    account.end_sessions();
                    Update::Write(account.clone(), Notice::Tell, Some(account))
                }
                None => Update::Leave(None),
            })
        };
        let ended = self.repository().update(account, self.now(), end).await?;
        self.bump(Kind::Account, account);
        self.settle_sessions(account, ended.as_ref()).await?;
        if ended.is_some() {
            let event = Event::of(AuditKind::SessionEnded).by(Party::user(account));
            self.audit(event.target("User", account).detail("all sessions and tokens"));
        }
        Ok(ended.is_some())
    }

    /// Ends every token of a client, of whatever grant and person. `false` if there is no such
    /// client. Browser sessions are the site's and not the client's; they go on.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; they may or may not be over.
    pub async fn end_sessions_of_client(&self, client: &str) -> Result<bool, StoreError> {
        let end = |stored: Option<Client>| {
            Ok::<_, StoreError>(match stored {
                Some(mut client) => {
                    client.generation = client.generation.wrapping_add(1);
                    Update::Write(client, Notice::Tell, true)
                }
                None => Update::Leave(false),
            })
        };
        let there = self.repository().update(client, self.now(), end).await?;
        self.bump(Kind::Client, client);
        if there {
            let event = Event::of(AuditKind::SessionEnded).target("Client", client);
            self.audit(event.detail("all tokens"));
        }
        Ok(there)
    }

    /// Closes the browser sessions of `id` that `account`, as it is now, no longer trusts (all of
    /// them without it), and tells their apps. To be called after `account` was written: what is
    /// over is over by then, and calling this again completes what a failure left.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; some of them may not be closed yet, though none opens
    /// anything.
    pub(crate) async fn settle_sessions(
        &self,
        id: &str,
        account: Option<&Account>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let step = self.browser_sessions_of(id, after.as_deref(), STEP).await?;
            let is_last = step.len() < STEP;
            after = step.last().and_then(|stored| stored.body.sid.clone());
            for stored in step {
                let is_over = |account: &Account| !account.still_trusts_session(&stored.body);
                if stored.body.ended.is_none() && account.is_none_or(is_over) {
                    self.close_record(&stored.id).await?;
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Closes the session of the record `id`, and tells its apps.
    async fn close_record(&self, id: &str) -> Result<(), StoreError> {
        if let Some(ended) = self.end_session_if(id, |_| true, |_| false).await? {
            self.queue_notifications(ended.notifications);
        }
        Ok(())
    }
}
