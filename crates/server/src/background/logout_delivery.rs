//! Tells apps that somebody signed out (OpenID Connect Back-Channel Logout 1.0 §2.5), in the
//! background: nobody who signs out waits for an app.
//!
//! Whom, where and what is the issuer's to say.

use std::{sync::Arc, time::Duration};

use castellan_issuer::{Issuer, keys::KeyringError, session::logout_notice::Word};
use http::StatusCode;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use url::Url;

use crate::http_client::{Egress, EgressError};

/// What tells the apps of one site.
pub(crate) struct Teller {
    stopping: watch::Sender<bool>,
    work: JoinHandle<()>,
}

/// How long an app may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after each try in vain there is another.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// Apps that are being told at a time; more wait for their turn.
const MOST: usize = 1_000;
/// How long the stop waits for apps that are still to be told.
const LAST: Duration = Duration::from_secs(10);

/// Why an app was not told.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error("the logout token could not be made: {0}")]
    Token(#[from] KeyringError),
    #[error("its address does not parse: {0}")]
    Address(#[from] url::ParseError),
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("the app answered {0}")]
    Status(StatusCode),
}

impl Teller {
    /// Begins to tell the apps of `issuer`.
    pub(crate) fn start(issuer: Issuer) -> Self {
        let (stopping, stop) = watch::channel(false);
        let round = Round { issuer, egress: Egress::to([]).within(PATIENCE), stop };
        Self { stopping, work: tokio::spawn(tell_all(Arc::new(round))) }
    }

    /// Tells, without a pause and until `deadline`, the apps that are still to be told.
    async fn close(self, deadline: Instant) {
        if tokio::time::timeout_at(deadline, self.work).await.is_err() {
            tracing::warn!("apps were not told of sign-outs at the stop");
        }
    }

    /// Ends all of `tellers`, within a bound for all of them.
    pub(crate) async fn close_all(tellers: Vec<Self>) {
        let deadline = Instant::now() + LAST;
        for teller in &tellers {
            teller.stopping.send_replace(true);
        }
        for teller in tellers {
            teller.close(deadline).await;
        }
    }
}

/// What telling takes.
struct Round {
    issuer: Issuer,
    egress: Egress,
    stop: watch::Receiver<bool>,
}

async fn tell_all(round: Arc<Round>) {
    let (mut under_way, mut stop) = (JoinSet::new(), round.stop.clone());
    loop {
        tokio::select! {
            word = round.issuer.next_word(), if under_way.len() < MOST => {
                under_way.spawn(tell(Arc::clone(&round), word));
            }
            Some(_) = under_way.join_next() => {}
            _ = stop.wait_for(|is_over| *is_over) => break,
        }
    }
    while let Some(word) = round.issuer.waiting_word() {
        under_way.spawn(tell(Arc::clone(&round), word));
    }
    while under_way.join_next().await.is_some() {}
}

/// Tells one app, and tries again for a while.
async fn tell(round: Arc<Round>, word: Word) {
    let (client, mut stop) = (&*word.client, round.stop.clone());
    for pause in PAUSES {
        let Err(error) = round.tell_once(&word).await else { return };
        tracing::debug!(client, %error, "an app was not told of a sign-out yet");
        // The stop leaves no time for pauses.
        let _ = tokio::time::timeout(pause, stop.wait_for(|is_over| *is_over)).await;
    }
    if let Err(error) = round.tell_once(&word).await {
        tracing::warn!(client, %error, "an app was not told of a sign-out");
    }
}

impl Round {
    async fn tell_once(&self, word: &Word) -> Result<(), Untold> {
        let url: Url = word.uri.parse()?;
        // A new one each time, so that it is as good at the last try as at the first.
        let token = self.issuer.logout_token(word).await?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", &token)
            .finish();
        // An administrator has named this origin, in the app's document.
        match self.egress.only(&url).post_form(&url, body).await? {
            // Back-Channel Logout 1.0 §2.8.
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            status => Err(Untold::Status(status)),
        }
    }
}
