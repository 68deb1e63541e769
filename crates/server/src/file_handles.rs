//! How many connections there may be follows from the file handles of this process: those of
//! clients, those to APIs behind guards, and some kept back for databases, logs and look-ups.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The file handles that this process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHandles {
    /// How many.
    pub limit: usize,
}

/// Where the system sets no limit, and at most: more than one process is good for.
const MOST: u64 = 1 << 20;
/// Connections of clients at most, however many file handles there are.
const MOST_CONNECTIONS: usize = 8_192;

impl FileHandles {
    /// The limit of this process, after the soft one was raised to the hard one.
    #[must_use]
    pub fn of_this_process() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let most = maximum.unwrap_or(MOST).min(MOST);
        let mut limit = current.unwrap_or(MOST).min(MOST);
        if limit < most
            && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).is_ok()
        {
            limit = most;
        }
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX) }
    }

    /// Those that no connection gets: an eighth, between 32 and 256, for databases, logs,
    /// look-ups of names and what Castellan itself fetches.
    const fn kept_back(self) -> usize {
        let eighth = self.limit / 8;
        if eighth < 32 {
            32
        } else if eighth > 256 {
            256
        } else {
            eighth
        }
    }

    /// Connections of clients that may be open at a time.
    #[must_use]
    pub fn listener(self) -> usize {
        // A request may need a connection to an API as well.
        (self.limit.saturating_sub(self.kept_back()) / 2).clamp(16, MOST_CONNECTIONS)
    }

    /// Connections to APIs behind guards that may be open at a time.
    #[must_use]
    pub fn upstreams(self) -> usize {
        self.limit.saturating_sub(self.kept_back() + self.listener()).max(16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_back_whatever_the_limit_is() {
        for limit in [256, 1_024, 4_096, 65_536, 1 << 20] {
            let handles = FileHandles { limit };
            let (listener, upstreams) = (handles.listener(), handles.upstreams());
            assert!(listener + upstreams + 32 <= limit, "{limit}: {listener} + {upstreams}");
        }
        assert_eq!(FileHandles { limit: 1_024 }.listener(), 448);
        assert_eq!(FileHandles { limit: 65_536 }.listener(), MOST_CONNECTIONS);
    }

    #[test]
    fn this_process_has_some() {
        assert!(FileHandles::of_this_process().limit >= 64);
    }
}
