//! What the credential policy of a site does besides its rules about characters
//! (`docs/contracts/curity.md` §6.4): passwords that were used before cannot be chosen again, and some
//! have to be changed before anybody signs in by them.

use castellan_proto::{Secret, Timestamp};

use crate::{
    Issuer,
    error::OAuthError,
    records::{Account, repository::Versioned},
    secrets::{
        hashing::{Busy, Match},
        policy::{Storable, Unacceptable},
    },
};

/// Why a password is not set.
#[derive(Debug, thiserror::Error)]
pub enum PasswordProblem {
    /// It may not be used.
    #[error(transparent)]
    Unacceptable(#[from] Unacceptable),
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
}

impl Issuer {
    /// `password`, if `account` may have it from now on.
    ///
    /// # Errors
    /// [`PasswordProblem`] saying what it lacks.
    pub(crate) async fn acceptable_password(
        &self,
        password: &Secret,
        account: &Account,
    ) -> Result<Storable, PasswordProblem> {
        let storable = self.settings().secrets.password(password)?;
        if self.settings().secrets.history() == 0 {
            return Ok(storable);
        }
        let remembered = account.attached.credential.history.iter();
        for hash in account.password.iter().chain(remembered) {
            if self.passwords().compare(password, Some(hash)).await? != Match::No {
                return Err(Unacceptable::Reused.into());
            }
        }
        Ok(storable)
    }

    /// The same of a password that somebody sets anew. The present one is none: whoever sets a password
    /// expects that the one before is over, and with it all sessions.
    ///
    /// # Errors
    /// [`PasswordProblem`] saying what it lacks.
    pub(crate) async fn acceptable_new_password(
        &self,
        password: &Secret,
        account: &Account,
    ) -> Result<Storable, PasswordProblem> {
        let present = account.password.as_deref().filter(|_| !password.expose().is_empty());
        if let Some(present) = present
            && self.passwords().compare(password, Some(present)).await? != Match::No
        {
            return Err(Unacceptable::Present.into());
        }
        self.acceptable_password(password, account).await
    }

    /// Whether the password of `account` has to be changed before anybody signs in by it.
    #[must_use]
    pub fn must_change_password(&self, account: &Account) -> bool {
        let policy = self.settings().secrets.credential;
        let longest = policy.and_then(|policy| policy.max_age).map(|age| age.get().as_secs());
        let is_old = |from: Timestamp| {
            longest.is_some_and(|longest| self.now().since(from).as_secs() >= longest)
        };
        account.attached.credential.must_change || account.password_age_from().is_some_and(is_old)
    }

    /// Whether `stored`, who has shown all that they sign in with, has to change the password first.
    ///
    /// # Errors
    /// [`OAuthError::MustChangePassword`] if so.
    pub(crate) fn past_forced_change(&self, stored: &Versioned<Account>) -> Result<(), OAuthError> {
        if stored.body.active && self.must_change_password(&stored.body) {
            return Err(OAuthError::MustChangePassword(stored.id.clone()));
        }
        Ok(())
    }
}

/// `found`, for programs that cannot show anybody a page: a password that has to be changed first is
/// as wrong as any other.
pub(super) fn as_wrong<T>(found: Result<Option<T>, OAuthError>) -> Result<Option<T>, OAuthError> {
    match found {
        Err(OAuthError::MustChangePassword(_)) => Ok(None),
        found => found,
    }
}
