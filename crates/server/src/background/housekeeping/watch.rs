//! Whether this node can write, and whether its clock is right: checked continuously, with a write
//! and a query of its own, so that `/readyz` costs the data source nothing.

use std::{error::Error, time::Duration};

use castellan_issuer::{Issuer, readiness::Heartbeat, store::StoreError};
use tokio::time::{sleep, timeout};

/// The interval while there is no problem.
const EVERY: Duration = Duration::from_secs(2);
/// How often, while it is not, so that it is found out soon that it is.
const EVERY_WHILE_UNWELL: Duration = Duration::from_millis(500);
/// How long a write may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Checks once, and then repeatedly until the runtime ends. The sites share one data source, so
/// that one of their issuers is enough.
pub(crate) async fn start(issuer: &Issuer) {
    match issuer.newest_heartbeat().await {
        Ok(newest) => issuer.readiness().clock.has_been(newest),
        Err(error) => {
            let error = &error as &dyn Error;
            tracing::warn!(error, "could not read the newest time in the data source");
        }
    }
    let mut watch =
        Watch { issuer: issuer.clone(), heartbeat: Heartbeat::new(issuer), was_in_time: true };
    watch.look().await;
    tokio::spawn(async move {
        loop {
            let is_well = watch.issuer.readiness().can_write() && watch.was_in_time;
            sleep(if is_well { EVERY } else { EVERY_WHILE_UNWELL }).await;
            watch.look().await;
        }
    });
}

struct Watch {
    issuer: Issuer,
    heartbeat: Heartbeat,
    was_in_time: bool,
}

impl Watch {
    /// Checks both. The clock first, because what is written carries its time.
    async fn look(&mut self) {
        let issuer = self.issuer.clone();
        let (clock, store) = (&issuer.readiness().clock, issuer.repository().store());
        match timeout(PATIENCE, clock.compare(store, issuer.clock())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn Error;
                tracing::warn!(error, "could not read the clock of the data source");
            }
            Err(_) => tracing::warn!("the data source does not report its time"),
        }
        let checked = issuer.check_clock();
        match (self.was_in_time, &checked) {
            (true, Err(wrong)) => {
                tracing::error!("{wrong}; until then this node is not ready and issues no tokens");
            }
            (false, Ok(())) => tracing::info!("the clock is correct again"),
            _ => {}
        }
        self.was_in_time = checked.is_ok();
        self.write().await;
    }

    async fn write(&mut self) {
        let mut written = self.beat().await;
        if let Some(Err(_)) = written {
            // One connection that was closed says little; a second one that fails as well does.
            written = self.beat().await;
        }
        let (readiness, could) = (self.issuer.readiness(), self.issuer.readiness().can_write());
        match &written {
            Some(Ok(())) if !could => tracing::info!("the data source is writable again"),
            Some(Err(error)) if could => {
                let error = error as &dyn Error;
                tracing::error!(error, "cannot write to the data source: not ready");
            }
            None if could => tracing::error!("the data source rejects writes: not ready"),
            _ => {}
        }
        readiness.set_can_write(matches!(written, Some(Ok(()))));
    }

    /// One write; `None` if it did not end in time.
    async fn beat(&mut self) -> Option<Result<(), StoreError>> {
        timeout(PATIENCE, self.heartbeat.beat()).await.ok()
    }
}
