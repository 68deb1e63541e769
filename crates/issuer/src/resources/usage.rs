//! What apps and keys use of what they may: counted where it happens, and added up here now and
//! then, so that no request waits for a write.

use std::collections::BTreeMap;

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    records::repository::{Stored, Update},
    resources::ResourceKind,
    store::{Kind, Notice, StoreError},
};

/// What one app or key used. Its id is the kind of the resource, a slash, and its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Since when it is counted.
    pub since: Timestamp,
    /// When something was last added.
    pub last: Timestamp,
    /// How often each required scope was met by its scopes.
    #[serde(rename = "demands")]
    pub required_scopes: BTreeMap<String, Used>,
    /// There were more of them than are counted.
    #[serde(default)]
    pub incomplete: bool,
}

/// How often one thing was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// In how many requests.
    pub count: u64,
    /// When last, to some seconds.
    pub last: Timestamp,
}

/// When a resource was made.
#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    created: Timestamp,
}

/// Different required scopes that are counted per app or key at most: more than most APIs have.
const MOST: usize = 4_096;
/// Days that a count is kept after the last use.
const KEPT: u64 = 400;

impl Stored for Usage {
    const KIND: Kind = Kind::Usage;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.last.0.saturating_add(KEPT * 86_400)))
    }
}

impl Issuer {
    /// Adds `counts`, of which the first was at `since`, to what the resource is known to have used.
    /// Several nodes may add at a time. Nothing is added to a resource that was made anew in the
    /// meantime, or that is gone.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; what was counted may or may not have been added.
    pub async fn add_usage(
        &self,
        kind: ResourceKind,
        id: &str,
        counts: &BTreeMap<String, u64>,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let (record, record_id) = kind.record_id(id);
        let key = self.repository().key(record, &record_id);
        let found =
            self.repository().store().get_many(&[key], now).await?.into_iter().next().flatten();
        let made = found.map(|record| serde_json::from_slice::<Made>(&record.body));
        match made.transpose().map_err(StoreError::new)? {
            Some(made) if made.created > since => return Ok(()),
            // A key of the configuration has no record.
            None if kind != ResourceKind::AUTH_KEY => return Ok(()),
            _ => {}
        }
        let id = usage_id(kind, id);
        let add = |stored: Option<Usage>| {
            let mut usage = stored.unwrap_or(Usage { since: now, ..Usage::default() });
            usage.add(counts, now);
            Ok(Update::Write(usage, Notice::Silent, ()))
        };
        self.repository().update(&id, now, add).await
    }

    /// What the resource used; nothing if that was never counted.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn usage(&self, kind: ResourceKind, id: &str) -> Result<Option<Usage>, StoreError> {
        let stored = self.repository().get::<Usage>(&usage_id(kind, id), self.now()).await?;
        Ok(stored.map(|stored| stored.body))
    }
}

impl Usage {
    fn add(&mut self, counts: &BTreeMap<String, u64>, now: Timestamp) {
        self.last = now;
        for (required, more) in counts {
            if self.required_scopes.len() >= MOST && !self.required_scopes.contains_key(required) {
                self.incomplete = true;
                continue;
            }
            let used = self.required_scopes.entry(required.clone()).or_default();
            used.count = used.count.saturating_add(*more);
            used.last = now;
        }
    }
}

/// The id of what a resource used.
pub(crate) fn usage_id(kind: ResourceKind, id: &str) -> String {
    format!("{}/{id}", kind.as_str())
}
