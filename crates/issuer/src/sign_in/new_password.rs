//! A person changes their own password (`docs/contracts/aidbox.md` §7), and what every new password has
//! in common.

use castellan_proto::{Opaque, Secret};

use super::credential::PasswordProblem;
use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    error::OAuthError,
    records::{
        Account, Amr, login_name,
        repository::{Update, Versioned},
    },
    secrets::{hashing::Match, policy::Unacceptable},
    session::browser::{Browser, SignedIn},
    store::{Kind, Notice, StoreError},
};

/// Why a password was not changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It is not the current password.
    #[error("the current password is wrong")]
    Wrong,
    /// The new password is the current one.
    #[error("the new password must differ from the current one")]
    Same,
    /// The new password may not be used.
    #[error("the new password {0}")]
    Password(Unacceptable),
    /// The new password and its repetition differ.
    #[error("the passwords do not match")]
    Differ,
    /// Too many attempts, or an internal error.
    #[error(transparent)]
    Token(#[from] OAuthError),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Token(error.into())
    }
}

/// What a person shows and asks for.
pub struct ChangeForm {
    /// The current password.
    pub current: Secret,
    /// The new one.
    pub new: Secret,
    /// The new one, repeated.
    pub again: Secret,
}

impl Issuer {
    /// Gives the person `id`, who is signed in in `browser` or showed a token, a new password, if
    /// the current one is theirs. The guess at it is counted as one at a sign-in (`docs/rules.md` rule
    /// 48).
    ///
    /// No authentication with the previous password counts afterwards: all sessions are over.
    ///
    /// # Errors
    /// [`ChangeError`] saying what is wrong.
    pub async fn change_password(
        &self,
        id: &str,
        form: &ChangeForm,
        browser: &Browser,
    ) -> Result<Versioned<Account>, ChangeError> {
        let changed = self.change_own_password(id, form, browser).await;
        let event = Event::of(AuditKind::PasswordChanged).by(Party::user(id)).target("User", id);
        match &changed {
            Ok(_) => self.audit(event),
            Err(ChangeError::Wrong) => self.audit(event.failed("wrong password")),
            Err(ChangeError::Token(error)) => self.audit(event.failed(error.code().as_str())),
            // Nothing was tried: the form was not right.
            Err(ChangeError::Same | ChangeError::Password(_) | ChangeError::Differ) => {}
        }
        changed
    }

    async fn change_own_password(
        &self,
        id: &str,
        ChangeForm { current, new, again }: &ChangeForm,
        browser: &Browser,
    ) -> Result<Versioned<Account>, ChangeError> {
        self.may_issue()?;
        // Tells nothing of the current one, so that it need not be a guess.
        let storable = self.settings().secrets.password(new).map_err(ChangeError::Password)?;
        if new != again {
            return Err(ChangeError::Differ);
        }
        let found = self.repository().get::<Account>(id, self.now()).await?;
        let stored = found.filter(|stored| stored.body.active).ok_or(ChangeError::Wrong)?;
        let name = login_name(&stored.body.user_name);
        let guess = self.count_guess(&name, Some(id), browser).await?;
        let phc = stored.body.password.clone().filter(|_| !guess.is_refused);
        let matched = self.passwords().compare_evenly(current, phc.as_deref());
        if matched.await.map_err(OAuthError::from)? == Match::No {
            return Err(ChangeError::Wrong);
        }
        self.guess_was_good(guess).await?;
        let as_kept = self.settings().secrets.password(current);
        if as_kept.is_ok_and(|current| current.secret() == storable.secret()) {
            return Err(ChangeError::Same);
        }
        self.acceptable_password(new, &stored.body).await.map_err(|problem| match problem {
            PasswordProblem::Unacceptable(why) => ChangeError::Password(why),
            PasswordProblem::Busy(busy) => ChangeError::Token(busy.into()),
        })?;
        let fresh = self.passwords().hash(&storable).await.map_err(OAuthError::from)?;
        // Whoever changed it meanwhile made another one the current password.
        let is_same = |account: &mut Account| account.active && account.password == phc;
        self.keep_password(id, fresh, is_same).await?.ok_or(ChangeError::Wrong)
    }

    /// A new session in `browser` for the person who just changed their password there, and who was
    /// signed in by `amr`. The one before is over, and its apps are told.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; then nobody is signed in there.
    pub async fn sign_in_again(
        &self,
        account: Versioned<Account>,
        browser: &Browser,
        amr: Amr,
    ) -> Result<(Opaque, SignedIn), StoreError> {
        self.take_over(browser, account, amr).await
    }

    /// Stores the hash `phc` as the password of `id`, if there is such a person and `may` holds of them
    /// at that moment, with what that changes about them. What they authenticated with before counts no more.
    pub(super) async fn keep_password(
        &self,
        id: &str,
        phc: String,
        may: impl Fn(&mut Account) -> bool + Send + Sync,
    ) -> Result<Option<Versioned<Account>>, StoreError> {
        let now = self.now();
        let set = |stored: Option<Account>| {
            let Some(mut account) = stored else { return Ok(Update::Leave(None)) };
            if !may(&mut account) {
                return Ok(Update::Leave(None));
            }
            account.modified = now;
            account.replace_password(phc.clone(), now, self.settings().secrets.history());
            account.end_sessions();
            Ok::<_, StoreError>(Update::Write(account.clone(), Notice::Tell, Some(account)))
        };
        let Some(account) = self.repository().update(id, now, set).await? else {
            return Ok(None);
        };
        self.bump(Kind::Account, id);
        self.settle_sessions(id, Some(&account)).await?;
        self.repository().get(id, now).await
    }
}
