//! What can go wrong behind the port. Goes to the log and nowhere else.

use std::sync::Arc;

use castellan_issuer::store::StoreError;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// SQLite said no.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// A row does not read, so something else than Castellan wrote it.
    #[error("a row is damaged: its {0}")]
    Damaged(&'static str),
    /// The thread that should do it has ended.
    #[error("the thread of the data source has ended")]
    Ended,
    /// A thread could not be started.
    #[error("a thread of the data source could not be started")]
    Thread(#[source] std::io::Error),
}

impl From<DriverError> for StoreError {
    fn from(fault: DriverError) -> Self {
        Self::new(fault)
    }
}

/// The error of everyone in a group that failed together.
pub(super) fn shared(fault: &Arc<DriverError>) -> StoreError {
    StoreError::new(Arc::clone(fault))
}
