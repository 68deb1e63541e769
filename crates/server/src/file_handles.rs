//! How many file handles this process may have, and who gets which share of them.
//!
//! A connection is a file handle, whichever side opened it. Whoever opens connections takes them
//! from a share, so that one crowd (an API that does not answer, clients that send nothing) never
//! takes the handles that the others, the data source among them, need to go on.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More are not asked for: every one may come to hold memory.
const MOST: usize = 65_536;
/// Kept back for files, the data source, what is fetched and whatever else needs one: so many, or a
/// quarter of a small limit.
const RESERVE: usize = 256;

/// The file handles of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHandles {
    /// How many there may be (`RLIMIT_NOFILE`).
    pub limit: usize,
}

impl FileHandles {
    /// Those of this process, of which the soft limit is raised to the hard one first, to 65,536 at
    /// most: the soft one is 1,024 on many systems, for the sake of programs that use `select`.
    #[must_use]
    pub fn of_this_process() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // `None` is without a limit.
        let number = |limit: Option<u64>| {
            limit.map_or(MOST, |limit| usize::try_from(limit).unwrap_or(MOST).min(MOST))
        };
        let (soft, wanted) = (number(current), number(maximum));
        let raised = Rlimit { current: u64::try_from(wanted).ok(), maximum };
        let limit = if wanted > soft && setrlimit(Resource::Nofile, raised).is_ok() {
            wanted
        } else {
            soft
        };
        Self { limit }
    }

    /// What is kept back for ourselves.
    #[must_use]
    pub fn reserve(self) -> usize {
        RESERVE.min(self.limit / 4)
    }

    /// The share of connections that come in: half of what remains after the reserve.
    #[must_use]
    pub fn listener(self) -> usize {
        (self.limit - self.reserve()) / 2
    }

    /// The share of connections to the APIs behind all guards together: a quarter of what remains
    /// after the reserve.
    #[must_use]
    pub fn upstreams(self) -> usize {
        (self.limit - self.reserve()) / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_and_the_reserve_are_within_the_limit() {
        for (limit, listener, upstreams) in
            [(65_536, 32_640, 16_320), (1_024, 384, 192), (256, 96, 48), (0, 0, 0)]
        {
            let handles = FileHandles { limit };
            assert_eq!((handles.listener(), handles.upstreams()), (listener, upstreams), "{limit}");
            let all = handles.reserve() + handles.listener() + handles.upstreams();
            assert!(all <= limit, "{all} of {limit}");
        }
    }

    #[test]
    fn this_process_has_some() {
        let handles = FileHandles::of_this_process();
        assert!(handles.limit > 0);
        assert_eq!(FileHandles::of_this_process(), handles, "asked again, it is the same");
    }
}
