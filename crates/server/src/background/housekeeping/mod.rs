//! What a running server does by itself: read notices of changes, delete expired records, renew its
//! signing keys. Its readiness is checked in [`watch`].

mod watch;

use std::time::Duration;

use castellan_issuer::{Issuer, cache::liveness::POLL};

/// How often expired records are cleared, and how many at a time.
const SWEEP: Duration = Duration::from_mins(1);
const BATCH: usize = 1_000;

/// How often it is looked whether new signing keys are due.
const KEYS: Duration = Duration::from_hours(1);

/// Accounts that a start waits for until they are indexed.
const FEW: usize = 1_000;

/// Begins all of it. It ends with the runtime.
pub(crate) async fn start(issuers: &[Issuer]) {
    for issuer in issuers {
        let heard = issuer.liveness().poll(issuer.repository().store(), None, |_| {}).await;
        tokio::spawn(listen(issuer.clone(), heard.ok().map(|heard| heard.cursor)));
        tokio::spawn(renew_keys(issuer.clone()));
        index_members(issuer).await;
        tokio::spawn(order_accounts(issuer.clone()));
    }
    // The sites share one data source, which is swept as a whole.
    if let Some(issuer) = issuers.first() {
        tokio::spawn(sweep(issuer.clone()));
        watch::start(issuer).await;
    }
}

/// Sees to it that the members of groups are found by an index, at once where there are few accounts.
async fn index_members(issuer: &Issuer) {
    if !matches!(Box::pin(issuer.index_members(FEW)).await, Ok(true)) {
        tokio::spawn(index_all_members(issuer.clone()));
    }
}

async fn index_all_members(issuer: Issuer) {
    loop {
        match issuer.index_members(usize::MAX).await {
            Ok(_) => {
                tracing::info!(site = %issuer.repository().site(), "indexed the members of groups");
                return;
            }
            Err(error) => tracing::warn!(%error, "could not index the members of groups"),
        }
        tokio::time::sleep(SWEEP).await;
    }
}

async fn renew_keys(issuer: Issuer) {
    let mut every = tokio::time::interval(KEYS);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match issuer.rotate_keys_if_due().await {
            Ok(true) => {
                tracing::info!(site = %issuer.repository().site(), "created new signing keys");
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "could not create new signing keys"),
        }
    }
}

/// Brings accounts of before into the orders of lists, once and for all.
async fn order_accounts(issuer: Issuer) {
    let mut every = tokio::time::interval(SWEEP);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match issuer.order_accounts().await {
            Ok(true) => return,
            // Until no older version writes accounts any more.
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "could not bring accounts into order for lists"),
        }
    }
}

async fn listen(issuer: Issuer, mut cursor: Option<castellan_issuer::store::FeedCursor>) {
    let mut every = tokio::time::interval(POLL);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Until they have been read again, whatever goes wrong meanwhile; and once at the start, for
    // changes between the opening and the first poll.
    let mut keys_changed = true;
    loop {
        every.tick().await;
        let store = issuer.repository().store();
        let heard = |subject: &str| keys_changed |= issuer.is_keyring(subject);
        match issuer.liveness().poll(store, cursor.as_ref(), heard).await {
            Ok(heard) => {
                // What was missed may have been about them.
                keys_changed |= heard.gap;
                cursor = Some(heard.cursor);
            }
            Err(error) => tracing::warn!(%error, "could not read the change feed"),
        }
        if keys_changed {
            match issuer.reload_keys().await {
                // A key may have been removed: what it signed is verified again.
                Ok(()) => issuer.liveness().bump_all(),
                Err(error) => {
                    tracing::error!(%error, "could not reload the signing keys");
                    continue;
                }
            }
            keys_changed = false;
        }
    }
}

async fn sweep(issuer: Issuer) {
    let mut every = tokio::time::interval(SWEEP);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        loop {
            match issuer.repository().store().sweep(issuer.now(), BATCH).await {
                // More than one batch is done a batch at a time, so that writers get in between.
                Ok(BATCH) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "could not delete expired records");
                    break;
                }
            }
        }
    }
}
