//! The browsers in which a person is signed in, for themselves.

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    records::{Client, Session},
    session::browser::SignedIn,
    store::{Kind, StoreError},
};

/// A browser in which a person is signed in.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// Its name.
    pub sid: String,
    /// It is the one that asks.
    pub is_this: bool,
    /// Since when.
    pub since: Timestamp,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// What the apps are called that hear of its end.
    pub apps: Vec<String>,
}

/// Sessions that are listed at most.
const MOST: usize = 100;

impl Issuer {
    /// The browser sessions of `person`, the one that asks first; at most a hundred.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn own_sessions(&self, person: &SignedIn) -> Result<Vec<OwnSession>, StoreError> {
        let mut sessions = Vec::new();
        let (mut after, mut is_last) = (None, false);
        // Closed ones are among them.
        while !is_last && sessions.len() < MOST {
            let step = self.browser_sessions_of(&person.account_id, after.as_deref(), MOST).await?;
            is_last = step.len() < MOST;
            after = step.last().and_then(|stored| stored.body.sid.clone());
            for stored in step {
                let is_open = person.account.still_trusts_session(&stored.body);
                let Some(sid) = stored.body.sid.clone().filter(|_| is_open) else { continue };
                let apps = self.names_of_apps(&stored.body).await?;
                let is_this = stored.id == person.session;
                let Session { auth_time: since, used, .. } = stored.body;
                sessions.push(OwnSession { sid, is_this, since, used, apps });
            }
        }
        sessions.sort_by_key(|session| (!session.is_this, std::cmp::Reverse(session.used)));
        sessions.truncate(MOST);
        Ok(sessions)
    }

    /// Ends every browser session of `person` besides the one that asks, as
    /// [`Issuer::close_browser_session`] ends one.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; some of them may be over.
    pub async fn end_other_sessions(&self, person: &SignedIn) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let step = self.browser_sessions_of(&person.account_id, after.as_deref(), MOST).await?;
            let is_last = step.len() < MOST;
            after = step.last().and_then(|stored| stored.body.sid.clone());
            for stored in step {
                let is_other = stored.id != person.session && stored.body.ended.is_none();
                if let Some(sid) = stored.body.sid.filter(|_| is_other) {
                    self.close_browser_session(&person.account_id, &sid).await?;
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn names_of_apps(&self, session: &Session) -> Result<Vec<String>, StoreError> {
        let key = |id: &String| self.repository().key(Kind::Client, id);
        let keys: Vec<_> = session.apps.keys().map(key).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for cached_record in self.cached(&keys).await?.records.into_iter().flatten() {
            let stored = cached_record.read::<Client>()?;
            names.push(stored.body.display_name(&stored.id).to_owned());
        }
        Ok(names)
    }
}
