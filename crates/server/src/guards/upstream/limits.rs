//! How many requests may be under way to each API: what its guards say, else an equal part of what
//! is left of the file handles for all of them.

use std::{collections::BTreeMap, sync::Arc};

use url::Url;

use super::Api;
use crate::{config::GuardConfig, file_handles::FileHandles, roots::TrustedRoots};

/// More than this an API gets only if its guard says so.
const DEFAULT: usize = 1_024;

/// Every API behind a guard, by its origin.
#[derive(Clone, Default)]
pub(crate) struct Upstreams {
    apis: BTreeMap<String, Arc<Api>>,
    /// What their certificates are checked against, besides the public authorities.
    pub(crate) roots: TrustedRoots,
}

/// Why what is configured does not work out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    /// Two numbers for one API.
    #[error(
        "upstream_max_requests is {one} for one guard and {other} for another, but both share the \
         upstream {origin}: set it once, or to the same value"
    )]
    TwoNumbers {
        /// Where the API is.
        origin: String,
        /// What one guard says.
        one: usize,
        /// What another one says.
        other: usize,
    },
    /// More than there are file handles for.
    #[error(
        "upstream_max_requests of all guards add up to {wanted}, but the limit of {limit} open \
         files leaves {share} for upstreams: lower them, or raise the limit (`ulimit -n`, \
         `LimitNOFILE=` of systemd)"
    )]
    TooMany {
        /// All of them together.
        wanted: usize,
        /// The file handles of this process.
        limit: usize,
        /// What is there for upstreams.
        share: usize,
    },
}

impl Upstreams {
    /// None yet; those to come are verified against `roots`.
    pub(crate) fn verified_by(roots: TrustedRoots) -> Self {
        Self { apis: BTreeMap::new(), roots }
    }

    /// Shares the file handles for upstreams out among those of `guards`. An API whose limit stays
    /// keeps its connections and what is known of it.
    pub(crate) fn share_out(
        &self,
        guards: &[GuardConfig],
        handles: FileHandles,
    ) -> Result<Self, LimitError> {
        let limits = limits(guards, handles)?;
        let api = |(origin, limit): (String, usize)| {
            let known = self.apis.get(&origin).filter(|api| api.limit == limit).cloned();
            let api =
                known.unwrap_or_else(|| Arc::new(Api::new(origin.clone(), limit, &self.roots)));
            (origin, api)
        };
        Ok(Self { apis: limits.into_iter().map(api).collect(), roots: self.roots.clone() })
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Api> {
        self.apis.values().map(|api| &**api)
    }

    /// The one at `url`.
    pub(crate) fn at(&self, url: &Url) -> Option<Arc<Api>> {
        self.apis.get(&url.origin().ascii_serialization()).cloned()
    }
}

fn limits(
    guards: &[GuardConfig],
    handles: FileHandles,
) -> Result<BTreeMap<String, usize>, LimitError> {
    let mut told: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for guard in guards {
        let Some(url) = &guard.upstream else { continue };
        let origin = url.origin().ascii_serialization();
        let said = told.entry(origin.clone()).or_default();
        match (*said, guard.upstream_max_requests.map(usize::from)) {
            (Some(one), Some(other)) if one != other => {
                return Err(LimitError::TwoNumbers { origin, one, other });
            }
            (None, other) => *said = other,
            _ => {}
        }
    }
    let (share, limit) = (handles.upstreams(), handles.limit);
    let wanted = told.values().flatten().fold(0, |sum: usize, one| sum.saturating_add(*one));
    let others = told.values().filter(|one| one.is_none()).count();
    // One request at a time is the least.
    if wanted.saturating_add(others) > share {
        let wanted = wanted.saturating_add(others);
        return Err(LimitError::TooMany { wanted, limit, share });
    }
    let part = (share - wanted).checked_div(others).unwrap_or_default().min(DEFAULT);
    Ok(told.into_iter().map(|(origin, said)| (origin, said.unwrap_or(part))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(upstream: &str, limit: usize) -> GuardConfig {
        let mut guard = GuardConfig::plain("g", "/g", None, upstream.parse().ok());
        guard.upstream_max_requests = limit.try_into().ok();
        guard
    }

    fn limits_of(guards: &[GuardConfig], limit: usize) -> Result<Vec<usize>, LimitError> {
        limits(guards, FileHandles { limit }).map(|limits| limits.into_values().collect())
    }

    #[test]
    fn each_api_has_its_share_and_no_more() {
        let (a, b) = ("http://a.example.org/graphql", "http://b.example.org/graphql");
        let share = FileHandles { limit: 1_024 }.upstreams();
        assert_eq!(limits_of(&[], 1_024), Ok(vec![]));
        assert_eq!(limits_of(&[guard(a, 0)], 65_536), Ok(vec![DEFAULT]));
        assert_eq!(limits_of(&[guard(a, 0)], 1_024), Ok(vec![share]));
        assert_eq!(limits_of(&[guard(a, 0), guard(b, 0)], 1_024), Ok(vec![share / 2, share / 2]));
        assert_eq!(limits_of(&[guard(a, 10), guard(b, 0)], 1_024), Ok(vec![10, share - 10]));
        assert_eq!(limits_of(&[guard(a, 5_000)], 65_536), Ok(vec![5_000]), "if it is told");
    }

    #[test]
    fn guards_of_one_api_share_its_limit() {
        let (one, other) = ("http://a.example.org/one", "http://a.example.org/other");
        assert_eq!(limits_of(&[guard(one, 10), guard(other, 0)], 1_024), Ok(vec![10]));
        assert_eq!(limits_of(&[guard(one, 0), guard(other, 10)], 1_024), Ok(vec![10]));
        let two = limits_of(&[guard(one, 10), guard(other, 11)], 1_024).unwrap_err().to_string();
        assert!(two.contains("http://a.example.org") && two.contains("10"), "{two}");
    }

    #[test]
    fn more_than_there_are_file_handles_for_is_refused() {
        let many = [guard("http://a.example.org/", 200), guard("http://b.example.org/", 0)];
        let refusal = limits_of(&many, 1_024).unwrap_err().to_string();
        assert!(refusal.contains("201") && refusal.contains("LimitNOFILE"), "{refusal}");
    }
}
