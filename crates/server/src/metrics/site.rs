//! What the issuer of one site counts.

use castellan_issuer::{
    Issuer,
    audit::{
        AuditKind, Event, Outcome,
        counting::{API_KEY, EventCounter, OTHER_GRANT, PERSON_JWT},
    },
};
use prometheus_client::metrics::counter::Counter;

use super::{
    Metrics,
    catalogue::{AUDIT_EVENTS, SIGN_INS, TOKENS},
    labels,
};

/// What one site counts.
struct SiteMetrics {
    /// Each kind and outcome, at the places that their numbers say.
    events: [[Counter; Outcome::ALL.len()]; AuditKind::ALL.len()],
    /// By grant type: issued, refused.
    tokens: Vec<(&'static str, [Counter; 2])>,
    succeeded: Counter,
    failed: Counter,
}

impl Metrics {
    /// Counts what happens at `issuer`.
    pub(crate) fn site(&self, issuer: &Issuer) {
        let site = issuer.repository().site();
        let event = |kind: AuditKind| {
            Outcome::ALL.map(|outcome| {
                let values = [site, kind.as_str(), outcome.as_str()].map(ToOwned::to_owned);
                let of_chain =
                    matches!(kind, AuditKind::Started | AuditKind::Stopped | AuditKind::Dropped);
                // Those are records about records, and happen to nobody.
                if of_chain {
                    return Counter::default();
                }
                self.audit_events.get_or_create_owned(&labels(&AUDIT_EVENTS, values.into()))
            })
        };
        let grants = issuer.grants().iter().map(|grant| grant.name());
        let token = |grant: &'static str| {
            let counters = ["issued", "refused"].map(|outcome| {
                let values = [site, grant, outcome].map(ToOwned::to_owned);
                self.tokens.get_or_create_owned(&labels(&TOKENS, values.into()))
            });
            (grant, counters)
        };
        let sign_in = |outcome: Outcome| {
            let values = [site, outcome.as_str()].map(ToOwned::to_owned);
            self.sign_ins.get_or_create_owned(&labels(&SIGN_INS, values.into()))
        };
        issuer.count_events_by(Box::new(SiteMetrics {
            events: AuditKind::ALL.map(event),
            tokens: grants.chain([API_KEY, PERSON_JWT, OTHER_GRANT]).map(token).collect(),
            succeeded: sign_in(Outcome::Success),
            failed: sign_in(Outcome::Failure),
        }));
    }
}

impl EventCounter for SiteMetrics {
    fn count(&self, event: &Event) {
        let (kind, outcome) = (event.kind(), event.outcome());
        self.events[kind as usize][outcome as usize].inc();
        let succeeded = outcome == Outcome::Success;
        match kind {
            AuditKind::SignIn if succeeded => drop(self.succeeded.inc()),
            AuditKind::SignIn => drop(self.failed.inc()),
            _ => {}
        }
        if let Some(grant) = event.grant()
            && let Some((_, counters)) = self.tokens.iter().find(|(name, _)| *name == grant)
        {
            counters[usize::from(!succeeded)].inc();
        }
    }
}
