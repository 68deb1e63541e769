//! Messages to people, by mail or as text messages: what is sent, to where, and how much of it.
//!
//! How a message is worded and transmitted is up to the host of the issuer ([`Messenger`]).

mod limits;

use std::{future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
use castellan_proto::random;

use crate::{Issuer, language::Language, records::phone_in_uri};

pub(crate) use limits::Recipient;

/// The way that a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// By mail, to an e-mail address.
    Mail,
    /// As a text message, to a telephone number.
    Text,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A code that proves that the message arrived.
    Code {
        /// The code, in digits.
        code: String,
        /// Minutes for which it is valid.
        minutes: u64,
    },
    /// A link by which the recipient sets a new password.
    PasswordLink {
        /// Where it leads.
        link: String,
        /// Minutes for which it is valid.
        minutes: u64,
    },
    /// A link by which the recipient sets their first password.
    ActivationLink {
        /// Where it leads.
        link: String,
        /// Hours for which it is valid.
        hours: u64,
    },
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The way that it takes.
    pub channel: Channel,
    /// The address or number.
    pub to: String,
    /// What the site is called.
    pub site: String,
    /// The language that its recipient prefers, as in `Accept-Language`.
    pub locale: Option<String>,
    /// The languages that the site offers.
    pub languages: Vec<Language>,
    /// What it says.
    pub content: Content,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing can be sent to this address or number.
    #[error("nothing can be sent to this address")]
    Recipient,
    /// It was not accepted for delivery; the text is for the log and for developers.
    #[error("the message was not accepted for delivery: {0}")]
    Failed(String),
}

/// What is done after the answer.
pub type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Words and transmits messages.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Whether there is a way to send by `channel`.
    fn offers(&self, channel: Channel) -> bool;

    /// Sends `message`; it has been accepted for delivery if this succeeds.
    ///
    /// # Errors
    /// [`SendError`] saying why not.
    async fn send(&self, message: &Message) -> Result<(), SendError>;

    /// Does `work` beside the requests, where an answer must not depend on it; drops it if too much is
    /// waiting.
    fn later(&self, work: Later);
}

/// Digits of a code.
const DIGITS: usize = 8;

impl Issuer {
    /// The same issuer, all else of it shared, which sends messages by `messenger`.
    #[must_use]
    pub fn sending_by(&self, messenger: Arc<dyn Messenger>) -> Self {
        Self { messenger: Some(messenger), ..self.clone() }
    }

    /// What sends by `channel`; `None` if nothing is configured that does.
    pub(crate) fn messenger_of(&self, channel: Channel) -> Option<&Arc<dyn Messenger>> {
        self.messenger.as_ref().filter(|messenger| messenger.offers(channel))
    }

    /// Whether people can ask for a link by mail that sets a new password.
    #[must_use]
    pub fn mails_reset_links(&self) -> bool {
        self.messenger_of(Channel::Mail).is_some()
    }

    /// A message with the name of the site.
    pub(crate) fn message(&self, recipient: &Recipient, content: Content) -> Message {
        Message {
            channel: recipient.channel,
            to: recipient.address.clone(),
            site: self.address().name.clone(),
            locale: None,
            languages: self.settings().languages.clone(),
            content,
        }
    }
}

/// A fresh code: each as likely as any other.
pub(crate) fn new_code() -> String {
    let mut code = String::new();
    while code.len() < DIGITS {
        for byte in random::<16>() {
            // What does not divide evenly is thrown away.
            if byte < 250 && code.len() < DIGITS {
                code.push(char::from(b'0' + byte % 10));
            }
        }
    }
    code
}

/// A code as people type it, in the form in which it was made.
pub(crate) fn typed_code(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

/// `text` as an address that mail can be sent to; `None` if it is none (RFC 5321 §4.1.2, without
/// quoted local parts and address literals). Nothing in it can end a header.
pub(crate) fn mail_address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~.".contains(c)
            || (!c.is_ascii() && c.is_alphanumeric())
    };
    let is_dotted = |part: &str| part.split('.').all(|label| !label.is_empty());
    let is_label = |label: &str| {
        let good = |c: char| c == '-' || c.is_alphanumeric();
        label.len() <= 63 && label.chars().all(good) && !label.starts_with('-')
    };
    let good = text.len() <= 254
        && local.len() <= 64
        && local.chars().all(is_plain)
        && is_dotted(local)
        && is_dotted(domain)
        && domain.split('.').all(is_label);
    good.then(|| text.to_owned())
}

/// `text` as a number that text messages can be sent to, without what people write for the eye; `None`
/// if it is none. It begins with `+` and the code of a country (ITU-T E.164).
pub(crate) fn text_number(text: &str) -> Option<String> {
    let text = text.trim();
    let number = phone_in_uri(text).unwrap_or(text);
    let bare: String =
        number.chars().filter(|c| !matches!(c, ' ' | '(' | ')' | '.' | '-')).collect();
    let digits = bare.strip_prefix('+')?;
    let good = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    (good && !digits.starts_with('0')).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_nothing_in_it_that_could_end_a_header() {
        for good in ["ada@example.org", " o'neil+x@mail.example.org ", "jörg@bücher.example"] {
            assert_eq!(mail_address(good).as_deref(), Some(good.trim()), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@example..org",
            "a..b@example.org",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org, eve@example.org",
            "Ada <ada@example.org>",
            "\"a b\"@example.org",
            "ada@[127.0.0.1]",
            "ada@-example.org",
            "ada\u{0}@example.org",
            &long,
        ] {
            assert_eq!(mail_address(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_number_begins_with_the_code_of_a_country() {
        assert_eq!(text_number("+1 (425) 555-1212").as_deref(), Some("+14255551212"));
        for bad in ["", "555-1212", "+0123456789", "+1425", "+1425555121234567", "+1425x551212"] {
            assert_eq!(text_number(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = new_code();
        assert!(code.len() == DIGITS && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        let typed = format!(" {} {}\n", &code[..4], &code[4..]);
        assert_eq!(typed_code(&typed), code);
    }
}
