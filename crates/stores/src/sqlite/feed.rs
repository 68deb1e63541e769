//! The feed: a table of notices, numbered without holes in the order of their commits.

use castellan_issuer::store::{Feed, FeedCursor, FeedEntry, Key, Notice};
use castellan_proto::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::DriverError;
use super::reader::{Mark, Reader};
use super::row::seconds;

/// How long a notice is kept at least, in seconds.
const KEPT: i64 = 10 * 60;

/// A reader that is further behind gets a gap instead: invalidating everything costs it less than
/// processing that many notices, and no response needs more memory than this.
const MOST: i64 = 65_536;

/// Writes a notice about `subject`, if `notice` requires it, in the open transaction.
pub(super) fn tell(
    connection: &Connection,
    subject: &Key,
    notice: Notice,
) -> Result<(), DriverError> {
    if notice == Notice::Tell {
        let mut tell = connection.prepare_cached("INSERT INTO feed (subject) VALUES (?1)")?;
        tell.execute([subject.text()])?;
    }
    Ok(())
}

/// The notices after the cursor `after`. While nothing changes in the file it is one look at a
/// counter in shared memory.
pub(super) fn since(reader: &mut Reader, after: Option<&FeedCursor>) -> Result<Feed, DriverError> {
    // First the counter, then the end: what is committed in between is seen now and, because the
    // counter has moved, looked for again next time.
    let data_version = reader
        .connection()
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))?;
    let number = after.and_then(|cursor| number(&cursor.0));
    if let (Some(number), Some(mark)) = (number, reader.mark)
        && mark.data_version == data_version
        && mark.end == number
    {
        return Ok(nothing(number, false));
    }
    // The end and the entries are of one moment.
    let moment = reader.connection().unchecked_transaction()?;
    let end = end(&moment)?;
    let feed = match (after, number) {
        (None, _) => nothing(end, false),
        (Some(_), Some(number)) if number <= end && end - number <= MOST => {
            entries(&moment, number, end)?
        }
        // No number, or ahead of the end: a cursor of another file, or the file is an older copy.
        (Some(_), _) => nothing(end, true),
    };
    drop(moment);
    reader.mark = Some(Mark { data_version, end });
    Ok(feed)
}

fn nothing(end: i64, gap: bool) -> Feed {
    Feed { entries: Vec::new(), cursor: cursor(end), gap }
}

/// The number of the last notice ever written.
fn end(connection: &Connection) -> Result<i64, DriverError> {
    let mut end =
        connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'feed'")?;
    // No row until the first notice.
    Ok(end.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The notices after `after`, the last of which is `end`.
fn entries(connection: &Connection, after: i64, end: i64) -> Result<Feed, DriverError> {
    let mut entries =
        connection.prepare_cached("SELECT seq, subject FROM feed WHERE seq > ?1 ORDER BY seq")?;
    let entry = |row: &rusqlite::Row<'_>| {
        Ok(FeedEntry { id: row.get::<_, i64>(0)?.to_string(), subject: row.get(1)? })
    };
    let entries: Vec<_> = entries.query_map([after], entry)?.collect::<Result<_, _>>()?;
    // Numbers have no holes and the oldest go first, so what is missing is missing here.
    let gap = entries.len() < usize::try_from(end - after).unwrap_or(usize::MAX);
    Ok(Feed { entries, cursor: cursor(end), gap })
}

/// Removes at most `limit` notices that were too old at `now`, the oldest first; how many.
pub(super) fn sweep(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<usize, DriverError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut oldest = connection.prepare_cached("SELECT seq, at FROM feed ORDER BY seq LIMIT ?1")?;
    let mut rows = oldest.query([limit])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        // Never past one that stays, though the clock were turned back: holes would hide gaps.
        if row.get::<_, i64>(1)? >= seconds(now).saturating_sub(KEPT) {
            break;
        }
        last = Some(row.get::<_, i64>(0)?);
    }
    drop(rows);
    let Some(last) = last else { return Ok(0) };
    Ok(connection.prepare_cached("DELETE FROM feed WHERE seq <= ?1")?.execute(params![last])?)
}

fn cursor(at: i64) -> FeedCursor {
    FeedCursor(at.to_string())
}

fn number(cursor: &str) -> Option<i64> {
    cursor.parse().ok().filter(|number| *number >= 0)
}
