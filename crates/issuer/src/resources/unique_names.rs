//! Which unique names a write gives to a record, and which it takes from it.

use crate::records::repository::Stored;

/// The unique names by which a record differs from what it was.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(super) gained: Vec<String>,
    pub(super) lost: Vec<String>,
}

impl Names {
    /// Those in which `after` differs from `before`.
    pub(crate) fn between<T: Stored>(before: Option<&T>, after: &T) -> Self {
        let (old, new) = (before.map(T::unique).unwrap_or_default(), after.unique());
        let lost = old.iter().filter(|name| !new.contains(name)).cloned().collect();
        Self { gained: new.into_iter().filter(|name| !old.contains(name)).collect(), lost }
    }
}
