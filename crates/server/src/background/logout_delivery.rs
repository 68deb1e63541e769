//! Notifies apps that somebody signed out (OpenID Connect Back-Channel Logout 1.0 §2.5), in the
//! background, so that signing out waits for no app.
//!
//! Whom, where and what is the issuer's to say.

use std::{sync::Arc, time::Duration};

use castellan_issuer::{Issuer, keys::KeyringError, session::logout_notice::LogoutNotification};
use http::StatusCode;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use url::Url;

use crate::{
    http_client::{HttpClient, HttpClientError},
    roots::TrustedRoots,
};

/// The task that notifies the apps of one site.
pub(crate) struct LogoutDelivery {
    stopping: watch::Sender<bool>,
    work: JoinHandle<()>,
}

/// How long an app may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after each try in vain there is another.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// Maximum number of concurrent deliveries; more are queued.
const MOST: usize = 1_000;
/// How long shutdown waits for pending deliveries.
const LAST: Duration = Duration::from_secs(10);

/// Why a delivery failed.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error("could not create the logout token: {0}")]
    Token(#[from] KeyringError),
    #[error("its URL is not valid: {0}")]
    Address(#[from] url::ParseError),
    #[error(transparent)]
    HttpClient(#[from] HttpClientError),
    #[error("the app answered with status {0}")]
    Status(StatusCode),
}

impl LogoutDelivery {
    /// Starts to deliver the notifications of `issuer`, to apps that are verified against `roots`.
    pub(crate) fn start(issuer: Issuer, roots: &TrustedRoots) -> Self {
        let (stopping, stop) = watch::channel(false);
        let (client, public) = (HttpClient::to(roots, []), HttpClient::to_public(roots));
        let (client, public) = (client.within(PATIENCE), public.within(PATIENCE));
        let round = Round { issuer, client, public, stop };
        Self { stopping, work: tokio::spawn(tell_all(Arc::new(round))) }
    }

    /// Delivers the notifications of `issuer` that are waiting, for a process that ends then.
    pub(crate) async fn finish(issuer: Issuer, roots: &TrustedRoots) {
        if issuer.has_notifications() {
            Self::close_all(vec![Self::start(issuer, roots)]).await;
        }
    }

    /// Delivers the remaining notifications, without pauses and until `deadline`.
    async fn close(self, deadline: Instant) {
        if tokio::time::timeout_at(deadline, self.work).await.is_err() {
            tracing::warn!("logout notifications were not delivered before the server stopped");
        }
    }

    /// Ends all of `tellers`, within a bound for all of them.
    pub(crate) async fn close_all(logout_deliveries: Vec<Self>) {
        let deadline = Instant::now() + LAST;
        for logout_delivery in &logout_deliveries {
            logout_delivery.stopping.send_replace(true);
        }
        for logout_delivery in logout_deliveries {
            logout_delivery.close(deadline).await;
        }
    }
}

/// What a delivery needs.
struct Round {
    issuer: Issuer,
    client: HttpClient,
    /// Reaches public addresses alone.
    public: HttpClient,
    stop: watch::Receiver<bool>,
}

async fn tell_all(round: Arc<Round>) {
    let (mut under_way, mut stop) = (JoinSet::new(), round.stop.clone());
    loop {
        tokio::select! {
            notification = round.issuer.next_notification(), if under_way.len() < MOST => {
                under_way.spawn(deliver(Arc::clone(&round), notification));
            }
            Some(_) = under_way.join_next() => {}
            _ = stop.wait_for(|is_over| *is_over) => break,
        }
    }
    while let Some(notification) = round.issuer.waiting_notification() {
        under_way.spawn(deliver(Arc::clone(&round), notification));
    }
    while under_way.join_next().await.is_some() {}
}

/// Delivers one notification, with retries for a while.
async fn deliver(round: Arc<Round>, notification: LogoutNotification) {
    let (client, mut stop) = (&*notification.client, round.stop.clone());
    for pause in PAUSES {
        let Err(error) = round.deliver_once(&notification).await else { return };
        tracing::debug!(client, %error, "a logout notification failed; it will be retried");
        // The stop leaves no time for pauses.
        let _ = tokio::time::timeout(pause, stop.wait_for(|is_over| *is_over)).await;
    }
    if let Err(error) = round.deliver_once(&notification).await {
        tracing::warn!(client, %error, "a logout notification could not be delivered");
    }
}

impl Round {
    /// Whether the configuration names the origin of `url` as one that may be in a private network.
    fn may_be_private(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        self.issuer.settings().private_origins.contains(&origin)
    }

    async fn deliver_once(&self, notification: &LogoutNotification) -> Result<(), DeliveryError> {
        let url: Url = notification.uri.parse()?;
        // A new token each time, so that it is valid for as long at the last attempt as at the
        // first.
        let token = self.issuer.logout_token(notification).await?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", &token)
            .finish();
        // An administrator has named this origin, in the app's document. What a client registered
        // itself leads to no private network, whatever its name is resolved to by now.
        let is_known = notification.is_trusted || self.may_be_private(&url);
        let client = if is_known { &self.client } else { &self.public };
        match client.only(&url).post_form(&url, body).await? {
            // Back-Channel Logout 1.0 §2.8.
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            status => Err(DeliveryError::Status(status)),
        }
    }
}
