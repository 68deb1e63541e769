//! The file: where it is, whose it is, and how a connection to it is set up.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;

use rusqlite::{Connection, OpenFlags};

use super::error::{explain, missing, unwritable};
use super::format::{self, Brought, Found};
use super::patience::{PATIENCE, PAUSE, patiently};
use crate::OpenError;
use crate::format_state::{FormatState, Migrate};

/// The log is cut back to this many bytes after a flood.
const LOG_LIMIT: i64 = 64 * 1024 * 1024;
/// More than there are different statements.
const STATEMENTS: usize = 32;

/// The absolute path that the part of the address behind `sqlite://` names, from `folder` on.
pub(super) fn path_of(rest: &str, folder: &Path) -> Result<PathBuf, OpenError> {
    let malformed = |problem, remedy| OpenError::Malformed { scheme: "sqlite", problem, remedy };
    if rest.is_empty() {
        return Err(malformed("has no path", "use sqlite://PATH"));
    }
    if rest.contains('?') {
        return Err(malformed(
            "does not support options",
            "remove the part from \"?\" on, or make the path relative if the folder of the \
             configuration has it in its name",
        ));
    }
    // Absolute, so that `:memory:` is a file like any other.
    std::path::absolute(folder.join(rest)).map_err(|cause| {
        let file = OpenError::file(Path::new(rest), cause.to_string(), "use an absolute path");
        file.because(cause)
    })
}

/// A file that is open for the writer.
pub(super) struct OpenedFile {
    pub(super) connection: Connection,
    pub(super) format_state: FormatState,
    /// Whether its tables were made just now.
    pub(super) is_new: bool,
}

/// Opens the file at `path` for the writer; makes it and its tables if need be and `migrate` creates.
pub(super) fn open_for_writing(path: &Path, migrate: Migrate) -> Result<OpenedFile, OpenError> {
    if path.is_dir() {
        return Err(OpenError::file(path, "it is a directory", "give the path of a file in it"));
    }
    if migrate.creates() {
        make(path)?;
    } else if !path.exists() {
        return Err(missing(path, "does not exist"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = |error: rusqlite::Error| explain(path, error.into());
    let mut connection = Connection::open_with_flags(path, flags).map_err(sql)?;
    if connection.is_readonly("main").map_err(sql)? {
        return Err(unwritable(path));
    }
    prepare(&connection).map_err(sql)?;
    // Before anything is changed, because the file may belong to another program.
    let found = format::check(path, &connection.unchecked_transaction().map_err(sql)?)?;
    if found == Found::Nothing && !migrate.creates() {
        return Err(missing(path, "is empty"));
    }
    let mode = patiently(|| {
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))
    });
    if mode.map_err(sql)? != "wal" {
        let remedy = "put it on a local disk";
        return Err(OpenError::file(
            path,
            "its file system does not support shared memory",
            remedy,
        ));
    }
    let Brought { format_state, is_new } = format::bring(path, &mut connection, migrate)?;
    Ok(OpenedFile { connection, format_state, is_new })
}

/// Opens the file at `path` for a reader. The writer's connection must be open.
pub(super) fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Opens the file at `path` for the one who moves the log to it. The writer's connection must be open.
pub(super) fn open_for_moving(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Moves what is in the log to the file, as far as other processes let it, and closes.
pub(super) fn close(connection: Connection) {
    // The log is as durable as the file, so nothing is lost if this fails.
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::debug!(%error, "could not finish the write-ahead log; the next start does it");
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "could not close the data source");
    }
}

/// Makes an empty file that only this user may read, unless there is one.
fn make(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    // Never an existing one: closing it would drop the locks that SQLite has on it in this process.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let Err(cause) = options.open(path) else { return Ok(()) };
    let (problem, remedy) = match cause.kind() {
        ErrorKind::AlreadyExists => return Ok(()),
        ErrorKind::NotFound => ("its directory does not exist", "create the directory"),
        ErrorKind::PermissionDenied => {
            ("this user may not create it", "give this user write access to its directory")
        }
        _ => ("it cannot be created", "see the cause"),
    };
    Err(OpenError::file(path, problem, remedy).because(cause))
}

/// Sets `connection` up for the writer.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // `busy_timeout` with waits of our own, see `PAUSE`.
    connection.busy_handler(Some(|tries| {
        thread::sleep(PAUSE);
        u128::try_from(tries).is_ok_and(|tries| tries < PATIENCE.as_millis() / PAUSE.as_millis())
    }))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A commit waits for the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)
}
