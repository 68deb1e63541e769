//! A new password through a link that an administrator issued (`docs/contracts/aidbox.md` §7), or that
//! came by mail (`docs/contracts/curity.md` §6.2).
//!
//! There is one record for each person, so that the newest link is the only one. It has the digest of
//! the link's token as its unique name.

use castellan_proto::{Opaque, OpaqueKind, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use super::credential::PasswordProblem;
use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    error::OAuthError,
    records::{
        Account, login_name,
        repository::{Stored, Update, Versioned},
    },
    secrets::policy::Unacceptable,
    store::{Kind, Notice, StoreError},
};

/// Why no link was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is no such person.
    #[error("the user does not exist")]
    Unknown,
    /// The link would be of no use: nobody signs in as this person with any password, or an account
    /// that is to be activated is active.
    #[error("the user is inactive; activate the account first")]
    Inactive,
    /// An internal error.
    #[error(transparent)]
    Token(#[from] OAuthError),
}

/// Why no password was set. Nothing has changed then, and the link still works unless stated otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Unknown, used, expired, or replaced by a newer one; or the person is gone, inactive, or has a new
    /// password. One answer for all of them.
    #[error("This link is not valid any more. Ask for a new one.")]
    Spent,
    /// The password may not be used.
    #[error("The password {0}. Choose another one.")]
    Password(Unacceptable),
    /// The two passwords differ.
    #[error("The passwords do not match.")]
    Differ,
    /// An internal error.
    #[error("Something went wrong on the server. Try again.")]
    Token(#[from] OAuthError),
}

impl From<StoreError> for IssueError {
    fn from(error: StoreError) -> Self {
        Self::Token(error.into())
    }
}

impl From<StoreError> for ResetError {
    fn from(error: StoreError) -> Self {
        Self::Token(error.into())
    }
}

/// What the form of the link carries.
pub struct ResetForm {
    /// The link's token.
    pub token: String,
    /// The password.
    pub password: Secret,
    /// The password, repeated.
    pub again: Secret,
}

/// Where the link leads, on the address of the site.
pub const RESET_PATH: &str = "/auth/reset-password";
/// Seconds for which it is valid.
pub const RESET_SECONDS: u64 = 15 * 60;
/// Seconds for which one is valid that activates an account.
pub const ACTIVATION_SECONDS: u64 = 24 * 3_600;

/// What a link does besides setting a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkUse {
    /// Nothing: the account is active.
    Reset,
    /// It makes the account active.
    Activation,
}

impl LinkUse {
    /// Whether a link of this use is of any to `account`. What is activated is inactive, or nobody has
    /// ever had a password for it.
    pub(crate) const fn is_for(self, account: &Account) -> bool {
        match self {
            Self::Reset => account.active,
            Self::Activation => !account.active || account.password.is_none(),
        }
    }

    const fn seconds(self) -> u64 {
        match self {
            Self::Reset => RESET_SECONDS,
            Self::Activation => ACTIVATION_SECONDS,
        }
    }
}

impl Issuer {
    /// The token of a link by which the person `id` can set a new password. Links that were issued
    /// earlier are not valid any more.
    ///
    /// # Errors
    /// [`IssueError`] saying why there is none.
    pub async fn issue_reset(&self, id: &str) -> Result<Opaque, IssueError> {
        self.issue_link(id, LinkUse::Reset, None).await
    }

    /// The token of a link by which the person `id` can do what `does` says, and which goes to their
    /// address `sent_to`.
    pub(super) async fn issue_link(
        &self,
        id: &str,
        does: LinkUse,
        sent_to: Option<&str>,
    ) -> Result<Opaque, IssueError> {
        self.may_issue().map_err(OAuthError::from)?;
        let now = self.now();
        let found = self.repository().get::<Account>(id, now).await?.ok_or(IssueError::Unknown)?;
        if !does.is_for(&found.body) {
            return Err(IssueError::Inactive);
        }
        let token = Opaque::generate(OpaqueKind::Reset);
        let fresh = |_: Option<Reset>| {
            let reset = Reset {
                account: id.to_owned(),
                token: token.digest().text(),
                created: found.body.created,
                password_set: found.body.password_set,
                generation: found.body.generation,
                activates: does == LinkUse::Activation,
                sent_to: sent_to.map(login_name),
                ends: Timestamp(now.0 + does.seconds()),
            };
            Ok::<_, StoreError>(Update::Write(reset, Notice::Silent, ()))
        };
        self.repository().update(&record_id(id), now, fresh).await?;
        self.audit(Event::of(AuditKind::ResetLinkIssued).target("User", id));
        Ok(token)
    }

