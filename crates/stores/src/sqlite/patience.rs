//! How long to wait for another process that has the file locked.

use std::{
    thread,
    time::{Duration, Instant},
};

use rusqlite::ErrorCode;

/// How long to wait for another process that writes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long between two tries. Short: under load the other process lets go for microseconds, and
/// SQLite's own waits grow to 100 ms, with which the command line would never get in.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// Tries again while another process has the lock, for [`PATIENCE`].
pub(super) fn patiently<T>(
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < PATIENCE =>
            {
                thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}
