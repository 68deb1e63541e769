//! Denials on their way to the store: written in the background, a bounded number at a time, so
//! that no answer waits for them (`design.md` rule 5).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use castellan_gate::{Denial, Recorder};
use castellan_issuer::{Issuer, records::DecisionRecord};
use tokio::sync::mpsc;

/// Where denials are told. Cheap to clone.
#[derive(Clone)]
pub struct Denials {
    queue: mpsc::Sender<(Arc<str>, Denial)>,
    dropped: Arc<AtomicU64>,
}

struct At {
    guard: Arc<str>,
    denials: Denials,
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

    /// The recorder of the guard of that name.
    #[must_use]
    pub fn at(&self, guard: &str) -> Arc<dyn Recorder> {
        Arc::new(At { guard: guard.into(), denials: self.clone() })
    }

    /// How many denials could not be kept since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Recorder for At {
    fn denied(&self, denial: Denial) {
        if self.denials.queue.try_send((Arc::clone(&self.guard), denial)).is_err() {
            self.denials.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn write(issuer: &Issuer, guard: &str, denial: Denial) {
    let id = denial.id.clone();
    let Ok(denial) = serde_json::to_value(&denial) else { return };
    let record = DecisionRecord { at: issuer.now(), guard: guard.to_owned(), denial };
    if let Err(error) = issuer.desk().insert(&id, &record, issuer.now()).await {
        tracing::warn!(%error, decision = id, "a denial could not be kept");
    }
}
