//! Which apps hear that a session is over, and what they hear: by the server itself (OpenID Connect
//! Back-Channel Logout 1.0), and by frames of the browser's (Front-Channel Logout 1.0).
//!
//! This room decides whom to tell and makes the tokens. Whoever serves the issuer carries them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{jose::Algorithm, random};
use serde_json::json;
use tokio::sync::{Mutex, mpsc};

use crate::{
    Issuer,
    keys::{KeyUse, KeyringError},
    records::{Client, Session, repository::Update},
    request::url::with_query,
    session::browser::SignedIn,
    store::{Kind, Notice, StoreError},
};

/// Why a session cannot remember an app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RememberError {
    /// It is over by now.
    #[error("the session is over")]
    Over,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a browser has left to do once its session is over.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FrontchannelLogout {
    /// What it loads in frames, so that apps hear of it (Front-Channel Logout 1.0 §2).
    pub frames: Vec<String>,
}

/// What one app is told when a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutNotification {
    /// The app's `client_id`.
    pub client: String,
    /// Where it is to be told: an address that it has registered.
    pub uri: String,
    alg: Algorithm,
    account: String,
    sid: String,
}

/// Words that nobody has carried yet.
pub(crate) struct Queue {
    sender: mpsc::Sender<LogoutNotification>,
    receiver: Mutex<mpsc::Receiver<LogoutNotification>>,
}

/// Words that wait at most; an app that is not told has its person signed in for longer.
const MOST: usize = 10_000;
/// Seconds that a logout token is good (Back-Channel Logout 1.0 §2.4 recommends two minutes at most).
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

/// A fresh name of a session for apps.
pub(crate) fn new_sid() -> String {
    URL_SAFE_NO_PAD.encode(random::<16>())
}

impl Issuer {
    /// The next app to be told; waits until there is one. Nothing is lost if it is given up.
    pub async fn next_notification(&self) -> LogoutNotification {
        let mut receiver = self.logout_queue().receiver.lock().await;
        match receiver.recv().await {
            Some(notification) => notification,
            // The sender is as old as the receiver.
            None => std::future::pending().await,
        }
    }

    /// The next app to be told, if there is one already.
    #[must_use]
    pub fn waiting_notification(&self) -> Option<LogoutNotification> {
        self.logout_queue().receiver.try_lock().ok()?.try_recv().ok()
    }

    /// The token that tells the app of `word` (Back-Channel Logout 1.0 §2.4), good from now on.
    ///
    /// Signed by a key of its own use, so that it can pass for no ID token here, in the algorithm
    /// that the app reads ID tokens in.
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
        self.sign((KeyUse::Logout, notification.alg), "logout+jwt", &claims).await
    }

    /// Remembers that the person came to an app that wants to hear of their sign-out, once per
    /// session and app, and says what the app is to know the session by.
    pub(crate) async fn remember_app(
        &self,
        (id, client): (&str, &Client),
        person: &SignedIn,
    ) -> Result<Option<String>, RememberError> {
        let is_remembered = person.apps.get(id).is_some_and(|since| client.created <= *since);
        if !client.hears_of_sign_outs() || is_remembered {
            return Ok(person.sid.clone());
        }
        let now = self.now();
        let add = |stored: Option<Session>| {
            // Over by now: an app that would not hear of it is let in no more.
            let mut session = stored.ok_or(RememberError::Over)?;
            session.apps.insert(id.to_owned(), now);
            let sid = session.sid.get_or_insert_with(new_sid).clone();
            Ok(Update::Write(session, Notice::Silent, Some(sid)))
        };
        self.repository().update(&person.session, now, add).await
    }

    /// Who is to hear that `session` is over, as the apps stand in the store now.
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
                notifications.push(LogoutNotification { client: id, uri, alg, account, sid });
            }
        }
        Ok((logout_notices, notifications))
    }

    /// Has `words` carried.
    pub(crate) fn queue_notifications(&self, notifications: Vec<LogoutNotification>) {
        self.logout_queue().put(notifications);
    }
}
