//! What one guard counts.

use std::{sync::Arc, time::Duration};

use castellan_gate::{Denial, Reason, RequestVerdict};
use prometheus_client::metrics::counter::Counter;

use super::{
    Metrics,
    catalogue::{DENIALS, REQUESTS, UPSTREAM_SECONDS, UPSTREAM_UNSENT},
    histogram::Times,
    labels,
};

/// Why a request that is allowed is not sent to the API.
#[derive(Clone, Copy)]
pub(crate) enum Unsent {
    /// As many are in flight as may be.
    Full,
    /// It has failed of late.
    Paused,
}

/// The names of these, at the place that the number of each says.
pub(super) const UNSENT: [&str; 2] = ["full", "paused"];

/// What one guard counts, each at the place that its number says.
pub(crate) struct GuardMetrics {
    requests: [Counter; RequestVerdict::ALL.len()],
    denials: [Counter; Reason::ALL.len()],
    unsent: [Counter; UNSENT.len()],
    answered: Times,
    failed: Times,
}

impl Metrics {
    /// What the guard `name` at `site` counts; it goes on where one of that name was before.
    pub(crate) fn guard(&self, site: &str, name: &str) -> Arc<GuardMetrics> {
        let values = |last: &str| vec![site.to_owned(), name.to_owned(), last.to_owned()];
        let request = |one: RequestVerdict| {
            self.requests.get_or_create_owned(&labels(&REQUESTS, values(one.as_str())))
        };
        let denial =
            |one: Reason| self.denials.get_or_create_owned(&labels(&DENIALS, values(one.as_str())));
        let unsent =
            |one| self.upstream_unsent.get_or_create_owned(&labels(&UPSTREAM_UNSENT, values(one)));
        let times = |one| {
            self.upstream_seconds.get_or_create_owned(&labels(&UPSTREAM_SECONDS, values(one)))
        };
        Arc::new(GuardMetrics {
            requests: RequestVerdict::ALL.map(request),
            denials: Reason::ALL.map(denial),
            unsent: UNSENT.map(unsent),
            answered: times("answered"),
            failed: times("failed"),
        })
    }
}

impl GuardMetrics {
    /// What became of a request.
    pub(crate) fn request(&self, verdict: RequestVerdict) {
        self.requests[verdict as usize].inc();
    }

    /// Something was denied.
    pub(crate) fn denied(&self, denial: &Denial) {
        let reasons = denial.fields.iter().map(|field| field.reason).chain(denial.unknown);
        // There are fewer reasons than a number has bits.
        let among = reasons.fold(0_u32, |among, reason| among | 1 << (reason as u32));
        for (at, counter) in self.denials.iter().enumerate() {
            if among & (1 << at) != 0 {
                counter.inc();
            }
        }
    }

    /// A request was not sent.
    pub(crate) fn unsent(&self, why: Unsent) {
        self.unsent[why as usize].inc();
    }

    /// The API answered after so long, or did not.
    pub(crate) fn upstream(&self, took: Duration, has_answered: bool) {
        let times = if has_answered { &self.answered } else { &self.failed };
        times.observe(took);
    }
}
