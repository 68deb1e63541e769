//! Links that set a password, by mail (`docs/contracts/curity.md` §6.2).
//!
//! They lead to the address of the site that the configuration names, whatever a request says
//! (`docs/security-cases.md` row 21), and go to the primary e-mail address of the account, whichever
//! of its names was typed.

use super::reset::{ACTIVATION_SECONDS, IssueError, LinkUse, RESET_SECONDS};
use crate::{
    Issuer,
    audit::origin,
    error::OAuthError,
    messages::{Channel, Content, Later, Recipient, SendError, mail_address},
    records::{Account, repository::Versioned},
    session::browser::Browser,
};

/// Why no link was sent.
#[derive(Debug, thiserror::Error)]
pub enum MailLinkError {
    /// No mail is configured.
    #[error("mail is not configured")]
    NotConfigured,
    /// The account has no use for one: it has no e-mail address, cannot sign in, or is active already.
    #[error("this account cannot be sent such a link")]
    NotApplicable,
    /// It was not accepted for delivery.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Too many messages, or an internal error.
    #[error(transparent)]
    Token(#[from] OAuthError),
}

impl Issuer {
    /// Sends the person `stored` a link that `does` something with their password, in the language
    /// `locale` or else in their own. Earlier links are not valid any more then.
    ///
    /// # Errors
    /// [`MailLinkError`] saying why not.
    pub(crate) async fn mail_link(
        &self,
        stored: &Versioned<Account>,
        does: LinkUse,
        locale: Option<&str>,
    ) -> Result<(), MailLinkError> {
        if self.messenger_of(Channel::Mail).is_none() {
            return Err(MailLinkError::NotConfigured);
        }
        let entry = stored.body.email_entries().into_iter().next();
        let address = entry.as_ref().and_then(|one| mail_address(&one.value));
        // Whoever signs in without a password, by a certificate for instance, gets none by mail.
        let is_for = does.is_for(&stored.body)
            && (does == LinkUse::Activation || stored.body.password.is_some());
        let address = address.filter(|_| is_for);
        let address = address.ok_or(MailLinkError::NotApplicable)?;
        let (channel, account) = (Channel::Mail, stored.id.clone());
        let recipient = Recipient { channel, address, account };
        self.count_message(&recipient).await?;
        let sent_to = entry.as_ref().map(|one| &*one.value);
        let token =
            self.issue_link(&stored.id, does, sent_to).await.map_err(|error| match error {
                IssueError::Token(error) => MailLinkError::Token(error),
                // Gone or changed in between.
                IssueError::Unknown | IssueError::Inactive => MailLinkError::NotApplicable,
            })?;
        let link = self.reset_url(&token);
        let content = match does {
            LinkUse::Reset => Content::PasswordLink { link, minutes: RESET_SECONDS / 60 },
            LinkUse::Activation => {
                Content::ActivationLink { link, hours: ACTIVATION_SECONDS / 3_600 }
            }
        };
        let locale = locale.or_else(|| stored.body.preferred_language());
        Ok(self.send_message(&recipient, content, locale).await?)
    }

    /// The same after the answer, which does not depend on it.
    pub(crate) fn mail_link_later(
        &self,
        stored: Versioned<Account>,
        does: LinkUse,
        locale: Option<String>,
    ) {
        let Some(messenger) = self.messenger_of(Channel::Mail) else { return };
        let issuer = self.clone();
        let work: Later = Box::pin(origin::going_on(async move {
            if let Err(error) = issuer.mail_link(&stored, does, locale.as_deref()).await {
                tracing::info!(account = stored.id, %error, "no link was sent");
            }
        }));
        messenger.later(work);
    }

    /// Somebody in `browser` forgot the password of the person whom `name` leads to. Whether there is
    /// such a person shows neither in the outcome nor in the time that it takes. The message is in the
    /// language of the person, or in `locale`, that of the page, if theirs is not known.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if too many ask from there.
    pub async fn forgot_password(
        &self,
        name: &str,
        locale: &str,
        browser: &Browser,
    ) -> Result<(), OAuthError> {
        self.may_issue()?;
        // Never taken back: nothing tells a good request from a bad one.
        let _counted = self.guess_from(browser.source)?;
        if let Some(stored) = self.find_account(name).await? {
            let locale = stored.body.preferred_language().unwrap_or(locale).to_owned();
            self.mail_link_later(stored, LinkUse::Reset, Some(locale));
        }
        Ok(())
    }
}
