//! What callers use of their scopes: counted in memory, and added to the store every few seconds
//! and at the stop, so that no request costs a write.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use castellan_gate::Identity;
use castellan_issuer::{Issuer, resources::ResourceKind};
use castellan_proto::{Timestamp, scope::RequiredScope};

/// The kind of caller that a JWT of an API key makes.
pub(crate) const API_KEY_JWT: &str = "api_key_jwt";
/// The kind of caller that a token of another issuer makes.
pub(crate) const FOREIGN_TOKEN: &str = "foreign_token";

/// The counts of one site since they were last added to the store. Cheap to clone.
#[derive(Clone)]
pub struct Usage {
    issuer: Issuer,
    counts: Arc<Mutex<Counts>>,
    /// Locked while counts are written, so that shutdown waits for a write in progress.
    writing: Arc<tokio::sync::Mutex<()>>,
}

/// What was counted since.
#[derive(Default)]
struct Counts {
    /// Per kind and id of a resource, how often each required scope was covered.
    by_kind: HashMap<ResourceKind, HashMap<String, Count>>,
    /// The number of required scopes in all of them.
    scopes: usize,
}

/// What one caller used, and since when that is counted.
struct Count {
    since: Timestamp,
    scopes: BTreeMap<String, u64>,
}

/// How often counts are added to the store.
const EVERY: Duration = Duration::from_secs(10);
/// Apps and keys that are counted between two writes at most.
const MOST: usize = 10_000;
/// The maximum number of required scopes in all of them.
const MOST_SCOPES: usize = 100_000;

impl Usage {
    /// Begins to count, and to write what was counted.
    #[must_use]
    pub fn start(issuer: Issuer) -> Self {
        let usage = Self { issuer, counts: Arc::default(), writing: Arc::default() };
        let writing = usage.clone();
        tokio::spawn(async move {
            let mut every = tokio::time::interval(EVERY);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                writing.flush().await;
            }
        });
        usage
    }

    /// Counts what `caller` used of the scopes of its app or key.
    pub(crate) fn count(
        &self,
        caller: &Identity,
        scopes: &mut dyn Iterator<Item = &RequiredScope>,
    ) {
        if let Some((kind, id)) = resource(caller) {
            self.count_for(kind, id, scopes);
        }
    }

    /// Counts what was used of the scopes of the resource of `kind` and `id`.
    pub(crate) fn count_for(
        &self,
        kind: ResourceKind,
        id: &str,
        scopes: &mut dyn Iterator<Item = &RequiredScope>,
    ) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { by_kind, scopes: all } = &mut *counts;
        let of_kind = by_kind.entry(kind).or_default();
        if !of_kind.contains_key(id) {
            if of_kind.len() >= MOST {
                return;
            }
            let count = Count { since: self.issuer.now(), scopes: BTreeMap::new() };
            of_kind.insert(id.to_owned(), count);
        }
        let Some(of_caller) = of_kind.get_mut(id) else { return };
        for scope in scopes {
            match of_caller.scopes.get_mut(scope.as_str()) {
                Some(count) => *count += 1,
                None if *all >= MOST_SCOPES => {}
                None => {
                    *all += 1;
                    of_caller.scopes.insert(scope.as_str().to_owned(), 1);
                }
            }
        }
    }

    /// Adds what was counted to the store. What cannot be added is counted on.
    pub async fn flush(&self) {
        let _one_at_a_time = self.writing.lock().await;
        let counts = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *counts)
        };
        for (kind, of_kind) in counts.by_kind {
            for (id, of_caller) in of_kind {
                let (counts, since) = (&of_caller.scopes, of_caller.since);
                if let Err(error) = self.issuer.add_usage(kind, &id, counts, since).await {
                    tracing::warn!(%error, "could not write usage counts to the data source");
                    self.put_back(kind, id, of_caller);
                }
            }
        }
    }

    fn put_back(&self, kind: ResourceKind, id: String, of_caller: Count) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { by_kind, scopes: all } = &mut *counts;
        let (of_kind, since) = (by_kind.entry(kind).or_default(), of_caller.since);
        if of_kind.len() >= MOST && !of_kind.contains_key(&id) {
            return;
        }
        let kept = of_kind.entry(id).or_insert(Count { since, scopes: BTreeMap::new() });
        kept.since = kept.since.min(since);
        for (scope, more) in of_caller.scopes {
            match kept.scopes.get_mut(&scope) {
                Some(count) => *count += more,
                None if *all >= MOST_SCOPES => {}
                None => {
                    *all += 1;
                    kept.scopes.insert(scope, more);
                }
            }
        }
    }
}

/// The resource whose scopes a caller uses.
fn resource(caller: &Identity) -> Option<(ResourceKind, &str)> {
    match (&caller.client_id, &caller.credential_id, caller.kind) {
        (Some(client), _, _) => Some((ResourceKind::CLIENT, client)),
        (None, Some(key), API_KEY_JWT) => Some((ResourceKind::AUTH_KEY, key)),
        // The scopes of a token of another issuer are that one's to give.
        (None, Some(_), FOREIGN_TOKEN) | (None, None, _) => None,
        (None, Some(key), _) => Some((ResourceKind::API_CREDENTIAL, key)),
    }
}
