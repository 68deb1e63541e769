//! What is read of a running server when somebody reads its metrics.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use castellan_issuer::{Issuer, QueueLength};

use crate::{
    background::denials::Denials,
    guards::{Guard, Upstreams},
    metrics::{
        AUDIT_EVENTS_DROPPED, FEED_LAG, GUARD_READY, Metrics, PASSWORDS_WAITING,
        PASSWORDS_WAITING_LIMIT, QUEUE_LENGTH, QUEUE_LIMIT, READY, SIGNING_KEY_AGE, Samples,
        UPSTREAM_REQUESTS, UPSTREAM_REQUESTS_LIMIT, UPSTREAM_UP,
    },
    roots::TrustedRoots,
};

/// The guards of the moment, and the APIs behind them: they change with the settings.
#[derive(Default)]
pub(super) struct Present {
    pub(super) guards: Vec<Guard>,
    pub(super) upstreams: Upstreams,
}

impl Present {
    /// None yet; the APIs to come are verified against `roots`.
    pub(super) fn verified_by(roots: TrustedRoots) -> Self {
        Self { guards: Vec::new(), upstreams: Upstreams::verified_by(roots) }
    }
}

/// Shows what sites have: queues, keys, the feed.
pub(super) fn sites(metrics: &Metrics, sites: Vec<(Issuer, Denials)>) {
    let sites: Arc<[(Issuer, Denials)]> = sites.into();
    let issuers: Arc<[Issuer]> = sites.iter().map(|(issuer, _)| issuer.clone()).collect();
    for issuer in &*issuers {
        metrics.site(issuer);
    }
    let (all, limits) = (Arc::clone(&sites), sites);
    metrics.read(&QUEUE_LENGTH, move |samples| {
        for_queues(&all, |[site, name], queue| samples.count([site, name], queue.waiting));
    });
    metrics.read(&QUEUE_LIMIT, move |samples| {
        for_queues(&limits, |[site, name], queue| samples.count([site, name], queue.limit));
    });
    let each = |read: fn(&Issuer, &mut Samples)| {
        let issuers = Arc::clone(&issuers);
        move |samples: &mut Samples| issuers.iter().for_each(|issuer| read(issuer, samples))
    };
    metrics.read(
        &AUDIT_EVENTS_DROPPED,
        each(|issuer, samples| {
            let dropped = usize::try_from(issuer.audit_backlog().dropped).unwrap_or(usize::MAX);
            samples.count([issuer.repository().site()], dropped);
        }),
    );
    metrics.read(
        &FEED_LAG,
        each(|issuer, samples| {
            let lag = issuer.liveness().lag().as_ref().map_or(f64::INFINITY, Duration::as_secs_f64);
            samples.add([issuer.repository().site()], lag);
        }),
    );
    metrics.read(&SIGNING_KEY_AGE, each(key_ages));
    let Some(issuer) = issuers.first().cloned() else { return };
    let passwords = issuer.passwords().clone();
    let limit = passwords.queue().limit;
    metrics.read(&PASSWORDS_WAITING, move |samples| samples.count([], passwords.queue().waiting));
    metrics.read(&PASSWORDS_WAITING_LIMIT, move |samples| samples.count([], limit));
    // As `/readyz` says it; the sites share a data source and a clock.
    metrics.read(&READY, move |samples| {
        samples.flag(["store"], issuers.iter().all(|issuer| issuer.liveness().hears()));
        samples.flag(["writes"], issuer.readiness().can_write());
        samples.flag(["clock"], issuer.check_clock().is_ok());
    });
}

/// Calls `show` for each queue of each site.
fn for_queues(sites: &[(Issuer, Denials)], mut show: impl FnMut([&str; 2], QueueLength)) {
    for (issuer, denials) in sites {
        let site = issuer.repository().site();
        let audit = issuer.audit_backlog();
        let audit = QueueLength { waiting: audit.waiting, limit: audit.limit };
        show([site, "audit"], audit);
        show([site, "denials"], denials.queue());
        show([site, "logout"], issuer.queued_notifications());
    }
}

/// For how long the key that signs now has done so, of each use and algorithm.
fn key_ages(issuer: &Issuer, samples: &mut Samples) {
    let (site, now) = (issuer.repository().site(), issuer.now());
    let keys = issuer.keyring().keys();
    let kind = |at: usize| keys[at].usage.with(keys[at].signing.algorithm());
    for (at, key) in keys.iter().enumerate() {
        let signs = |at: usize| keys[at].signs(kind(at), now);
        // While one follows another, both may; the later one is the one in use.
        let is_followed = |at: usize| {
            (0..keys.len()).any(|other| {
                kind(other) == kind(at)
                    && signs(other)
                    && (keys[other].sign_from, other) > (key.sign_from, at)
            })
        };
        if signs(at) && !is_followed(at) {
            let age = Duration::from_secs(now.0.saturating_sub(key.sign_from.0)).as_secs_f64();
            samples.add([site, key.usage.as_str(), key.signing.algorithm().as_str()], age);
        }
    }
}

/// Shows what is `present`.
pub(super) fn guards(metrics: &Metrics, present: &Arc<ArcSwap<Present>>) {
    let each = |read: fn(&Present, &mut Samples)| {
        let present = Arc::clone(present);
        move |samples: &mut Samples| read(&present.load(), samples)
    };
    metrics.read(
        &GUARD_READY,
        each(|present, samples| {
            for guard in &present.guards {
                samples.flag([guard.site(), &guard.config.name], guard.is_ready());
            }
        }),
    );
    metrics.read(
        &UPSTREAM_REQUESTS,
        each(|present, samples| {
            for api in present.upstreams.all() {
                samples.count([api.origin()], api.in_flight());
            }
        }),
    );
    metrics.read(
        &UPSTREAM_REQUESTS_LIMIT,
        each(|present, samples| {
            for api in present.upstreams.all() {
                samples.count([api.origin()], api.limit());
            }
        }),
    );
    metrics.read(
        &UPSTREAM_UP,
        each(|present, samples| {
            for api in present.upstreams.all() {
                samples.flag([api.origin()], api.is_well());
            }
        }),
    );
}
