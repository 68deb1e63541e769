//! The clock of a running server; with the feature `test-clock`, one that tests can move.

use std::sync::Arc;

use castellan_proto::{Clock, SystemClock};

/// The machine's clock.
#[cfg(not(feature = "test-clock"))]
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The machine's clock, moved by the seconds in the file that `CASTELLAN_TEST_CLOCK` names: `300`
/// is five minutes later for everybody, the data source included; `300 alone`, or `-300 alone`, is a
/// machine whose clock is wrong.
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
    /// By how many seconds, and whether it alone.
    fn moved(&self) -> (i64, bool) {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let mut words = text.split_whitespace();
        let seconds = words.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        (seconds, words.next() == Some("alone"))
    }
}

#[cfg(feature = "test-clock")]
impl Clock for Moved {
    fn now(&self) -> castellan_proto::Timestamp {
        castellan_proto::Timestamp(self.millis() / 1_000)
    }

    fn millis(&self) -> u64 {
        let (seconds, _) = self.moved();
        SystemClock.millis().saturating_add_signed(seconds.saturating_mul(1_000))
    }

    fn machine_millis(&self) -> u64 {
        if self.moved().1 { self.millis() } else { SystemClock.millis() }
    }
}
