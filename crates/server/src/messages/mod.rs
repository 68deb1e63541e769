//! Messages to people: wording, and handed to an SMTP server, a service for text messages, a file or the
//! log.
//!
//! What is sent, to whom and how much of it is the issuer's to say.

mod mail;
mod sink;
mod texts;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use castellan_issuer::messages::{Channel, Later, Message, Messenger, SendError};
use castellan_proto::Secret;
use http::Method;
use serde_json::json;
use tokio::sync::Semaphore;
use url::Url;

use crate::{
    config::{ConfigError, Loaded, TextMessagesConfig},
    files,
    http_client::HttpClient,
};
use mail::Mail;
use sink::Sink;
use texts::MessageText;

/// Messages that are transmitted at a time; more wait.
const UNDER_WAY: usize = 16;
/// Messages that are to be sent beside the requests; more are dropped.
const LATER: usize = 256;
/// How long the end of the process waits for those.
const LAST: Duration = Duration::from_secs(10);

/// What sends messages, for all sites.
pub(crate) struct MessageSender {
    mail: Option<Route<Mail>>,
    texts: Option<Route<TextService>>,
    under_way: Semaphore,
    later: Arc<Semaphore>,
}

/// Where messages of a kind go.
enum Route<T> {
    Sent(T, Duration),
    Kept(Sink),
}

/// A service that sends text messages.
struct TextService {
    url: Url,
    secret: Secret,
    client: HttpClient,
}

impl MessageSender {
    /// What sends the messages of the configuration; `None` if that names no way.
    ///
    /// # Errors
    /// [`ConfigError`] if a secret or certificate cannot be read.
    pub(crate) async fn open(loaded: &Loaded) -> Result<Option<Arc<Self>>, ConfigError> {
        let loaded = loaded.clone();
        let host = Url::parse(loaded.site.issuer.as_str());
        let host = host.ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
        let host = host.unwrap_or_default();
        let read = tokio::task::spawn_blocking(move || Self::read(&loaded, &host));
        match tokio::time::timeout(files::PATIENCE, read).await {
            Ok(Ok(message_sender)) => Ok(message_sender?.map(Arc::new)),
            Ok(Err(_)) | Err(_) => Err(ConfigError::Slow),
        }
    }

    fn read(loaded: &Loaded, host: &str) -> Result<Option<Self>, ConfigError> {
        let Loaded { config, folder, roots, .. } = loaded;
        let sink = |file: Option<&Path>| Sink::of(file.map(|file| folder.join(file)));
        let mail = match &config.mail {
            None => None,
            Some(mail) if mail.host.is_none() => Some(Route::Kept(sink(mail.file.as_deref()))),
            Some(mail) => {
                Some(Route::Sent(Mail::open(mail, folder, roots, host)?, mail.timeout.get()))
            }
        };
        let texts = match &config.text_messages {
            None => None,
            Some(TextMessagesConfig { url: Some(url), secret: Some(secret), timeout, .. }) => {
                let service = TextService {
                    url: url.clone(),
                    secret: secret.resolve(folder)?,
                    client: HttpClient::to(roots, [url]).within(timeout.get()).at_most(ANSWER),
                };
                Some(Route::Sent(service, timeout.get()))
            }
            Some(texts) => Some(Route::Kept(sink(texts.file.as_deref()))),
        };
        if mail.is_none() && texts.is_none() {
            return Ok(None);
        }
        let (under_way, later) = (Semaphore::new(UNDER_WAY), Arc::new(Semaphore::new(LATER)));
        Ok(Some(Self { mail, texts, under_way, later }))
    }

