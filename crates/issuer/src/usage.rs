//! What apps and keys use of what they may: counted where it happens, and added up here now and
//! then, so that no request waits for a write.

use std::collections::BTreeMap;

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    apply::ResourceKind,
    desk::{Kept, Written},
    store::{Kind, Notice, StoreError},
};

/// What one app or key used. Its id is the kind of the resource, a slash, and its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Since when it is counted.
    pub since: Timestamp,
    /// When something was last added.
    pub last: Timestamp,
    /// How often each demand was met by its scopes.
    pub demands: BTreeMap<String, Used>,
}

/// How often one thing was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// In how many requests.
    pub count: u64,
    /// When last, to some seconds.
    pub last: Timestamp,
}

/// Different demands that are counted per app or key at most: more than most APIs have.
const MOST: usize = 4_096;
/// Days that a count is kept after the last use.
const KEPT: u64 = 400;

impl Kept for Usage {
    const KIND: Kind = Kind::Usage;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.last.0.saturating_add(KEPT * 86_400)))
    }
}

impl Issuer {
    /// Adds `counts` to what the resource is known to have used. Several nodes may add at a time.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; then nothing was added.
    pub async fn add_usage(
        &self,
        (kind, id): (ResourceKind, &str),
        counts: &BTreeMap<String, u64>,
    ) -> Result<(), StoreError> {
        let (id, now) = (usage_id(kind, id), self.now());
        for _ in 0..64 {
            let held = self.desk().get::<Usage>(&id, now).await?;
            let written = if let Some(mut held) = held {
                held.body.add(counts, now);
                self.desk().replace(&held, Notice::Silent, now).await?
            } else {
                let mut usage = Usage { since: now, ..Usage::default() };
                usage.add(counts, now);
                self.desk().insert(&id, &usage, now).await?
            };
            if written == Written::Done {
                return Ok(());
            }
        }
        Err(StoreError::new("what was used is being written all the time"))
    }

    /// What the resource used; nothing if that was never counted.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn usage(&self, kind: ResourceKind, id: &str) -> Result<Option<Usage>, StoreError> {
        let held = self.desk().get::<Usage>(&usage_id(kind, id), self.now()).await?;
        Ok(held.map(|held| held.body))
    }
}

impl Usage {
    fn add(&mut self, counts: &BTreeMap<String, u64>, now: Timestamp) {
        self.last = now;
        for (demand, more) in counts {
            if self.demands.len() >= MOST && !self.demands.contains_key(demand) {
                continue;
            }
            let used = self.demands.entry(demand.clone()).or_default();
            used.count = used.count.saturating_add(*more);
            used.last = now;
        }
    }
}

/// The id of what a resource used.
pub(crate) fn usage_id(kind: ResourceKind, id: &str) -> String {
    format!("{}/{id}", kind.as_str())
}
