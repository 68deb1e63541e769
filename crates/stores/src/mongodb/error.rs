//! What can go wrong behind the port. Goes to the log and nowhere else.

use ::mongodb::error::{ErrorKind, WriteFailure};
use castellan_issuer::store::StoreError;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// The server refused, or did not respond.
    #[error(transparent)]
    Mongo(#[from] ::mongodb::error::Error),
    /// A document does not read, so something else than Castellan wrote it.
    #[error("a document is corrupt: its {0}")]
    Damaged(&'static str),
    /// There were conflicts with other writers at every attempt.
    #[error("too much write contention")]
    Contended,
    /// The write was not started, because too much time had passed.
    #[error("the server took too long")]
    Timeout,
}

impl From<DriverError> for StoreError {
    fn from(fault: DriverError) -> Self {
        Self::new(fault)
    }
}

/// What a unique index refuses with.
const DUPLICATE: i32 = 11_000;

/// Whether a unique index refused it: nothing was written.
pub(super) fn is_duplicate(error: &::mongodb::error::Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE,
        ErrorKind::Command(error) => error.code == DUPLICATE,
        _ => false,
    }
}
