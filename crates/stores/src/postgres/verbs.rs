//! The verbs that are one statement each.

use std::collections::HashMap;

use castellan_issuer::store::{Draft, Inserted, Key, Notice, Record, Replaced, Taken};
use castellan_proto::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::{
    error::DriverError,
    row::{self, int, seconds},
};

const GET: &str = "
    SELECT k.n, r.version, r.expires_at, r.names, r.body
    FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS k (site, kind, id, n)
    JOIN castellan_records r ON r.site = k.site AND r.kind = k.kind AND r.id = k.id
    WHERE NOT r.taken AND (r.expires_at IS NULL OR r.expires_at > $4)";

const FIND: &str = "
    SELECT r.id, r.version, r.expires_at, r.names, r.body
    FROM castellan_names n
    JOIN castellan_records r ON r.site = n.site AND r.kind = n.kind AND r.id = n.id
    WHERE n.site = $1 AND n.kind = $2 AND n.name = $3
        AND NOT r.taken AND (r.expires_at IS NULL OR r.expires_at > $4)";

// Concurrent inserts of one key wait for its row and then check its content again.
const INSERT: &str = "
    WITH put AS (
        INSERT INTO castellan_records AS r (site, kind, id, version, expires_at, taken, names, body)
        VALUES ($1, $2, $3, 1, $4, false, '{}', $5)
        ON CONFLICT (site, kind, id) DO UPDATE
            SET version = 1, expires_at = EXCLUDED.expires_at, taken = false, names = '{}',
                body = EXCLUDED.body
            WHERE r.expires_at <= $6
        RETURNING 1
    ), freed AS (
        DELETE FROM castellan_names WHERE site = $1 AND kind = $2 AND id = $3
            AND EXISTS (SELECT FROM put)
    ), told AS (
        INSERT INTO castellan_feed (subject) SELECT $7 FROM put WHERE $7 IS NOT NULL
    )
    SELECT count(*) FROM put";

const REPLACE: &str = "
    WITH put AS (
        UPDATE castellan_records SET version = version + 1, expires_at = $5, names = '{}', body = $6
        WHERE site = $1 AND kind = $2 AND id = $3 AND version = $4
            AND NOT taken AND (expires_at IS NULL OR expires_at > $7)
        RETURNING version
    ), freed AS (
        DELETE FROM castellan_names WHERE site = $1 AND kind = $2 AND id = $3
            AND EXISTS (SELECT FROM put)
    ), told AS (
        INSERT INTO castellan_feed (subject) SELECT $8 FROM put WHERE $8 IS NOT NULL
    )
    SELECT version FROM put";

const TAKE: &str = "
    UPDATE castellan_records SET taken = true
    WHERE site = $1 AND kind = $2 AND id = $3
        AND NOT taken AND (expires_at IS NULL OR expires_at > $4)
    RETURNING version, expires_at, names, body";

const TOMBSTONE: &str = "
    SELECT version, expires_at, names, body FROM castellan_records
    WHERE site = $1 AND kind = $2 AND id = $3
        AND taken AND (expires_at IS NULL OR expires_at > $4)";

const DELETE: &str = "
    WITH gone AS (
        DELETE FROM castellan_records
        WHERE site = $1 AND kind = $2 AND id = $3 AND ($4::bigint IS NULL OR version = $4)
            AND (expires_at IS NULL OR expires_at > $5)
        RETURNING 1
    ), freed AS (
        DELETE FROM castellan_names WHERE site = $1 AND kind = $2 AND id = $3
            AND EXISTS (SELECT FROM gone)
    ), told AS (
        INSERT INTO castellan_feed (subject) SELECT $6 FROM gone WHERE $6 IS NOT NULL
    )
    SELECT count(*) FROM gone";

// Rows that are locked are left for the next sweep.
const SWEEP: &str = "
    WITH old AS (
        SELECT site, kind, id FROM castellan_records WHERE expires_at <= $1
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM castellan_records r USING old
        WHERE r.site = old.site AND r.kind = old.kind AND r.id = old.id
        RETURNING r.site, r.kind, r.id
    ), freed AS (
        DELETE FROM castellan_names n USING gone
        WHERE n.site = gone.site AND n.kind = gone.kind AND n.id = gone.id
    )
    SELECT count(*) FROM gone";

const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// The subject of the notice that goes with a write; `None` if there is none.
pub(super) fn notice_subject(key: &Key, notice: Notice) -> Option<Vec<u8>> {
    (notice == Notice::Tell).then(|| key.text().into_bytes())
}

