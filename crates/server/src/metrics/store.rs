//! How long the operations of the data source take.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use prometheus_client::metrics::counter::Counter;

use super::{
    Metrics,
    catalogue::{STORE_ERRORS, STORE_IN_FLIGHT, STORE_SECONDS},
    histogram::Times,
    labels,
};

/// An operation that takes a round trip.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    GetMany,
    Find,
    Insert,
    Replace,
    Take,
    Delete,
    Page,
    PageByName,
    Count,
    Feed,
    Notify,
    Sweep,
    Clock,
    AdmitsOlder,
}

/// What each is called, at the place that its number says.
pub(super) const VERBS: [&str; 14] = [
    "get_many",
    "find",
    "insert",
    "replace",
    "take",
    "delete",
    "page",
    "page_by_name",
    "count",
    "feed",
    "notify",
    "sweep",
    "clock",
    "admits_older",
];

impl Verb {
    /// As it appears in metrics and traces.
    pub(crate) const fn as_str(self) -> &'static str {
        VERBS[self as usize]
    }
}

/// What the data source counts.
pub(crate) struct StoreMetrics {
    verbs: [(Times, Counter); VERBS.len()],
    in_flight: Arc<AtomicUsize>,
}

/// An operation that has begun.
struct Begun<'a>(&'a AtomicUsize);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// What the data source counts.
    pub(crate) fn store(&self) -> StoreMetrics {
        let in_flight = Arc::<AtomicUsize>::default();
        let shown = Arc::clone(&in_flight);
        self.read(&STORE_IN_FLIGHT, move |samples| {
            samples.count([], shown.load(Ordering::Relaxed));
        });
        let verbs = VERBS.map(|verb| {
            let of = |described| labels(described, vec![verb.to_owned()]);
            let times = self.store_seconds.get_or_create_owned(&of(&STORE_SECONDS));
            (times, self.store_errors.get_or_create_owned(&of(&STORE_ERRORS)))
        });
        StoreMetrics { verbs, in_flight }
    }
}

impl StoreMetrics {
    /// Does `work`, which is `verb`, and counts how long it takes and whether it fails.
    pub(crate) async fn measure<T, E>(
        &self,
        verb: Verb,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let (times, errors) = &self.verbs[verb as usize];
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let (_begun, began) = (Begun(&self.in_flight), Instant::now());
        let done = work.await;
        times.observe(began.elapsed());
        if done.is_err() {
            errors.inc();
        }
        done
    }
}
