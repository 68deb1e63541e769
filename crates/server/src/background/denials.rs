//! Denials on their way to the store: written in the background, a bounded number at a time, so
//! that no answer waits for them (`docs/rules.md` rule 5).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use castellan_gate::Denial;
use castellan_issuer::{Issuer, records::DecisionRecord};
use tokio::sync::mpsc;

/// Where denials are told. Cheap to clone.
#[derive(Clone)]
pub struct Denials {
    queue: mpsc::Sender<(Arc<str>, Denial)>,
    dropped: Arc<AtomicU64>,
}

/// Denials that wait to be written at most; more are counted and dropped.
const WAITING: usize = 4_096;

impl Denials {
    /// Begins to write what is told.
    #[must_use]
    pub fn start(issuer: Issuer) -> Self {
        let (queue, mut waiting) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut batch: Vec<(Arc<str>, Denial)> = Vec::new();
            while waiting.recv_many(&mut batch, 256).await > 0 {
                let mut writes = tokio::task::JoinSet::new();
                for (guard, denial) in batch.drain(..) {
                    let issuer = issuer.clone();
                    writes.spawn(async move { write(&issuer, &guard, denial).await });
                }
                while writes.join_next().await.is_some() {}
            }
        });
        Self { queue, dropped: Arc::default() }
    }

    /// Takes note of a denial at `guard`, unless too many wait already.
    pub(crate) fn tell(&self, guard: &Arc<str>, denial: Denial) {
        if self.queue.try_send((Arc::clone(guard), denial)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many denials could not be kept since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

async fn write(issuer: &Issuer, guard: &str, denial: Denial) {
    let id = denial.id.clone();
    let Ok(denial) = serde_json::to_value(&denial) else { return };
    let record = DecisionRecord { at: issuer.now(), guard: guard.to_owned(), denial };
    if let Err(error) = issuer.repository().insert(&id, &record, issuer.now()).await {
        tracing::warn!(%error, decision = id, "a denial could not be kept");
    }
}
