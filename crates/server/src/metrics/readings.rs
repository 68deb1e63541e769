//! What is not counted but read when somebody asks: sizes, ages, and whether things are well.

use std::{
    fmt,
    sync::{PoisonError, RwLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use super::{
    Labels,
    catalogue::{Described, Kind},
};

/// The values of a metric at one moment.
#[derive(Default)]
pub(crate) struct Samples(Vec<(Vec<String>, f64)>);

/// Reads the values of a metric.
type Read = Box<dyn Fn(&mut Samples) + Send + Sync>;

/// All metrics that are read when somebody asks.
#[derive(Default)]
pub(super) struct Readings(RwLock<Vec<(&'static Described, Read)>>);

impl Samples {
    /// One more value, with the value of each label.
    pub(crate) fn add<const N: usize>(&mut self, labels: [&str; N], value: f64) {
        self.0.push((labels.map(ToOwned::to_owned).into(), value));
    }

    /// The same of a number of things.
    pub(crate) fn count<const N: usize>(&mut self, labels: [&str; N], count: usize) {
        // No number of things comes near to what is not exact.
        self.add(labels, u32::try_from(count).map_or(f64::INFINITY, f64::from));
    }

    /// The same of something that is so or not.
    pub(crate) fn flag<const N: usize>(&mut self, labels: [&str; N], is_so: bool) {
        self.add(labels, f64::from(u8::from(is_so)));
    }
}

impl Readings {
    pub(super) fn add(&self, described: &'static Described, read: Read) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push((described, read));
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readings")
    }
}

/// The same, as the registry takes them.
#[derive(Debug)]
pub(super) struct Collected(pub(super) std::sync::Arc<Readings>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for (described, read) in self.0.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            let mut samples = Samples::default();
            read(&mut samples);
            let help = format!("{}.", described.help);
            let (name, kind) = (described.name, described.kind);
            let mut metric = encoder.encode_descriptor(name, &help, None, kind.metric_type())?;
            for (values, value) in samples.0 {
                let labels = super::labels(described, values);
                sample(&mut metric, kind, &labels, value)?;
            }
        }
        Ok(())
    }
}

fn sample(
    metric: &mut MetricEncoder,
    kind: Kind,
    labels: &Labels,
    value: f64,
) -> Result<(), fmt::Error> {
    if labels.is_empty() {
        return metric.encode_gauge(&value);
    }
    let metric = metric.encode_family(labels)?;
    match kind {
        Kind::Counter => ConstCounter::new(value).encode(metric),
        _ => ConstGauge::new(value).encode(metric),
    }
}
