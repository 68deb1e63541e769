//! Every metric there is: its name, its labels and what it says. `docs/metrics.md` shows this list.

use prometheus_client::metrics::MetricType;

/// What stands before every name.
pub(crate) const PREFIX: &str = "castellan";

/// A metric.
#[derive(Debug)]
pub(crate) struct Described {
    /// Its name, without the prefix and without what its type adds.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What tells its series apart. The values of each are of our own words or of names in the
    /// configuration, so that no caller adds one.
    pub(crate) labels: &'static [&'static str],
    /// What it says, without the full stop.
    pub(crate) help: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

impl Kind {
    pub(super) const fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
            Self::Info => MetricType::Info,
        }
    }
}

impl Described {
    /// What its samples are called; those of a histogram begin so.
    #[cfg(test)]
    pub(crate) fn full_name(&self) -> String {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram => "",
            Kind::Info => "_info",
        };
        format!("{PREFIX}_{}{suffix}", self.name)
    }
}

macro_rules! catalogue {
    ($($constant:ident: $kind:ident $name:literal $labels:tt $help:literal;)+) => {
        $(
            pub(crate) const $constant: Described =
                Described { name: $name, kind: Kind::$kind, labels: &$labels, help: $help };
        )+

        /// All of them, in the order of the document.
        #[cfg(test)]
        pub(crate) const ALL: &[&Described] = &[$(&$constant),+];
    };
}

catalogue! {
    REQUESTS: Counter "requests" ["site", "guard", "verdict"]
        "Requests for a guard, by what became of them as a whole";
    REFUSALS: Counter "refusals" ["site", "reason"]
        "Requests that were refused before a guard or an endpoint of Castellan handled them; without a \
         site if they are for none";
    DENIALS: Counter "denials" ["site", "guard", "reason"]
        "Requests of which a guard denied something, once for each reason among them";
    GUARD_READY: Gauge "guard_ready" ["site", "guard"]
        "Whether a guard can decide (1) or is closed (0)";
    UPSTREAM_SECONDS: Histogram "upstream_seconds" ["site", "guard", "outcome"]
        "Time from sending a request to the API behind a guard until the head of its response, or until \
         it failed";
    UPSTREAM_UNSENT: Counter "upstream_unsent" ["site", "guard", "reason"]
        "Requests that were allowed and not sent to the API, because too many are in flight or because \
         it failed recently";
    UPSTREAM_REQUESTS: Gauge "upstream_requests" ["upstream"]
        "Requests in flight to an API, until the end of the response";
    UPSTREAM_REQUESTS_LIMIT: Gauge "upstream_requests_limit" ["upstream"]
        "Requests that may be in flight to an API";
    UPSTREAM_UP: Gauge "upstream_up" ["upstream"]
        "Whether an API responds (1), as far as the last requests tell, or is paused after failures (0)";
    TOKENS: Counter "tokens" ["site", "grant", "outcome"]
        "Token requests, by grant type; those of devices that still wait for their person are not \
         counted";
    SIGN_INS: Counter "sign_ins" ["site", "outcome"]
        "Sign-ins of people and machine users, with a password at a guard included";
    AUDIT_EVENTS: Counter "audit_events" ["site", "kind", "outcome"]
        "What audit records are about, recorded or not";
    AUDIT_EVENTS_DROPPED: Counter "audit_events_dropped" ["site"]
        "Events that no audit record was made of, because too many were waiting";
    QUEUE_LENGTH: Gauge "queue_length" ["site", "queue"]
        "What waits to be written or delivered";
    QUEUE_LIMIT: Gauge "queue_limit" ["site", "queue"]
        "How much may wait; beyond that, entries are dropped";
    PASSWORDS_WAITING: Gauge "passwords_waiting" []
        "Passwords that wait to be hashed or checked";
    PASSWORDS_WAITING_LIMIT: Gauge "passwords_waiting_limit" []
        "Passwords that may wait; beyond that, requests are told to try again";
    CONNECTIONS: Gauge "connections" []
        "Open connections of all listeners but that of metrics";
    CONNECTIONS_LIMIT: Gauge "connections_limit" []
        "Connections that may be open";
    STORE_SECONDS: Histogram "store_seconds" ["verb"]
        "Time of an operation of the data source, failed ones included";
    STORE_ERRORS: Counter "store_errors" ["verb"]
        "Operations of the data source that failed";
    STORE_IN_FLIGHT: Gauge "store_in_flight" []
        "Operations of the data source that have begun and not ended";
    TRACE_SPANS: Counter "trace_spans" ["outcome"]
        "Spans of recorded requests, by what became of them; 0 without traces.endpoint";
    FEED_LAG: Gauge "feed_lag_seconds" ["site"]
        "Time since the last successful read of the change feed began; above 1, nothing cached counts";
    SIGNING_KEY_AGE: Gauge "signing_key_age_seconds" ["site", "use", "alg"]
        "For how long the present signing key of a use and an algorithm has been signing";
    READY: Gauge "ready" ["check"]
        "Whether a check of /readyz passes (1) or not (0)";
    BUILD: Info "build" ["version"]
        "The version of the server";
}

