//! Sessions that people open at a SiteAccess with their login and their password
//! (`docs/contracts/ibexa.md` §2), for clients that keep a cookie and nothing else. They are kept
//! beside those of the pages: they end with them, and people see them in the same list.

use castellan_proto::Opaque;

use super::{Place, SLIDE_SECONDS};
use crate::{
    Issuer,
    records::{Account, Amr, Session, repository::Versioned},
    session::browser::SignedIn,
    store::StoreError,
};

/// A person who has just proved by password who they are, and who is active.
pub struct Proven {
    id: String,
    account: Account,
}

impl Proven {
    pub(crate) fn of(stored: Versioned<Account>) -> Self {
        Self { id: stored.id, account: stored.body }
    }

    /// The account's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The account's record.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }
}

/// What became of an attempt to open a session.
#[derive(Debug)]
pub enum Opened {
    /// There is a new session, and this is its cookie.
    New(Opaque, Box<SignedIn>),
    /// The same person has one at this SiteAccess; it goes on.
    Same,
    /// Somebody else is signed in; their session goes on.
    Other,
    /// The person has no permission `user/login` there (§7.3).
    NotPermitted,
}

impl Issuer {
    /// The session that `cookie`, which is called `name`, stands for, if it is open. SiteAccesses that
    /// have a cookie of one name have one session in it. Slides its idle time, at most once a minute.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn session_at(
        &self,
        name: &str,
        cookie: &Opaque,
    ) -> Result<Option<SignedIn>, StoreError> {
        self.open_session_of(cookie, is_of(name), SLIDE_SECONDS).await
    }

    /// The same, and its idle time begins anew (§2.4).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn refresh_session_at(
        &self,
        name: &str,
        cookie: &Opaque,
    ) -> Result<Option<SignedIn>, StoreError> {
        self.open_session_of(cookie, is_of(name), 0).await
    }

    /// Opens a session at `site_access`, whose cookie is called `name`, for a person who has just proved who they are, unless `before`,
    /// by whom the same client is signed in, is a session that has to be kept (§2.2). The id is always
    /// a new one.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn open_session_at(
        &self,
        site_access: &str,
        name: &str,
        proven: Proven,
        before: Option<&SignedIn>,
    ) -> Result<Opened, StoreError> {
        let person = Some((&*proven.id, &*proven.account.groups));
        if !self.may_sign_in_at(site_access, person).await? {
            return Ok(Opened::NotPermitted);
        }
        match before {
            Some(before) if before.account_id != proven.id => return Ok(Opened::Other),
            Some(before) if before.cookie.as_deref() == Some(name) => {
                return Ok(Opened::Same);
            }
            _ => {}
        }
        let account = (proven.id, proven.account);
        let place = Place::SiteAccess(name);
        let (cookie, signed_in) =
            self.open_session_after(None, account, Amr::of(&["pwd"]), place).await?;
        Ok(Opened::New(cookie, Box::new(signed_in)))
    }

    /// Ends the session that `cookie`, which is called `name`, stands for, everywhere.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the session may or may not be over.
    pub async fn close_session_at(&self, name: &str, cookie: &Opaque) -> Result<(), StoreError> {
        let id = cookie.digest().text();
        if let Some(ended) = self.end_session_if(&id, is_of(name), |_| false).await? {
            self.queue_notifications(ended.notifications);
        }
        Ok(())
    }
}

fn is_of(name: &str) -> impl Fn(&Session) -> bool {
    move |session| session.cookie.as_deref() == Some(name)
}
