//! The first administrator, made through a one-time link.

use castellan_proto::{Opaque, OpaqueKind, Secret, Timestamp, is_identifier};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    error::OAuthError,
    records::{
        Account,
        repository::{Stored, Written},
    },
    secrets::policy::Unacceptable,
    session::browser::{Browser, SignedIn},
    store::{Kind, StoreError},
};

/// Why the first administrator was not created. Nothing was changed, and the link still works
/// unless stated otherwise.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Unknown, used or expired.
    #[error(
        "This link has already been used, or has expired. Restart the server to get a new one."
    )]
    Spent,
    /// The name cannot be used.
    #[error("A username must have 1 to 128 letters, digits, dots, dashes and underscores.")]
    Name,
    /// The name is in use.
    #[error("This username is already taken.")]
    Taken,
    /// The password is blank or too short.
    #[error("The password {0}. Choose another one.")]
    Password(Unacceptable),
    /// The two passwords differ.
    #[error("The passwords do not match.")]
    Differ,
    /// An internal error.
    #[error("Something went wrong on the server. Try again.")]
    Token(#[from] OAuthError),
}

/// What the form of the link carries.
pub struct SetupForm {
    /// The link's token.
    pub token: String,
    /// The name to sign in with.
    pub user_name: String,
    /// The password.
    pub password: Secret,
    /// The password, repeated.
    pub again: Secret,
}

const LINK_SECONDS: u64 = 86_400;

impl Issuer {
    /// The token of a set-up link, if nobody can sign in yet.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn offer_setup(&self) -> Result<Option<Opaque>, StoreError> {
        let (site, now) = (self.repository().site(), self.now());
        if self.repository().store().count(site, Kind::Account, now).await? > 0 {
            return Ok(None);
        }
        let token = Opaque::generate(OpaqueKind::Setup);
        let setup = Setup { ends: Timestamp(now.0 + LINK_SECONDS) };
        self.repository().insert(&token.digest().text(), &setup, now).await?;
        Ok(Some(token))
    }

    /// Makes the first administrator and signs them in in `browser`.
    ///
    /// # Errors
    /// [`SetupError`] saying what to do about it.
    pub async fn set_up(
        &self,
        form: SetupForm,
        browser: &Browser,
    ) -> Result<(Opaque, SignedIn), SetupError> {
        let token = Opaque::read(OpaqueKind::Setup, &form.token).ok_or(SetupError::Spent)?;
        if !is_identifier(&form.user_name) {
            return Err(SetupError::Name);
        }
        let password = self.settings().secrets.password(&form.password);
        let password = password.map_err(SetupError::Password)?;
        if form.password != form.again {
            return Err(SetupError::Differ);
        }
        let (id, now) = (token.digest().text(), self.now());
        let store = |error: StoreError| SetupError::Token(error.into());
        // Checked before the link is used up, so that a valid link always creates an account.
        let found = self.repository().get::<Setup>(&id, now).await.map_err(store)?;
        found.ok_or(SetupError::Spent)?;
        // Two starts of an empty server make two links: the second one makes no second first.
        let site = self.repository().site();
        if self.repository().store().count(site, Kind::Account, now).await.map_err(store)? > 0 {
            return Err(SetupError::Spent);
        }
        let phc = self.passwords().hash(&password).await.map_err(OAuthError::from)?;
        let account = Account {
            user_name: form.user_name.clone(),
            password: Some(phc),
            groups: vec!["administrators".to_owned()],
            active: true,
            created: now,
            ..Account::default()
        };
        match self.repository().take::<Setup>(&id, now).await.map_err(store)? {
            Some((_, true)) => {}
            _ => return Err(SetupError::Spent),
        }
        match self.repository().insert(&form.user_name, &account, now).await.map_err(store)? {
            Written::Done => {
                let account = (form.user_name, account);
                Ok(self.open_session(account, browser).await.map_err(store)?)
            }
            _ => Err(SetupError::Taken),
        }
    }
}

/// A one-time link that makes the first administrator. Its id is the digest of the link's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

impl Stored for Setup {
    const KIND: Kind = Kind::Setup;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}
