//! Which apps are notified when a session ends, and of what: by the server (OpenID Connect
//! Back-Channel Logout 1.0), and by frames in the browser (Front-Channel Logout 1.0).
//!
//! This module selects the apps and makes the tokens. Delivery is up to the host of the issuer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{is_identifier, jose::Algorithm, random};
use serde_json::json;
use tokio::sync::{Mutex, mpsc};

use crate::{
    Issuer,
    keys::{KeyUse, KeyringError},
    queue::QueueLength,
    records::{Client, Session, repository::Update},
    request::url::with_query,
    session::browser::SignedIn,
    store::{Kind, Notice, StoreError},
};

/// Why a session cannot remember an app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RememberError {
    /// The session has ended.
    #[error("the session is over")]
    Over,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a browser still has to do after its session has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FrontchannelLogout {
    /// The URIs to load in frames, which notify apps (Front-Channel Logout 1.0 §2).
    pub frames: Vec<String>,
}

/// A notification to one app that a session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutNotification {
    /// The app's `client_id`.
    pub client: String,
    /// Where to send it: a URI that the app has registered.
    pub uri: String,
    /// Whether an administrator chose the URI, and not the client that registered itself.
    pub is_trusted: bool,
    alg: Algorithm,
    account: String,
    sid: String,
}

/// Notifications that are not delivered yet.
pub(crate) struct Queue {
    sender: mpsc::Sender<LogoutNotification>,
    receiver: Mutex<mpsc::Receiver<LogoutNotification>>,
}

/// Maximum number of queued notifications; in an app that is not notified, the person stays signed
/// in for longer.
const MOST: usize = 10_000;
/// Seconds for which a logout token is valid (Back-Channel Logout 1.0 §2.4 recommends at most two
/// minutes).
const LIFETIME: u64 = 120;

impl Default for Queue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST);
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

impl Queue {
    fn put(&self, notifications: Vec<LogoutNotification>) {
        for notification in notifications {
            if let Err(error) = self.sender.try_send(notification) {
                let client = error.into_inner().client;
                tracing::warn!(client, "a logout notification was dropped: too many are queued");
            }
        }
    }
}

/// A fresh name of a session for apps, which is the id of a `Session` as well: it begins as ids do.
pub(crate) fn new_sid() -> String {
    loop {
        let sid = URL_SAFE_NO_PAD.encode(random::<16>());
        if is_identifier(&sid) {
            return sid;
        }
    }
}

impl Issuer {
    /// The next notification; waits until there is one. Cancelling the wait loses nothing.
    pub async fn next_notification(&self) -> LogoutNotification {
        let mut receiver = self.logout_queue().receiver.lock().await;
        match receiver.recv().await {
            Some(notification) => notification,
            // The sender is as old as the receiver.
            None => std::future::pending().await,
        }
    }

    /// Whether a notification is waiting.
    #[must_use]
    pub fn has_notifications(&self) -> bool {
        // Whoever holds it is taking one.
        self.logout_queue().receiver.try_lock().is_ok_and(|receiver| !receiver.is_empty())
    }

    /// The next notification, if there is one already.
    #[must_use]
    pub fn waiting_notification(&self) -> Option<LogoutNotification> {
        self.logout_queue().receiver.try_lock().ok()?.try_recv().ok()
    }

    /// The logout token for a notification (Back-Channel Logout 1.0 §2.4), valid from now on.
    ///
    /// Signed with a key for logout tokens only, so that it cannot pass for an ID token here, in
    /// the algorithm that the app expects for ID tokens.
    ///
    /// # Errors
    /// [`KeyringError`] if there is no key and none can be made.
    pub async fn logout_token(
        &self,
        notification: &LogoutNotification,
    ) -> Result<String, KeyringError> {
        let now = self.now();
        let claims = json!({
            "iss": self.address().issuer,
            "aud": notification.client,
            "iat": now,
            "exp": now.0 + LIFETIME,
            "jti": URL_SAFE_NO_PAD.encode(random::<16>()),
            "sub": notification.account,
            "sid": notification.sid,
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        self.sign(KeyUse::Logout.with(notification.alg), "logout+jwt", &claims).await
    }

    /// Remembers that the person came to an app that is to be notified of their sign-out, once per
    /// session and app, and returns the name by which the app knows the session.
    pub(crate) async fn remember_app(
        &self,
        id: &str,
        client: &Client,
        person: &SignedIn,
    ) -> Result<Option<String>, RememberError> {
        let is_remembered = person.apps.get(id).is_some_and(|since| client.created <= *since);
        if !client.hears_of_sign_outs() || is_remembered {
            return Ok(person.sid.clone());
        }
        let now = self.now();
        let add = |stored: Option<Session>| {
            // The session has ended: an app that would not be notified of it gets no code.
            let mut session =
                stored.filter(|session| session.ended.is_none()).ok_or(RememberError::Over)?;
            session.apps.insert(id.to_owned(), now);
            let sid = session.sid.get_or_insert_with(new_sid).clone();
            Ok(Update::Write(session, Notice::Silent, Some(sid)))
        };
        self.repository().update(&person.session, now, add).await
    }

    /// The apps to notify that `session` has ended, by their current records.
    pub(crate) async fn logout_notices(
        &self,
        session: &Session,
    ) -> Result<(FrontchannelLogout, Vec<LogoutNotification>), StoreError> {
        let (mut logout_notices, mut notifications) = (FrontchannelLogout::default(), Vec::new());
        let Some(sid) = session.sid.as_ref().filter(|_| !session.apps.is_empty()) else {
            return Ok((logout_notices, notifications));
        };
        let keys: Vec<_> =
            session.apps.keys().map(|id| self.repository().key(Kind::Client, id)).collect();
        for cached_record in self.fresh(&keys).await?.records.into_iter().flatten() {
            let stored = cached_record.read::<Client>()?;
            let (id, client) = (stored.id, stored.body);
            // One that is younger is another app under an old name.
            let is_same = session.apps.get(&id).is_some_and(|since| client.created <= *since);
            if !client.active || !is_same {
                continue;
            }
            if let Some(target) = &client.frontchannel_logout {
                let pairs = [("iss", &*self.address().issuer), ("sid", sid)];
                logout_notices.frames.push(with_query(target.uri.as_str(), pairs));
            }
            if let Some(target) = &client.backchannel_logout {
                let (alg, account) = (client.id_alg, session.account.clone());
                let (uri, sid) = (target.uri.as_str().to_owned(), sid.clone());
                let is_trusted = client.registration.is_none();
                notifications.push(LogoutNotification {
                    client: id,
                    uri,
                    is_trusted,
                    alg,
                    account,
                    sid,
                });
            }
        }
        Ok((logout_notices, notifications))
    }

    /// How many notifications are queued, and how many may be.
    #[must_use]
    pub fn queued_notifications(&self) -> QueueLength {
        let sender = &self.logout_queue().sender;
        let limit = sender.max_capacity();
        QueueLength { waiting: limit - sender.capacity(), limit }
    }

    /// Queues notifications for delivery.
    pub(crate) fn queue_notifications(&self, notifications: Vec<LogoutNotification>) {
        self.logout_queue().put(notifications);
    }
}
