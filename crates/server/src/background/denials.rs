//! Denials on their way to the store: written in the background, with a limit on bytes at a time
//! and per day, so that no response waits for them and they cannot fill the disk (`docs/rules.md`
//! rule 5).

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use castellan_gate::Denial;
use castellan_issuer::{
    Issuer, QueueLength,
    audit::{AuditKind, Event, origin::Party},
    records::DecisionRecord,
};
use tokio::sync::mpsc;

use super::{
    budget::Budget,
    usage::{API_KEY_JWT, FOREIGN_TOKEN},
};

/// Records the denials of one site. Cheap to clone.
#[derive(Clone)]
pub struct Denials {
    queue: mpsc::Sender<Waiting>,
    shared: Arc<Shared>,
}

struct Shared {
    issuer: Issuer,
    /// Bytes of denials that wait to be written.
    waiting: AtomicUsize,
    budgets: Mutex<Budgets>,
    dropped: AtomicU64,
}

/// What may be written of strangers, and of callers who are known: the former cannot use up what
/// is there for the latter.
struct Budgets {
    strangers: Budget,
    known: Budget,
}

/// A denial that waits to be written.
struct Waiting {
    guard: Arc<str>,
    denial: Denial,
    bytes: usize,
}

/// Denials that wait to be written at most, and their bytes; more are counted and dropped.
const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Denials that are written at a time.
const BATCH: usize = 256;

const MIB: u64 = 1024 * 1024;
/// Bytes of denials that are written.
struct Allowed {
    at_once: u64,
    daily: u64,
}

/// Of those of strangers.
const STRANGERS: Allowed = Allowed { at_once: 4 * MIB, daily: 16 * MIB };
/// Of those of callers who are known.
const KNOWN: Allowed = Allowed { at_once: 16 * MIB, daily: 48 * MIB };

impl Denials {
    /// Starts the task that writes recorded denials.
    #[must_use]
    pub fn start(issuer: Issuer) -> Self {
        let (queue, mut waiting) = mpsc::channel(WAITING);
        let now = issuer.now();
        let budget = |Allowed { at_once, daily }| Budget::new(at_once, daily, now);
        let budgets = Budgets { strangers: budget(STRANGERS), known: budget(KNOWN) };
        let shared = Arc::new(Shared {
            issuer,
            waiting: AtomicUsize::new(0),
            budgets: Mutex::new(budgets),
            dropped: AtomicU64::new(0),
        });
        let writer = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                let mut tasks = tokio::task::JoinSet::new();
                for one in batch.drain(..) {
                    let writer = Arc::clone(&writer);
                    tasks.spawn(async move { writer.write(one).await });
                }
                while tasks.join_next().await.is_some() {}
            }
        });
        Self { queue, shared }
    }

    /// How many denials wait to be written, and how many may.
    pub(crate) fn queue(&self) -> QueueLength {
        let limit = self.queue.max_capacity();
        QueueLength { waiting: limit - self.queue.capacity(), limit }
    }

    /// Records a denial at `guard`, unless too much is queued already, or was written today.
    pub(crate) fn tell(&self, guard: &Arc<str>, denial: Denial) {
        self.shared.issuer.audit(audited(guard, &denial));
        let bytes = denial.bytes();
        let waiting = self.shared.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fits = waiting <= WAITING_BYTES && self.shared.may_write(&denial, bytes);
        let one = Waiting { guard: Arc::clone(guard), denial, bytes };
        if !fits || self.queue.try_send(one).is_err() {
            self.shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.shared.note_dropped();
        }
    }
}

/// A denial as an audit record: what was denied, without the document.
fn audited(guard: &str, denial: &Denial) -> Event {
    const NAMED: usize = 3;
    let caller = &denial.caller;
    let by = Party {
        user: caller.person.clone(),
        client: caller.client.clone(),
        credential: caller.credential.as_ref().map(|id| {
            let kind = match &*caller.kind {
                API_KEY_JWT => "AuthKey",
                FOREIGN_TOKEN => "TokenIntrospector",
                _ => "ApiCredential",
            };
            format!("{kind}/{id}")
        }),
    };
    let mut fields = denial.fields.iter();
    let named = fields.by_ref().take(NAMED);
    let named: Vec<_> =
        named.map(|one| format!("{}: {}", one.field, one.reason.as_str())).collect();
    let more = fields.count() + denial.omitted;
    let detail = match (&*named, more) {
        ([], _) => "no valid credential".to_owned(),
        (named, 0) => named.join(", "),
        (named, more) => format!("{}, and {more} more", named.join(", ")),
    };
    Event::of(AuditKind::AccessDenied).by(by).target("Guard", guard).denied(&detail)
}

impl Shared {
    fn may_write(&self, denial: &Denial, bytes: usize) -> bool {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = denial.caller.scope.is_some();
        let budget = if is_known { &mut budgets.known } else { &mut budgets.strangers };
        budget.take(bytes as u64, self.issuer.now())
    }

    /// Logs this from time to time: a line for each would fill the log instead.
    fn note_dropped(&self) {
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if dropped.is_power_of_two() {
            tracing::warn!(
                dropped,
                "denials are not stored for `castellan explain`: they are too many or too large"
            );
        }
    }

    async fn write(&self, Waiting { guard, denial, bytes }: Waiting) {
        let (id, now) = (denial.id.clone(), self.issuer.now());
        if let Ok(denial) = serde_json::to_value(&denial) {
            let record = DecisionRecord { at: now, guard: guard.as_ref().to_owned(), denial };
            if let Err(error) = self.issuer.repository().insert(&id, &record, now).await {
                tracing::warn!(%error, decision = id, "a denial could not be stored");
            }
        }
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}
