//! Links by mail that set a password: the first one, or another one
//! (`docs/contracts/curity.md` §6.2).

use super::{actor::Actor, error::AccountError};
use crate::{
    Issuer,
    messages::SendError,
    records::{Account, login_name, repository::Versioned},
    sign_in::{mailed_links::MailLinkError, reset::LinkUse},
};

/// Whom a link is for.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    /// The account with this id.
    Id(&'a str),
    /// The one with this user name.
    UserName(&'a str),
    /// The one with this e-mail address.
    Email(&'a str),
}

impl Issuer {
    /// Sends a link that sets another password to the primary e-mail address of an active account;
    /// `false` if there is none, or it cannot be sent one. Where not `reveals`, it is sent after the
    /// answer, which is the same for every account.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn send_password_reset(
        &self,
        whom: Whom<'_>,
        locale: Option<&str>,
        reveals: bool,
    ) -> Result<bool, AccountError> {
        if !self.mails_reset_links() {
            return Err(AccountError::NotConfigured("password reset by email"));
        }
        let found = self.whom(whom).await?;
        self.send_link(found, LinkUse::Reset, locale, reveals).await
    }

    /// Sends a link that sets the first password of an account, and makes it active; `false` if there
    /// is none, it is active and has a password, or cannot be sent a link. Where not `reveals`, as for
    /// [`Issuer::send_password_reset`].
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn initialize_activation(
        &self,
        actor: &Actor,
        whom: Whom<'_>,
        locale: Option<&str>,
        reveals: bool,
    ) -> Result<bool, AccountError> {
        if !self.mails_reset_links() {
            return Err(AccountError::NotConfigured("account activation by email"));
        }
        let mut found = self.whom(whom).await?;
        if let Some(stored) = &found
            && let Err(denied) = actor.may_touch(&stored.id, &stored.body)
        {
            if reveals {
                return Err(denied);
            }
            found = None;
        }
        self.send_link(found, LinkUse::Activation, locale, reveals).await
    }

    async fn send_link(
        &self,
        found: Option<Versioned<Account>>,
        does: LinkUse,
        locale: Option<&str>,
        reveals: bool,
    ) -> Result<bool, AccountError> {
        match found {
            Some(stored) if !reveals => {
                self.mail_link_later(stored, does, locale.map(ToOwned::to_owned));
                Ok(true)
            }
            None => Ok(!reveals),
            Some(stored) => match self.mail_link(&stored, does, locale).await {
                Ok(()) => Ok(true),
                Err(MailLinkError::NotApplicable | MailLinkError::Send(SendError::Recipient)) => {
                    Ok(false)
                }
                Err(MailLinkError::NotConfigured) => Err(AccountError::NotConfigured("mail")),
                Err(MailLinkError::Send(SendError::Failed(why))) => Err(AccountError::NotSent(why)),
                Err(MailLinkError::Token(error)) => Err(error.into()),
            },
        }
    }

    async fn whom(&self, whom: Whom<'_>) -> Result<Option<Versioned<Account>>, AccountError> {
        Ok(match whom {
            Whom::Id(id) => self.stored_account(id).await?,
            Whom::UserName(name) => self.find_by_user_name(name).await?,
            Whom::Email(email) => {
                let folded = login_name(email);
                let found = self.repository().find::<Account>(&folded, self.now()).await?;
                let has = |account: &Account| {
                    account.emails.iter().any(|email| login_name(email) == folded)
                };
                found.filter(|stored| has(&stored.body))
            }
        })
    }
}
