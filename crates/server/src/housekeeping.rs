//! What a running server does by itself: hear of changes, clear what has expired, and see that its
//! clock is right.

use std::time::Duration;

use castellan_issuer::{Issuer, liveness::POLL};

/// How often expired records are cleared, and how many at a time.
const SWEEP: Duration = Duration::from_mins(1);
const BATCH: usize = 1_000;

/// How often the clock is compared with the data source's.
const CLOCKS: Duration = Duration::from_secs(5);

/// Begins all of it. It ends with the runtime.
pub(crate) async fn start(issuers: &[Issuer]) {
    for issuer in issuers {
        let cursor = issuer.liveness().poll(issuer.desk().store(), None, |_| {}).await;
        tokio::spawn(listen(issuer.clone(), cursor.ok()));
    }
    // The sites share one data source, which is swept as a whole.
    if let Some(issuer) = issuers.first() {
        tokio::spawn(sweep(issuer.clone()));
        compare_clocks(issuers).await;
        tokio::spawn(watch_the_clock(issuers.to_vec()));
    }
}

async fn watch_the_clock(issuers: Vec<Issuer>) {
    let mut every = tokio::time::interval(CLOCKS);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        compare_clocks(&issuers).await;
    }
}

async fn compare_clocks(issuers: &[Issuer]) {
    for issuer in issuers {
        let (liveness, store) = (issuer.liveness(), issuer.desk().store());
        let was_in_time = liveness.is_in_time();
        match liveness.compare_clocks(store, issuer.clock()).await {
            Ok(Some(ahead)) if was_in_time && !liveness.is_in_time() => tracing::error!(
                "this machine's clock is {ahead} ms ahead of the data source's: set it by NTP; \
                 until then this node is not ready"
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the data source's clock could not be read"),
        }
    }
}

async fn listen(issuer: Issuer, mut cursor: Option<castellan_issuer::store::FeedCursor>) {
    let mut every = tokio::time::interval(POLL);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let mut keys_changed = false;
        let store = issuer.desk().store();
        let heard = |subject: &str| keys_changed |= issuer.is_keyring(subject);
        match issuer.liveness().poll(store, cursor.as_ref(), heard).await {
            Ok(next) => cursor = Some(next),
            Err(error) => tracing::warn!(%error, "the feed could not be read"),
        }
        if keys_changed && let Err(error) = issuer.reload_keys().await {
            tracing::error!(%error, "the signing keys could not be read again");
        }
    }
}

async fn sweep(issuer: Issuer) {
    let mut every = tokio::time::interval(SWEEP);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        loop {
            match issuer.desk().store().sweep(issuer.now(), BATCH).await {
                // More than one batch is done a batch at a time, so that writers get in between.
                Ok(BATCH) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "expired records could not be cleared");
                    break;
                }
            }
        }
    }
}
