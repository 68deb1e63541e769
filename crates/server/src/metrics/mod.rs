//! What a running server counts, for Prometheus (`docs/metrics.md`).
//!
//! Whatever counts holds handles that it asked for once ([`Metrics::guard`], [`Metrics::site`]), so
//! that counting is an addition to an atomic number. Without `metrics.listen` there is no
//! [`Metrics`], and nothing is counted.

mod catalogue;
mod exposition;
mod guard;
mod histogram;
pub(crate) mod listener;
mod readings;
mod refusals;
mod site;
mod spans;
mod store;

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, info::Info},
    registry::{Metric, Registry},
};

use catalogue::{
    AUDIT_EVENTS, BUILD, DENIALS, PREFIX, REFUSALS, REQUESTS, SIGN_INS, STORE_ERRORS,
    STORE_SECONDS, TOKENS, TRACE_SPANS, UPSTREAM_SECONDS, UPSTREAM_UNSENT,
};
pub(crate) use catalogue::{
    AUDIT_EVENTS_DROPPED, CONNECTIONS, CONNECTIONS_LIMIT, Described, FEED_LAG, GUARD_READY,
    PASSWORDS_WAITING, PASSWORDS_WAITING_LIMIT, QUEUE_LENGTH, QUEUE_LIMIT, READY, SIGNING_KEY_AGE,
    UPSTREAM_REQUESTS, UPSTREAM_REQUESTS_LIMIT, UPSTREAM_UP,
};
pub(crate) use guard::{GuardMetrics, Unsent};
use histogram::Times;
pub(crate) use readings::Samples;
use readings::{Collected, Readings};
pub(crate) use refusals::Refusals;
pub(crate) use spans::SpanCounters;
pub(crate) use store::{StoreMetrics, Verb};

/// The labels of one series.
type Labels = Vec<(&'static str, String)>;

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    refusals: Family<Labels, Counter>,
    #[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "there are no spans"))]
    spans: SpanCounters,
    requests: Family<Labels, Counter>,
    denials: Family<Labels, Counter>,
    upstream_seconds: Family<Labels, Times>,
    upstream_unsent: Family<Labels, Counter>,
    tokens: Family<Labels, Counter>,
    sign_ins: Family<Labels, Counter>,
    audit_events: Family<Labels, Counter>,
    store_seconds: Family<Labels, Times>,
    store_errors: Family<Labels, Counter>,
    readings: Arc<Readings>,
}

impl Metrics {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let readings = Arc::<Readings>::default();
        let build: Labels = labels(&BUILD, vec![env!("CARGO_PKG_VERSION").to_owned()]);
        registry.register(BUILD.name, BUILD.help, Info::new(build));
        registry.register_collector(Box::new(Collected(Arc::clone(&readings))));
        let spans = SpanCounters::of(&registered(&mut registry, &TRACE_SPANS));
        Self {
            refusals: registered(&mut registry, &REFUSALS),
            spans,
            requests: registered(&mut registry, &REQUESTS),
            denials: registered(&mut registry, &DENIALS),
            upstream_seconds: registered(&mut registry, &UPSTREAM_SECONDS),
            upstream_unsent: registered(&mut registry, &UPSTREAM_UNSENT),
            tokens: registered(&mut registry, &TOKENS),
            sign_ins: registered(&mut registry, &SIGN_INS),
            audit_events: registered(&mut registry, &AUDIT_EVENTS),
            store_seconds: registered(&mut registry, &STORE_SECONDS),
            store_errors: registered(&mut registry, &STORE_ERRORS),
            readings,
            registry,
        }
    }

    /// Has `read` called for the values of `described` whenever somebody asks.
    pub(crate) fn read(
        &self,
        described: &'static Described,
        read: impl Fn(&mut Samples) + Send + Sync + 'static,
    ) {
        self.readings.add(described, Box::new(read));
    }

    /// What counts spans.
    #[cfg(feature = "otel")]
    pub(crate) fn spans(&self) -> SpanCounters {
        self.spans.clone()
    }

    /// All of it in the format of `OpenMetrics`.
    ///
    /// # Errors
    /// [`fmt::Error`] if the encoder fails.
    fn openmetrics(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A family of what `described` says, which `registry` shows.
fn registered<M: Default>(registry: &mut Registry, described: &Described) -> Family<Labels, M>
where
    Family<Labels, M>: Metric + Clone,
{
    let family = Family::default();
    registry.register(described.name, described.help, family.clone());
    family
}

/// The labels of `described` with their `values`.
fn labels(described: &Described, values: Vec<String>) -> Labels {
    described.labels.iter().copied().zip(values).collect()
}