pub(super) async fn get_many(
    connection: &mut PgConnection,
    keys: &[Key],
    now: Timestamp,
) -> Result<Vec<Option<Record>>, DriverError> {
    let sites: Vec<&str> = keys.iter().map(|key| &*key.site).collect();
    let kinds: Vec<&str> = keys.iter().map(|key| key.kind.as_str()).collect();
    let ids: Vec<&[u8]> = keys.iter().map(|key| key.id.as_bytes()).collect();
    let get = sqlx::query(GET).bind(sites).bind(kinds).bind(ids).bind(seconds(now));
    let mut found: HashMap<usize, Record> = HashMap::new();
    for row in get.fetch_all(connection).await? {
        let place = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0).wrapping_sub(1);
        let key = keys.get(place).ok_or(DriverError::Damaged("place"))?;
        found.insert(place, row::record(key.clone(), &row, 1)?);
    }
    Ok((0..keys.len()).map(|place| found.remove(&place)).collect())
}

/// The record with the unique name given as the id in `name`.
pub(super) async fn find(
    connection: &mut PgConnection,
    name: &Key,
    now: Timestamp,
) -> Result<Option<Record>, DriverError> {
    let find = sqlx::query(FIND).bind(&*name.site).bind(name.kind.as_str());
    let Some(row) =
        find.bind(name.id.as_bytes()).bind(seconds(now)).fetch_optional(connection).await?
    else {
        return Ok(None);
    };
    let key = Key { id: row::text(row.try_get(0)?, "id")?, ..name.clone() };
    row::record(key, &row, 1).map(Some)
}

/// Writes a draft without unique names.
pub(super) async fn insert(
    connection: &mut PgConnection,
    draft: &Draft,
    notice: Notice,
    now: Timestamp,
) -> Result<Inserted, DriverError> {
    let Draft { key, body, expires_at, .. } = draft;
    let put: i64 = sqlx::query_scalar(INSERT)
        .bind(&*key.site)
        .bind(key.kind.as_str())
        .bind(key.id.as_bytes())
        .bind(expires_at.map(seconds))
        .bind(body)
        .bind(seconds(now))
        .bind(notice_subject(key, notice))
        .fetch_one(connection)
        .await?;
    Ok(if put == 1 { Inserted::Done } else { Inserted::Exists })
}

/// Writes a draft without unique names over a version.
pub(super) async fn replace(
    connection: &mut PgConnection,
    draft: &Draft,
    version: u64,
    notice: Notice,
    now: Timestamp,
) -> Result<Replaced, DriverError> {
    let Draft { key, body, expires_at, .. } = draft;
    let put: Option<i64> = sqlx::query_scalar(REPLACE)
        .bind(&*key.site)
        .bind(key.kind.as_str())
        .bind(key.id.as_bytes())
        .bind(int(version))
        .bind(expires_at.map(seconds))
        .bind(body)
        .bind(seconds(now))
        .bind(notice_subject(key, notice))
        .fetch_optional(connection)
        .await?;
    Ok(match put {
        Some(version) => Replaced::Done(row::version(version)?),
        None => Replaced::Stale,
    })
}

pub(super) async fn take(
    connection: &mut PgConnection,
    key: &Key,
    now: Timestamp,
) -> Result<Taken, DriverError> {
    if let Some(record) = look(connection, TAKE, key, now).await? {
        return Ok(Taken::First(record));
    }
    // A separate statement, which sees what the winner of a race has committed.
    Ok(look(connection, TOMBSTONE, key, now).await?.map_or(Taken::None, Taken::Again))
}

async fn look(
    connection: &mut PgConnection,
    sql: &'static str,
    key: &Key,
    now: Timestamp,
) -> Result<Option<Record>, DriverError> {
    let look = sqlx::query(sql).bind(&*key.site).bind(key.kind.as_str());
    let found = look.bind(key.id.as_bytes()).bind(seconds(now)).fetch_optional(connection).await?;
    found.map(|row| row::record(key.clone(), &row, 0)).transpose()
}

pub(super) async fn delete(
    connection: &mut PgConnection,
    key: &Key,
    version: Option<u64>,
    notice: Notice,
    now: Timestamp,
) -> Result<bool, DriverError> {
    let gone: i64 = sqlx::query_scalar(DELETE)
        .bind(&*key.site)
        .bind(key.kind.as_str())
        .bind(key.id.as_bytes())
        .bind(version.map(int))
        .bind(seconds(now))
        .bind(notice_subject(key, notice))
        .fetch_one(connection)
        .await?;
    Ok(gone == 1)
}

pub(super) async fn sweep(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: usize,
) -> Result<usize, DriverError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let gone: i64 =
        sqlx::query_scalar(SWEEP).bind(seconds(now)).bind(limit).fetch_one(connection).await?;
    Ok(usize::try_from(gone).unwrap_or(0))
}

/// What time it is, in milliseconds since the Unix epoch.
pub(super) async fn clock(connection: &mut PgConnection) -> Result<u64, DriverError> {
    row::version(sqlx::query_scalar(CLOCK).fetch_one(connection).await?)
}
