//! The clock of a running server; with the feature `test-clock`, one that tests can move.

use std::sync::Arc;

use castellan_proto::{Clock, SystemClock};

/// The machine's clock.
#[cfg(not(feature = "test-clock"))]
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The machine's clock, ahead by the seconds in the file that `CASTELLAN_TEST_CLOCK` names.
#[cfg(feature = "test-clock")]
pub(crate) fn clock() -> Arc<dyn Clock> {
    match std::env::var_os("CASTELLAN_TEST_CLOCK") {
        Some(path) => Arc::new(Moved { path: path.into() }),
        None => Arc::new(SystemClock),
    }
}

#[cfg(feature = "test-clock")]
struct Moved {
    path: std::path::PathBuf,
}

#[cfg(feature = "test-clock")]
impl Moved {
    /// How many seconds it is ahead.
    fn ahead(&self) -> u64 {
        let ahead = std::fs::read_to_string(&self.path).ok();
        ahead.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

#[cfg(feature = "test-clock")]
impl Clock for Moved {
    fn now(&self) -> castellan_proto::Timestamp {
        castellan_proto::Timestamp(self.millis() / 1_000)
    }

    fn millis(&self) -> u64 {
        SystemClock.millis() + self.ahead() * 1_000
    }
}
