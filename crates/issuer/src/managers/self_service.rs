//! The self-service authorization manager (`docs/contracts/curity.md` §3.6): people, on what is their
//! own.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use castellan_proto::Timestamp;
use moka::sync::Cache;
use serde::Deserialize;

use super::Operation;

/// The categories of devices (`docs/contracts/curity.md` §6.4).
pub const DEVICE_CATEGORIES: [&str; 2] = ["totp", "webauthn/passkeys"];

/// Lets people do what is listed with their own account, which is the subject of the token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SelfServiceManager {
    /// A scope that the token must have.
    pub required_scope: String,
    /// The queries that are allowed, at least one, such as `accountById`.
    pub queries: BTreeSet<String>,
    /// The mutations that are allowed. Default: none.
    #[serde(default)]
    pub mutations: BTreeSet<String>,
    /// The attributes that may be read, each with all below it. Default: all.
    pub readable: Option<BTreeSet<String>>,
    /// The attributes that may be written, each with all below it. Default: all that people may write
    /// of their own.
    pub updatable: Option<BTreeSet<String>>,
    /// The categories of devices that are shown, such as `totp`. Devices of no category are not among
    /// any. Default: all devices.
    pub readable_device_categories: Option<BTreeSet<String>>,
    /// The categories of devices that may be deleted. Default: all devices.
    pub deletable_device_categories: Option<BTreeSet<String>>,
    /// How many mutations a person may make within how long, on each node. Default: no limit.
    pub mutation_throttle: Option<MutationThrottle>,
}

/// A limit on mutations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MutationThrottle {
    /// How many mutations are allowed in a period.
    pub mutations: u16,
    /// The period, in seconds.
    pub seconds: u32,
}

impl SelfServiceManager {
    /// What is wrong with it.
    ///
    /// # Errors
    /// A setting and what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |setting, text: &str| Err((setting, text.to_owned()));
        if self.required_scope.is_empty() {
            return wrong("required_scope", "must not be empty");
        }
        if self.queries.is_empty() {
            return wrong("queries", "must list at least one query");
        }
        for (setting, categories) in [
            ("readable_device_categories", &self.readable_device_categories),
            ("deletable_device_categories", &self.deletable_device_categories),
        ] {
            let mut categories = categories.iter().flatten();
            if let Some(other) = categories.find(|one| !DEVICE_CATEGORIES.contains(&&***one)) {
                let known = DEVICE_CATEGORIES.join(" and ");
                return Err((setting, format!("{other:?} is none; device categories are {known}")));
            }
        }
        if self.mutation_throttle.is_some_and(|limit| limit.mutations == 0 || limit.seconds == 0) {
            return wrong("mutation_throttle", "must have mutations and seconds of at least 1");
        }
        Ok(())
    }

    /// The fields that are allowed among those that need the operations `needs`.
    pub(super) fn listed(&self, needs: &[Operation]) -> &BTreeSet<String> {
        if needs == [Operation::Read] { &self.queries } else { &self.mutations }
    }

    /// Whether devices of `category` are shown; `None` stands for those of no category.
    pub(super) fn shows_device(&self, category: Option<&str>) -> bool {
        is_among(self.readable_device_categories.as_ref(), category)
    }

    /// Whether devices of `category` are deleted.
    pub(super) fn deletes_device(&self, category: Option<&str>) -> bool {
        is_among(self.deletable_device_categories.as_ref(), category)
    }

    pub(super) fn may_read(&self, path: &str) -> bool {
        self.readable
            .as_ref()
            .is_none_or(|paths| paths.iter().any(|one| covers(one, path) || covers(path, one)))
    }

    /// Whether something may be written that may not be read. Of a password, nobody reads anything.
    pub(super) fn writes_unseen(&self) -> bool {
        let Some(readable) = &self.readable else { return false };
        let is_read = |path: &String| readable.iter().any(|one| covers(one, path));
        self.updatable.as_ref().is_none_or(|updatable| {
            updatable.iter().any(|path| path != "password" && !is_read(path))
        })
    }

    pub(super) fn may_write(&self, path: &str) -> bool {
        self.updatable.as_ref().is_none_or(|paths| paths.iter().any(|one| covers(one, path)))
    }
}

fn is_among(categories: Option<&BTreeSet<String>>, category: Option<&str>) -> bool {
    categories.is_none_or(|all| category.is_some_and(|category| all.contains(category)))
}

/// Whether `path` is `above` or below it.
fn covers(above: &str, path: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// People whose mutations are counted at a time.
const PEOPLE: u64 = 100_000;

/// When mutations were made, by person; in memory, each node for itself.
#[derive(Clone, Debug)]
pub struct Mutations(Cache<String, Arc<Mutex<VecDeque<Timestamp>>>>);

impl Default for Mutations {
    fn default() -> Self {
        Self(Cache::new(PEOPLE))
    }
}

impl Mutations {
    /// Counts a mutation of `person`; whether it is within `limit`.
    pub fn count(&self, person: &str, limit: MutationThrottle, now: Timestamp) -> bool {
        let times = self.0.get_with(person.to_owned(), Arc::default);
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|at| at.0 + u64::from(limit.seconds) <= now.0) {
            times.pop_front();
        }
        let is_within = times.len() < usize::from(limit.mutations);
        if is_within {
            times.push_back(now);
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_are_counted_within_a_sliding_time() {
        let (limit, all) = (MutationThrottle { mutations: 2, seconds: 10 }, Mutations::default());
        let allowed = [0, 1, 9, 10, 10, 11].map(|at| all.count("ann", limit, Timestamp(at)));
        assert_eq!(allowed, [true, true, false, true, false, true]);
        assert!(all.count("bob", limit, Timestamp(9)));
    }
}
