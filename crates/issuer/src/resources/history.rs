//! What a resource was (`docs/contracts/aidbox.md` §1.2): its last versions as they are shown,
//! without secrets, in one record beside it that is written after it. Nothing is decided by it.

use std::{collections::VecDeque, time::Duration};

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Described, ResourceKind, Version};
use crate::{
    Issuer,
    records::repository::{Stored, Update},
    store::{Kind, Notice, StoreError},
};

/// Versions that are kept.
const VERSIONS: usize = 10;
/// Bytes of documents that are kept of one resource.
const BYTES: usize = 128 * 1024;
/// Seconds that the history of a deleted resource is kept.
const AFTER_DELETION: Duration = Duration::from_hours(7 * 24);

/// The versions of one resource, the oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    versions: VecDeque<Past>,
}

/// One version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Past {
    incarnation: String,
    number: u64,
    /// What was done.
    pub change: Change,
    /// When.
    pub at: Timestamp,
    /// The document with its `meta`; none if it was deleted, or is too large to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
}

/// What was done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was deleted.
    Deleted,
}

impl Stored for History {
    const KIND: Kind = Kind::History;

    fn expires_at(&self) -> Option<Timestamp> {
        let last = self.versions.back().filter(|last| last.change == Change::Deleted)?;
        Some(last.at + AFTER_DELETION)
    }
}

impl Past {
    /// The version `version`, to which `change` led.
    pub(super) fn new(version: &Version, change: Change, document: Option<Value>) -> Self {
        Self {
            incarnation: version.incarnation.clone(),
            number: version.number,
            change,
            at: version.modified,
            document,
        }
    }

    /// What a write leaves: what there was `before`, which may be older than histories are, and what
    /// there is now.
    pub(super) fn of_write(before: Option<&Described>, now: &Described) -> Vec<Self> {
        let past = |one: &Described| {
            let first = one.version.number == 1;
            let change = if first { Change::Created } else { Change::Updated };
            Self::new(&one.version, change, Some(one.with_meta()))
        };
        before.into_iter().chain([now]).map(past).collect()
    }

    /// The deletion of `version` at `now`.
    pub(super) fn deletion(version: &Version, now: Timestamp) -> Self {
        Self {
            incarnation: version.incarnation.clone(),
            number: version.number.saturating_add(1),
            change: Change::Deleted,
            at: now,
            document: None,
        }
    }

    /// Its id, as in `meta.versionId`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.number, self.incarnation)
    }

    fn bytes(&self) -> usize {
        self.document.as_ref().map_or(0, |document| document.to_string().len())
    }
}

impl History {
    /// Adds a version where it belongs: two writers may come here in another order than there.
    fn add(&mut self, past: Past) {
        let is_same = |one: &Past| one.incarnation == past.incarnation && one.number == past.number;
        if self.versions.iter().any(is_same) {
            return;
        }
        let is_later = |one: &Past| one.incarnation == past.incarnation && one.number > past.number;
        match self.versions.iter().position(is_later) {
            Some(at) => self.versions.insert(at, past),
            None => self.versions.push_back(past),
        }
    }

    /// Leaves out what is too much, the oldest first.
    fn bound(&mut self) {
        for past in &mut self.versions {
            if past.bytes() > BYTES {
                past.document = None;
            }
        }
        while self.versions.len() > VERSIONS
            || self.versions.iter().map(Past::bytes).sum::<usize>() > BYTES
        {
            self.versions.pop_front();
        }
    }
}

impl Issuer {
    /// Keeps `past` of the resource, which is written already.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; then the version may be missing.
    pub(super) async fn remember(
        &self,
        kind: &str,
        id: &str,
        past: Vec<Past>,
    ) -> Result<(), StoreError> {
        let keep = |history: Option<History>| {
            let mut history = history.unwrap_or_default();
            for one in &past {
                history.add(one.clone());
            }
            history.bound();
            Ok(Update::Write(history, Notice::Silent, ()))
        };
        self.repository().update(&history_id(kind, id), self.now(), keep).await
    }

    /// The versions of a resource that are kept, the newest first; none if it never was.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn history(&self, kind: ResourceKind, id: &str) -> Result<Vec<Past>, StoreError> {
        let key = history_id(kind.as_str(), id);
        let kept = self.repository().get::<History>(&key, self.now()).await?;
        let mut versions: Vec<Past> =
            kept.map(|kept| kept.body.versions.into()).unwrap_or_default();
        // What was written by a sign-in, or just now, is the present one and not there yet.
        if let Some(present) = kind.any().described(self, id).await?
            && versions.last().is_none_or(|last| last.id() != present.version.id())
        {
            versions.retain(|past| past.id() != present.version.id());
            versions.extend(Past::of_write(None, &present));
        }
        versions.reverse();
        Ok(versions)
    }

    /// Whether there was a resource of this kind and id, which is not there any more.
    pub(super) async fn was_there(&self, kind: ResourceKind, id: &str) -> Result<bool, StoreError> {
        let key = history_id(kind.as_str(), id);
        Ok(self.repository().get::<History>(&key, self.now()).await?.is_some())
    }
}

fn history_id(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn past(incarnation: &str, number: u64, document: Value) -> Past {
        let incarnation = incarnation.to_owned();
        let at = Timestamp(100 + number);
        Past { incarnation, number, change: Change::Updated, at, document: Some(document) }
    }

    fn ids(history: &History) -> Vec<String> {
        history.versions.iter().map(Past::id).collect()
    }

    #[test]
    fn versions_are_in_order_and_few() {
        let mut history = History::default();
        for number in [1, 3, 2, 3] {
            history.add(past("a", number, json!({})));
        }
        history.add(past("b", 1, json!({})));
        assert_eq!(ids(&history), ["1-a", "2-a", "3-a", "1-b"]);
        for number in 2..20 {
            history.add(past("b", number, json!({})));
        }
        history.bound();
        assert_eq!(history.versions.len(), VERSIONS);
        assert_eq!(ids(&history)[VERSIONS - 1], "19-b");
    }

    #[test]
    fn documents_are_bounded_in_bytes() {
        let mut history = History::default();
        let large = json!("x".repeat(BYTES / 2));
        for number in 1..=3 {
            history.add(past("a", number, large.clone()));
        }
        history.add(past("a", 4, json!("x".repeat(BYTES))));
        history.bound();
        assert_eq!(ids(&history), ["3-a", "4-a"]);
        assert_eq!(history.versions[1].document, None);
    }

    #[test]
    fn what_is_deleted_is_forgotten_in_the_end() {
        let mut history = History::default();
        history.add(past("a", 1, json!({})));
        assert_eq!(history.expires_at(), None);
        let version = Version {
            incarnation: "a".to_owned(),
            number: 1,
            created: Timestamp(1),
            modified: Timestamp(1),
        };
        history.add(Past::deletion(&version, Timestamp(500)));
        assert_eq!(history.expires_at(), Some(Timestamp(500) + AFTER_DELETION));
        history.add(past("b", 1, json!({})));
        assert_eq!(history.expires_at(), None, "made again");
    }
}
