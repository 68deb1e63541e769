//! The feed: a reader's cursor is the snapshot of its last poll, and the next poll returns what
//! that snapshot could not see. Transactions may commit in any order and however late; no notice is
//! missed or returned twice.

use castellan_issuer::store::{Feed, FeedCursor, FeedEntry, Key};
use castellan_proto::Timestamp;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    error::DriverError,
    row::{self, seconds},
};

/// How long a notice is kept at least, in seconds.
const KEPT: i64 = 10 * 60;

/// A reader that is further behind gets a gap instead: invalidating everything costs it less than
/// processing that many notices, and no response needs more memory than this.
const MOST: i64 = 65_536;

// A standby may be behind, and what it does not know yet would be missed: after a failover a
// connection may lead to one.
const END: &str = "SELECT pg_current_snapshot()::text, pg_is_in_recovery()";

// A notice that was swept may have been unseen if its transaction was not visible, or if one that
// was still running then is no newer than it. A snapshot from the future is from another database.
const SINCE: &str = "
    WITH here AS (
        SELECT pg_current_snapshot() AS now, m.swept,
            NOT pg_visible_in_snapshot(m.swept, $1::pg_snapshot)
                OR EXISTS (SELECT FROM pg_snapshot_xip($1::pg_snapshot) x WHERE x <= m.swept)
                OR pg_snapshot_xmax($1::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot())
                AS gap
        -- One row, which a table that was never analysed would not be taken for.
        FROM (SELECT swept FROM castellan_meta LIMIT 1) m
    )
    SELECT here.now::text, pg_is_in_recovery(), here.gap, f.seq, f.subject
    FROM here LEFT JOIN castellan_feed f
        ON f.xid >= pg_snapshot_xmin($1::pg_snapshot)
        AND NOT pg_visible_in_snapshot(f.xid, $1::pg_snapshot)
    ORDER BY f.seq LIMIT $2";

// The newest transaction that lost a notice is stored before a reader can miss it.
const SWEEP: &str = "
    WITH old AS (
        SELECT seq FROM castellan_feed WHERE at < $1 ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM castellan_feed f USING old WHERE f.seq = old.seq RETURNING f.xid
    )
    UPDATE castellan_meta SET swept = greatest(swept, newest)
    FROM (SELECT max(xid) AS newest, count(*) AS many FROM gone) AS g WHERE newest IS NOT NULL
    RETURNING g.many";

/// Writes only a notice.
pub(super) async fn tell(connection: &mut PgConnection, subject: &Key) -> Result<(), DriverError> {
    let tell = sqlx::query("INSERT INTO castellan_feed (subject) VALUES ($1)");
    tell.bind(subject.text().into_bytes()).execute(connection).await?;
    Ok(())
}

/// The notices after the cursor `after`, in one round trip.
pub(super) async fn since(
    connection: &mut PgConnection,
    database: &str,
    after: Option<&FeedCursor>,
) -> Result<Feed, DriverError> {
    let cursor = |snapshot: &str| FeedCursor(format!("{database}/{snapshot}"));
    let Some(after) = after else {
        let end = end(&sqlx::query(END).fetch_one(&mut *connection).await?)?;
        return Ok(Feed { entries: Vec::new(), cursor: cursor(&end), gap: false });
    };
    let Some(snapshot) = snapshot_of(&after.0, database) else {
        let end = end(&sqlx::query(END).fetch_one(&mut *connection).await?)?;
        return Ok(Feed { entries: Vec::new(), cursor: cursor(&end), gap: true });
    };
    let rows = sqlx::query(SINCE).bind(snapshot).bind(MOST + 1).fetch_all(connection).await?;
    let first = rows.first().ok_or(DriverError::Damaged("format"))?;
    let (end, gap) = (end(first)?, first.try_get(2)?);
    if gap || i64::try_from(rows.len()).unwrap_or(i64::MAX) > MOST {
        return Ok(Feed { entries: Vec::new(), cursor: cursor(&end), gap: true });
    }
    let mut entries = Vec::new();
    for row in &rows {
        let Some(seq) = row.try_get::<Option<i64>, _>(3)? else { continue };
        let subject = row::text(row.try_get(4)?, "subject")?;
        entries.push(FeedEntry { id: seq.to_string(), subject });
    }
    Ok(Feed { entries, cursor: cursor(&end), gap: false })
}

/// Where the feed ends: what the server could see, if it is the primary.
fn end(row: &PgRow) -> Result<String, DriverError> {
    if row.try_get(1)? { Err(DriverError::Standby) } else { Ok(row.try_get(0)?) }
}

/// The snapshot in a cursor of `database`: `xmin:xmax:xip,…`.
fn snapshot_of<'a>(cursor: &'a str, database: &str) -> Option<&'a str> {
    let snapshot = cursor.strip_prefix(database)?.strip_prefix('/')?;
    let number = |text: &str| text.len() <= 20 && text.parse::<u64>().is_ok();
    let mut parts = snapshot.split(':');
    let (min, max, running) = (parts.next()?, parts.next()?, parts.next()?);
    let good = parts.next().is_none()
        && number(min)
        && number(max)
        && (running.is_empty() || running.split(',').all(number));
    good.then_some(snapshot)
}

/// Removes at most `limit` notices that were too old at `now`, the oldest first; how many.
pub(super) async fn sweep(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: usize,
) -> Result<usize, DriverError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let before = seconds(now).saturating_sub(KEPT);
    let gone: Option<i64> =
        sqlx::query_scalar(SWEEP).bind(before).bind(limit).fetch_optional(connection).await?;
    Ok(gone.and_then(|gone| usize::try_from(gone).ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_snapshot_of_this_database() {
        for good in ["d/1:2:", "d/10:20:10,14,15"] {
            assert_eq!(snapshot_of(good, "d"), Some(&good[2..]));
        }
        for bad in
            ["", "d", "d/", "e/1:2:", "d/1:2", "d/1:2:3:4", "d/a:2:", "d/1:2:3,", "d/1:2:;", "1:2:"]
        {
            assert_eq!(snapshot_of(bad, "d"), None, "{bad:?}");
        }
    }
}
