//! How many messages are sent, so that nobody is flooded (`docs/rules.md` rule 48): in an hour, a few to
//! one address, and a few for one account. All nodes count together.

use castellan_proto::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Channel, Content, SendError};
use crate::{
    Issuer,
    error::OAuthError,
    records::{
        login_name, phone_name,
        repository::{Stored, Update},
    },
    store::{Kind, Notice},
};

/// Where a message goes, and for which account.
pub(crate) struct Recipient {
    pub(crate) channel: Channel,
    /// The address or number.
    pub(crate) address: String,
    /// The id of the account.
    pub(crate) account: String,
}

/// Messages to one address in an hour.
const TO_ADDRESS: usize = 5;
/// Messages for one account in an hour, whatever the address.
const FOR_ACCOUNT: usize = 10;
/// Seconds for which a message counts.
const WINDOW: u64 = 3_600;

/// When messages were sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct SentMessages {
    /// The last ones, the oldest first.
    times: Vec<Timestamp>,
}

impl Stored for SentMessages {
    const KIND: Kind = Kind::Guesses;

    fn expires_at(&self) -> Option<Timestamp> {
        self.times.last().map(|last| Timestamp(last.0 + WINDOW))
    }
}

impl Issuer {
    /// Counts a message to `recipient`, before it is sent.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if there were too many; then nothing may be sent.
    pub(crate) async fn count_message(&self, recipient: &Recipient) -> Result<(), OAuthError> {
        let folded = match recipient.channel {
            Channel::Mail => login_name(&recipient.address),
            Channel::Text => phone_name(&recipient.address),
        };
        let account = format!("for {}", recipient.account);
        self.count_sent(&account, FOR_ACCOUNT).await?;
        self.count_sent(&format!("to {folded}"), TO_ADDRESS).await
    }

    async fn count_sent(&self, subject: &str, most: usize) -> Result<(), OAuthError> {
        let now = self.now();
        let count = |stored: Option<SentMessages>| {
            let mut sent = stored.unwrap_or_default();
            sent.times.retain(|at| now.since(*at).as_secs() < WINDOW);
            if let Some(oldest) = sent.times.first().filter(|_| sent.times.len() >= most) {
                let waited = now.since(*oldest).as_secs();
                return Err(OAuthError::Throttled(WINDOW.saturating_sub(waited).max(1)));
            }
            sent.times.push(now);
            Ok(Update::Write(sent, Notice::Silent, ()))
        };
        let id = format!("message/{}", Digest::of(subject.as_bytes()).text());
        self.repository().update(&id, now, count).await
    }

    /// Sends `content` to `recipient`, which was counted.
    ///
    /// # Errors
    /// [`SendError`] saying why not.
    pub(crate) async fn send_message(
        &self,
        recipient: &Recipient,
        content: Content,
        locale: Option<&str>,
    ) -> Result<(), SendError> {
        let Some(messenger) = self.messenger_of(recipient.channel) else {
            return Err(SendError::Failed("nothing is configured that sends it".to_owned()));
        };
        let mut message = self.message(recipient, content);
        message.locale = locale.map(ToOwned::to_owned);
        let sent = messenger.send(&message).await;
        if let Err(SendError::Failed(why)) = &sent {
            tracing::warn!(account = recipient.account, why, "a message could not be sent");
        }
        sent
    }
}