    /// The address of the link with `token`.
    #[must_use]
    pub fn reset_url(&self, token: &Opaque) -> String {
        format!("{}{RESET_PATH}?token={}", self.address().issuer, token.text())
    }

    /// Whether the link with `token` can set a password.
    ///
    /// # Errors
    /// [`ResetError::Spent`] if it cannot.
    pub async fn check_reset(&self, token: &str) -> Result<(), ResetError> {
        self.find_reset(token).await.map(drop)
    }

    /// Sets the password, by which the link is used up. All sessions of the person are over then.
    ///
    /// # Errors
    /// [`ResetError`] saying what to do about it.
    pub async fn reset_password(&self, form: &ResetForm) -> Result<(), ResetError> {
        let event = Event::of(AuditKind::PasswordReset);
        match self.reset_by_link(form).await {
            Ok(id) => {
                self.audit(event.by(Party::user(&id)).target("User", &id));
                Ok(())
            }
            Err(error) => {
                match &error {
                    ResetError::Spent => self.audit(event.failed("the link is not valid")),
                    ResetError::Token(error) => self.audit(event.failed(error.code().as_str())),
                    // Nothing was tried: the form was not right.
                    ResetError::Password(_) | ResetError::Differ => {}
                }
                Err(error)
            }
        }
    }

    /// Whose password was set.
    async fn reset_by_link(&self, form: &ResetForm) -> Result<String, ResetError> {
        self.may_issue().map_err(OAuthError::from)?;
        let stored = self.find_reset(&form.token).await?;
        let password = self.settings().secrets.password(&form.password);
        let password = password.map_err(ResetError::Password)?;
        if form.password != form.again {
            return Err(ResetError::Differ);
        }
        let account = self.repository().get::<Account>(&stored.body.account, self.now()).await?;
        let account = account.ok_or(ResetError::Spent)?.body;
        self.acceptable_new_password(&form.password, &account).await.map_err(|problem| {
            match problem {
                PasswordProblem::Unacceptable(why) => ResetError::Password(why),
                PasswordProblem::Busy(busy) => ResetError::Token(busy.into()),
            }
        })?;
        let phc = self.passwords().hash(&password).await.map_err(OAuthError::from)?;
        // Used up first: a crash in between costs the link, and never leaves it open.
        if !self.repository().delete_at(&stored, self.now()).await? {
            return Err(ResetError::Spent);
        }
        let reset = stored.body;
        let may = |account: &mut Account| {
            let is_for = reset.is_for(account);
            account.active |= reset.activates;
            is_for
        };
        let kept = self.keep_password(&reset.account, phc, may);
        kept.await?.map(|stored| stored.id).ok_or(ResetError::Spent)
    }

    async fn find_reset(&self, token: &str) -> Result<Versioned<Reset>, ResetError> {
        let token = Opaque::read(OpaqueKind::Reset, token).ok_or(ResetError::Spent)?;
        let now = self.now();
        let found = self.repository().find::<Reset>(&token.digest().text(), now).await?;
        let stored = found.ok_or(ResetError::Spent)?;
        let account = self.repository().get::<Account>(&stored.body.account, now).await?;
        let is_for = account.is_some_and(|account| stored.body.is_for(&account.body));
        if is_for { Ok(stored) } else { Err(ResetError::Spent) }
    }
}

fn record_id(account: &str) -> String {
    format!("reset/{account}")
}

/// The newest link of a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reset {
    /// Whose password it sets.
    account: String,
    /// The digest of its token.
    token: String,
    /// When their account was made: another one under the same id is somebody else.
    created: Timestamp,
    /// When they last set a password: whoever has done so since needs no link.
    password_set: Timestamp,
    /// What a deactivation and a new password raise, and what no other account of this id has: times
    /// are whole seconds.
    #[serde(default)]
    generation: u32,
    /// Whether it makes the account active.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    activates: bool,
    /// The folded e-mail address that it was sent to: whoever gave that up does not want what is read
    /// there to set their password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_to: Option<String>,
    /// First second at which it is worthless.
    ends: Timestamp,
}

impl Reset {
    /// Whether it sets the password of `account` as that is now.
    fn is_for(&self, account: &Account) -> bool {
        let does = if self.activates { LinkUse::Activation } else { LinkUse::Reset };
        does.is_for(account)
            && account.created == self.created
            && account.password_set == self.password_set
            && account.generation == self.generation
            && self.sent_to.as_ref().is_none_or(|sent_to| {
                account.emails.iter().any(|email| login_name(email) == *sent_to)
            })
    }
}

impl Stored for Reset {
    const KIND: Kind = Kind::Setup;

    fn unique(&self) -> Vec<String> {
        vec![self.token.clone()]
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}
