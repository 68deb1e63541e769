//! Who observes a server at work: metrics count, and traces record requests.

mod fetch;
mod store;

use std::sync::Arc;

use crate::{metrics::Metrics, traces::Traces};

/// Both, if there are any. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    pub(crate) metrics: Option<Arc<Metrics>>,
    pub(crate) traces: Option<Arc<Traces>>,
}
