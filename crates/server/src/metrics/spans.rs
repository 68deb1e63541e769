//! What becomes of spans.

use prometheus_client::metrics::{counter::Counter, family::Family};

use super::{Labels, catalogue::TRACE_SPANS, labels};

/// The values of `outcome`.
pub(super) const OUTCOMES: [&str; 3] = ["sent", "failed", "dropped"];

/// Counts spans.
#[derive(Clone, Default)]
#[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "there are none without the feature"))]
pub(crate) struct SpanCounters {
    /// The collector took them.
    pub(crate) sent: Counter,
    /// It did not.
    pub(crate) failed: Counter,
    /// Too many were waiting.
    pub(crate) dropped: Counter,
}

impl SpanCounters {
    /// Those of `family`.
    pub(super) fn of(family: &Family<Labels, Counter>) -> Self {
        let [sent, failed, dropped] = OUTCOMES.map(|outcome| {
            family.get_or_create_owned(&labels(&TRACE_SPANS, vec![outcome.to_owned()]))
        });
        Self { sent, failed, dropped }
    }
}
