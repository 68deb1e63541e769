//! What can go wrong behind the port. Goes to the log and nowhere else.

use std::{path::Path, sync::Arc};

use castellan_issuer::store::StoreError;
use rusqlite::ErrorCode;

use crate::OpenError;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// SQLite refused.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// A row does not read, so something else than Castellan wrote it.
    #[error("a row is corrupt: its {0}")]
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

/// What `fault` at opening means to the operator.
pub(super) fn explain(path: &Path, fault: DriverError) -> OpenError {
    let code = match &fault {
        DriverError::Sql(error) => error.sqlite_error_code(),
        _ => None,
    };
    let (problem, remedy) = match code {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            ("it is not a database, or is corrupt", "use another file, or restore a backup")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            "this user has no access to it or its directory",
            "give this user read and write access to both",
        ),
        Some(ErrorCode::ReadOnly) => return unwritable(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ("another process keeps it locked", "stop that process, or wait")
        }
        Some(ErrorCode::DiskFull) => ("its disk is full", "free some space"),
        _ => ("the operating system refused", "see the cause"),
    };
    OpenError::file(path, problem, remedy).because(fault)
}

/// What there is not where nothing is made.
pub(super) fn missing(path: &Path, problem: &'static str) -> OpenError {
    OpenError::Missing {
        place: path.display().to_string(),
        problem,
        remedy: "run `castellan migrate` to create it, or check the path",
    }
}

pub(super) fn unwritable(path: &Path) -> OpenError {
    OpenError::file(
        path,
        "this user has no write access to it",
        "give this user read and write access to it",
    )
}
