//! What a file is, and how it is brought to the present format.

use std::path::Path;

use castellan_issuer::store::names::mirrored;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    error::{DriverError, explain, missing},
    patience::patiently,
    row,
};
use crate::{
    OpenError,
    format_state::{FormatState, LEFT, Migrate, Progress, TOO_OLD, Unusable, too_new},
};

/// The format that this build writes, as SQLite's `user_version`.
const NEWEST: u64 = 2;
/// SQLite's `application_id` of our files: the letters `CstN`.
const APPLICATION: i64 = 0x4373_744e;
/// Names that are brought along in one transaction, for which other writers wait.
const STEP: usize = 1_000;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The file is empty.
    Nothing,
    /// A file of Castellan, of this format.
    Ours(u64),
}

/// Refuses files of other programs and of later versions. Everything is read in one `moment`,
/// because another process may be initialising the file.
pub(super) fn check(path: &Path, moment: &Transaction<'_>) -> Result<Found, OpenError> {
    let number = |sql| {
        patiently(|| moment.query_row(sql, [], |row| row.get::<_, i64>(0)))
            .map_err(|error| explain(path, error.into()))
    };
    let application = number("PRAGMA application_id")?;
    let format = number("PRAGMA user_version")?;
    if application == APPLICATION {
        return match u64::try_from(format) {
            Ok(known @ 1..=NEWEST) => Ok(Found::Ours(known)),
            Ok(newer) if newer > NEWEST => {
                let Unusable { problem, remedy } = too_new(newer, NEWEST);
                Err(OpenError::file(path, format!("it {problem}"), remedy))
            }
            _ => Err(OpenError::file(
                path,
                format!("its format {format} is unknown"),
                "restore a backup",
            )),
        };
    }
    if application == 0 && format == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(Found::Nothing);
    }
    let remedy = "use another file";
    Err(OpenError::file(path, "it is the database of another program", remedy))
}

/// Whether builds of a format before still open the file.
pub(super) fn admits_older(connection: &Connection) -> Result<bool, DriverError> {
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(format < row::int(NEWEST))
}

/// A file that was brought to a format.
pub(super) struct Brought {
    pub(super) format_state: FormatState,
    /// Whether its tables were made just now.
    pub(super) is_new: bool,
}

/// Brings a file as far as `migrate` says.
pub(super) fn bring(
    path: &Path,
    connection: &mut Connection,
    migrate: Migrate,
) -> Result<Brought, OpenError> {
    let Widened { mut format, is_new } = widen(path, connection, migrate)?;
    if format < NEWEST && migrate >= Migrate::Fill {
        fill(connection).map_err(|fault| explain(path, fault))?;
    }
    if format < NEWEST && migrate >= Migrate::Finish {
        format = narrow(path, connection)?;
    }
    Ok(Brought { format_state: FormatState { format, newest: NEWEST }, is_new })
}

/// A file that this version can write.
struct Widened {
    format: u64,
    is_new: bool,
}

/// Initialises an empty file, or widens one of a previous format for this version.
fn widen(path: &Path, connection: &mut Connection, migrate: Migrate) -> Result<Widened, OpenError> {
    let sql = |error: rusqlite::Error| explain(path, error.into());
    // Checked again under the lock: another process may have been faster.
    let moment = begin(connection).map_err(sql)?;
    let found = check(path, &moment)?;
    let format = match found {
        Found::Ours(format)
            if format == NEWEST || migrate == Migrate::Look || is_wide(&moment).map_err(sql)? =>
        {
            format
        }
        Found::Ours(_) if migrate == Migrate::No => {
            let Unusable { problem, remedy } = TOO_OLD;
            return Err(OpenError::file(path, format!("it {problem}"), remedy));
        }
        Found::Nothing if !migrate.creates() => return Err(missing(path, "is empty")),
        Found::Ours(format) => {
            moment.execute_batch(include_str!("format-2.sql")).map_err(sql)?;
            format
        }
        Found::Nothing => {
            moment.execute_batch(include_str!("schema.sql")).map_err(sql)?;
            moment.execute_batch(include_str!("format-2.sql")).map_err(sql)?;
            moment.execute_batch(include_str!("format-2-only.sql")).map_err(sql)?;
            moment.pragma_update(None, "application_id", APPLICATION).map_err(sql)?;
            moment.pragma_update(None, "user_version", row::int(NEWEST)).map_err(sql)?;
            NEWEST
        }
    };
    moment.commit().map_err(sql)?;
    Ok(Widened { format, is_new: found == Found::Nothing })
}

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn is_wide(connection: &Connection) -> rusqlite::Result<bool> {
    let columns = "SELECT count(*) FROM pragma_table_info('names') WHERE name = 'mirrored'";
    connection.query_row(columns, [], |row| row.get::<_, bool>(0))
}

const UNMIRRORED: &str = "SELECT count(*) FROM names WHERE mirrored IS NULL";

/// Converts what versions of the previous format wrote, in small steps so that nothing is blocked
/// for long. If interrupted, it continues where it was.
fn fill(connection: &mut Connection) -> Result<(), DriverError> {
    let left: i64 = connection.query_row(UNMIRRORED, [], |row| row.get(0))?;
    let mut progress = Progress::begin(u64::try_from(left).unwrap_or(0));
    let mut last = [const { String::new() }; 3];
    loop {
        let moment = begin(connection)?;
        let step = fill_step(&moment, &mut last)?;
        moment.commit()?;
        progress.step(step as u64);
        if step < STEP {
            progress.end();
            return Ok(());
        }
    }
}

/// How many names after `last` it brought along.
fn fill_step(moment: &Transaction<'_>, last: &mut [String; 3]) -> Result<usize, DriverError> {
    let mut next = moment.prepare_cached(
        "SELECT site, kind, name FROM names
         WHERE (site, kind, name) > (?1, ?2, ?3) AND mirrored IS NULL
         ORDER BY site, kind, name LIMIT ?4",
    )?;
    let mut mirror = moment.prepare_cached(
        "UPDATE names SET mirrored = ?4 WHERE site = ?1 AND kind = ?2 AND name = ?3",
    )?;
    let [site, kind, name] = &*last;
    let limit = i64::try_from(STEP).unwrap_or(i64::MAX);
    let columns = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
    // All are read before the first is changed.
    let found: Vec<[String; 3]> =
        next.query_map(params![site, kind, name, limit], columns)?.collect::<Result<_, _>>()?;
    for [site, kind, name] in &found {
        mirror.execute(params![site, kind, name, mirrored(name)])?;
    }
    let step = found.len();
    if let Some(end) = found.into_iter().next_back() {
        *last = end;
    }
    Ok(step)
}

/// Has the file refuse builds of the format before, if nothing of theirs is left.
fn narrow(path: &Path, connection: &mut Connection) -> Result<u64, OpenError> {
    let sql = |error: rusqlite::Error| explain(path, error.into());
    let moment = begin(connection).map_err(sql)?;
    // Counted under the lock: later writers see the new format.
    let left: i64 = moment.query_row(UNMIRRORED, [], |row| row.get(0)).map_err(sql)?;
    if left > 0 {
        return Err(OpenError::file(path, format!("it {}", LEFT.problem), LEFT.remedy));
    }
    moment.execute_batch(include_str!("format-2-only.sql")).map_err(sql)?;
    moment.pragma_update(None, "user_version", row::int(NEWEST)).map_err(sql)?;
    moment.commit().map_err(sql)?;
    Ok(NEWEST)
}
