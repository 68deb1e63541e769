//! The first administrator, made through a one-time link.

use castellan_proto::{Opaque, OpaqueKind, Secret, Timestamp, is_identifier};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    error::OAuthError,
    records::{
        Account, login_name,
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
    /// There are too many people to search for an administrator among them.
    #[error(
        "There are people already, and the link is only for a server without administrators. On \
         the server, run `castellan user add NAME --group administrators`, or add the group \
         `administrators` to an existing person with `castellan apply`."
    )]
    Crowd,
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
/// Among how many people an administrator is looked for.
const SEARCHED: usize = 1_000;
/// People that are read at a time.
const PAGE: usize = 250;

impl Issuer {
    /// The token of a set-up link, if there is no administrator who can sign in. None is offered where there are
    /// more people than are searched for one.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn offer_setup(&self) -> Result<Option<Opaque>, StoreError> {
        let now = self.now();
        match self.lacks_administrator().await {
            Ok(()) => {}
            Err(SetupError::Token(OAuthError::Store(error))) => return Err(error),
            Err(_) => return Ok(None),
        }
        let token = Opaque::generate(OpaqueKind::Setup);
        let setup = Setup { ends: Timestamp(now.0 + LINK_SECONDS) };
        self.repository().insert(&token.digest().text(), &setup, now).await?;
        Ok(Some(token))
    }

    /// Whether there is no administrator who can sign in.
    ///
    /// # Errors
    /// [`SetupError::Spent`] if there is one, [`SetupError::Crowd`] if it cannot be told.
    async fn lacks_administrator(&self) -> Result<(), SetupError> {
        let (mut after, mut searched) = (None, 0);
        while searched < SEARCHED {
            let page = self.repository().page::<Account>("", after, PAGE, self.now());
            let page = page.await.map_err(OAuthError::from)?;
            if page.iter().any(|person| person.body.active && person.body.is_administrator()) {
                return Err(SetupError::Spent);
            }
            searched += page.len();
            after = page.last().map(|last| last.id.clone());
            if after.is_none() {
                return Ok(());
            }
        }
        Err(SetupError::Crowd)
    }

    /// Whether the link with `token` can make the first administrator.
    ///
    /// # Errors
    /// [`SetupError`] saying what to do about it.
    pub async fn check_setup(&self, token: &str) -> Result<(), SetupError> {
        let token = Opaque::read(OpaqueKind::Setup, token).ok_or(SetupError::Spent)?;
        let found = self.repository().get::<Setup>(&token.digest().text(), self.now()).await;
        found.map_err(OAuthError::from)?.ok_or(SetupError::Spent)?;
        // Two starts of an empty server make two links: the second one makes no second first.
        self.lacks_administrator().await
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
        self.check_setup(&form.token).await?;
        let people = self.repository();
        let name = login_name(&form.user_name);
        if people.get::<Account>(&form.user_name, now).await.map_err(store)?.is_some()
            || people.find::<Account>(&name, now).await.map_err(store)?.is_some()
        {
            return Err(SetupError::Taken);
        }
        let phc = self.passwords().hash(&password).await.map_err(OAuthError::from)?;
        let account = Account {
            user_name: form.user_name.clone(),
            password: Some(phc),
            groups: vec!["administrators".to_owned()],
            active: true,
            created: now,
            generation: Account::first_generation(),
            ..Account::default()
        };
        match self.repository().take::<Setup>(&id, now).await.map_err(store)? {
            Some((_, true)) => {}
            _ => return Err(SetupError::Spent),
        }
        match self.repository().insert(&form.user_name, &account, now).await.map_err(store)? {
            Written::Done => {
                let event = Event::of(AuditKind::ResourceCreated).by(Party::user(&form.user_name));
                self.audit(event.target("User", &form.user_name).detail("first administrator"));
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