    /// What is not sent but kept where others may read it, in words for the operator.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mail = self.mail.as_ref().and_then(Route::sink).map(|sink| ("mail", sink));
        let texts = self.texts.as_ref().and_then(Route::sink).map(|sink| ("text messages", sink));
        let warning = |(what, sink): (&str, &Sink)| {
            format!(
                "{what}: nothing is sent. Codes and links that sign people in are written to \
                 {sink}; use this to try things out only."
            )
        };
        mail.into_iter().chain(texts).map(warning).collect()
    }

    /// Whether the SMTP server can be reached and accepts the password; what it is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) async fn probe_mail(&self) -> Result<String, String> {
        match &self.mail {
            None => Ok("not configured".to_owned()),
            Some(Route::Kept(sink)) => Ok(format!("not sent: written to {sink}")),
            Some(Route::Sent(mail, patience)) => {
                let probed = tokio::time::timeout(*patience, mail.probe()).await;
                probed.unwrap_or_else(|_| Err(slow(*patience)))
            }
        }
    }

    /// Sends a message that says that mail works. Returns what became of it.
    ///
    /// # Errors
    /// [`SendError`] saying why not.
    pub(crate) async fn send_trial(&self, to: &str, site: &str) -> Result<String, SendError> {
        let wording = MessageText::trial(site);
        self.transmit_mail(to, &wording).await?;
        Ok(match &self.mail {
            Some(Route::Kept(sink)) => format!("the test message to {to} was written to {sink}"),
            _ => format!("a test message to {to} was accepted for delivery"),
        })
    }

    async fn transmit_mail(&self, to: &str, wording: &MessageText) -> Result<(), SendError> {
        match &self.mail {
            None => Err(SendError::Failed("no mail is configured".to_owned())),
            Some(Route::Kept(sink)) => sink.keep("mail", to, wording).await,
            Some(Route::Sent(mail, patience)) => {
                self.in_turn(*patience, mail.send(to, wording)).await
            }
        }
    }

    async fn transmit_text(&self, to: &str, wording: &MessageText) -> Result<(), SendError> {
        match &self.texts {
            None => Err(SendError::Failed("no text messages are configured".to_owned())),
            Some(Route::Kept(sink)) => sink.keep("text message", to, wording).await,
            Some(Route::Sent(service, patience)) => {
                self.in_turn(*patience, service.send(to, &wording.short)).await
            }
        }
    }

    /// `sending`, as soon as not too many others are under way, within `patience` in all.
    async fn in_turn(
        &self,
        patience: Duration,
        sending: impl Future<Output = Result<(), SendError>>,
    ) -> Result<(), SendError> {
        let turn = async {
            let _permit = self.under_way.acquire().await;
            sending.await
        };
        let sent = tokio::time::timeout(patience, turn).await;
        sent.unwrap_or_else(|_| Err(SendError::Failed(slow(patience))))
    }

    /// Waits a while for what is sent beside the requests.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(LATER).unwrap_or(u32::MAX);
        if tokio::time::timeout(LAST, self.later.acquire_many(all)).await.is_err() {
            tracing::warn!("messages were not sent before the server stopped");
        }
    }
}

/// Bytes of the answer of a service for text messages at most.
const ANSWER: usize = 64 * 1024;

fn slow(patience: Duration) -> String {
    format!("no answer within {} s", patience.as_secs())
}

#[async_trait]
impl Messenger for MessageSender {
    fn offers(&self, channel: Channel) -> bool {
        match channel {
            Channel::Mail => self.mail.is_some(),
            Channel::Text => self.texts.is_some(),
        }
    }

    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let wording = MessageText::of(message);
        match message.channel {
            Channel::Mail => self.transmit_mail(&message.to, &wording).await,
            Channel::Text => self.transmit_text(&message.to, &wording).await,
        }
    }

    fn later(&self, work: Later) {
        let Ok(permit) = Arc::clone(&self.later).try_acquire_owned() else {
            tracing::warn!("a message was dropped: too many are waiting");
            return;
        };
        tokio::spawn(async move {
            work.await;
            drop(permit);
        });
    }
}

impl<T> Route<T> {
    const fn sink(&self) -> Option<&Sink> {
        match self {
            Self::Sent(..) => None,
            Self::Kept(sink) => Some(sink),
        }
    }
}

impl TextService {
    async fn send(&self, to: &str, text: &str) -> Result<(), SendError> {
        let body = json!({"to": to, "text": text}).to_string();
        let sent = self.client.send(Method::POST, &self.url, Some(&self.secret), body).await;
        match sent {
            Ok((status, _)) if status.is_success() => Ok(()),
            // RFC 9110 §15.5.21: understood, and not to be done.
            Ok((http::StatusCode::UNPROCESSABLE_ENTITY, _)) => Err(SendError::Recipient),
            Ok((status, _)) => {
                Err(SendError::Failed(format!("the service answered with status {status}")))
            }
            Err(error) => Err(SendError::Failed(error.to_string())),
        }
    }
}