#[cfg(test)]
mod tests {
    use castellan_gate::{Reason, RequestVerdict};
    use castellan_issuer::{
        audit::{
            AuditKind, Outcome,
            counting::{API_KEY, OTHER_GRANT, PERSON_JWT},
        },
        grant::ROSTER,
    };

    use super::ALL;
    use crate::metrics::{guard::UNSENT, refusals::REFUSED, spans::OUTCOMES, store::VERBS};

    /// The rows of the table in the document.
    fn table() -> String {
        let mut table =
            String::from("| metric | type | labels | what it says |\n|---|---|---|---|\n");
        for one in ALL {
            let kind = format!("{:?}", one.kind).to_lowercase();
            let labels = if one.labels.is_empty() { "–".to_owned() } else { quoted(one.labels) };
            let row = format!("| `{}` | {kind} | {labels} | {}. |\n", one.full_name(), one.help);
            table.push_str(&row);
        }
        table
    }

    fn quoted(names: &[&str]) -> String {
        let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        quoted.join(", ")
    }

    #[test]
    fn the_document_of_metrics_is_up_to_date() {
        crate::reference::check_part("metrics.md", "metrics", &table());
    }

    #[test]
    fn the_values_of_labels_are_up_to_date() {
        let grants = ROSTER.iter().map(|grant| grant.name());
        let grants: Vec<_> = grants.chain([API_KEY, PERSON_JWT, OTHER_GRANT]).collect();
        let mut table = String::from("| label | of | values |\n|---|---|---|\n");
        let of_chain = [AuditKind::Started, AuditKind::Stopped, AuditKind::Dropped];
        let kinds = AuditKind::ALL.into_iter().filter(|kind| !of_chain.contains(kind));
        let kinds: Vec<_> = kinds.map(AuditKind::as_str).collect();
        for (label, of, values) in [
            ("verdict", "requests", &RequestVerdict::ALL.map(RequestVerdict::as_str)[..]),
            ("reason", "denials", &Reason::ALL.map(Reason::as_str)),
            ("outcome", "upstream_seconds", &["answered", "failed"]),
            ("reason", "upstream_unsent", &UNSENT),
            ("grant", "tokens", &grants),
            ("outcome", "tokens", &["issued", "refused"]),
            ("outcome", "sign_ins", &["success", "failure"]),
            ("kind", "audit_events", &kinds),
            ("outcome", "audit_events", &Outcome::ALL.map(Outcome::as_str)),
            ("queue", "queue_length", &["audit", "denials", "logout"]),
            ("reason", "refusals", &REFUSED),
            ("verb", "store_seconds", &VERBS),
            ("outcome", "trace_spans", &OUTCOMES),
            ("check", "ready", &["store", "writes", "clock"]),
        ] {
            let of = ALL.iter().find(|one| one.name == of).unwrap();
            assert!(of.labels.contains(&label), "{label} of {of:?}");
            let row = format!("| `{label}` | `{}` | {} |\n", of.full_name(), quoted(values));
            table.push_str(&row);
        }
        crate::reference::check_part("metrics.md", "values", &table);
    }

    /// What the numbers of these stand for is the place among all.
    #[test]
    fn numbers_are_places() {
        let verdicts = RequestVerdict::ALL.iter().enumerate();
        assert!(verdicts.into_iter().all(|(at, one)| *one as usize == at));
        assert!(Reason::ALL.iter().enumerate().all(|(at, one)| *one as usize == at));
        assert!(AuditKind::ALL.iter().enumerate().all(|(at, one)| *one as usize == at));
        assert!(Outcome::ALL.iter().enumerate().all(|(at, one)| *one as usize == at));
    }
}
