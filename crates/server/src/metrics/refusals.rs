//! Requests that are refused before a guard or an endpoint of Castellan handles them.

use std::collections::HashMap;

use prometheus_client::metrics::counter::Counter;

use super::{Metrics, catalogue::REFUSALS, labels};

/// The codes of those refusals.
pub(super) const REFUSED: [&str; 4] = ["ambiguous_request", "no_site", "plain_http", "not_found"];

/// Counts them, at each of the sites and at none.
#[derive(Default)]
pub(crate) struct Refusals {
    by_site: HashMap<String, [Counter; REFUSED.len()]>,
}

impl Metrics {
    /// What is refused at the sites called `names`, and what is for no site.
    pub(crate) fn refusals<'a>(&self, names: impl Iterator<Item = &'a str>) -> Refusals {
        let counters = |site: &str| {
            let counters = REFUSED.map(|code| {
                let values = vec![site.to_owned(), code.to_owned()];
                self.refusals.get_or_create_owned(&labels(&REFUSALS, values))
            });
            (site.to_owned(), counters)
        };
        Refusals { by_site: names.chain([""]).map(counters).collect() }
    }
}

impl Refusals {
    /// A request at `site` was refused with `code`.
    pub(crate) fn count(&self, site: Option<&str>, code: &str) {
        let at = REFUSED.iter().position(|known| *known == code);
        let counters = self.by_site.get(site.unwrap_or_default());
        if let Some((counters, at)) = counters.zip(at) {
            counters[at].inc();
        }
    }
}
