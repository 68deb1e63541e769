//! The verbs that list.

use castellan_issuer::store::{
    Key, Kind, NameEnd, NameQuery, Named, PageQuery, Record, names::mirrored,
};
use castellan_proto::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::{
    error::DriverError,
    row::{self, seconds},
};

const PAGE: &str = "
    SELECT id, version, expires_at, names, body FROM castellan_records
    WHERE site = $1 AND kind = $2 AND id >= $3 AND id < $4
        AND id IS DISTINCT FROM $5
        AND NOT taken AND (expires_at IS NULL OR expires_at > $6)
    ORDER BY id LIMIT $7";

/// Names in the order of a column. Both ends of the range are plain comparisons, so that a plan for
/// any parameters stops at its end.
macro_rules! by_name {
    ($column:literal, $direction:literal) => {
        concat!(
            "SELECT n.name, r.id, r.version, r.expires_at, r.names, r.body
             FROM castellan_names n
             JOIN castellan_records r ON r.site = n.site AND r.kind = n.kind AND r.id = n.id
             WHERE n.site = $1 AND n.kind = $2 AND n.",
            $column,
            " >= $3 AND n.",
            $column,
            " < $4 AND n.",
            $column,
            " IS DISTINCT FROM $5
                 AND NOT r.taken AND (r.expires_at IS NULL OR r.expires_at > $6)
             ORDER BY n.",
            $column,
            $direction,
            " LIMIT $7"
        )
    };
}

const COUNT: &str = "
    SELECT count(*) FROM castellan_records
    WHERE site = $1 AND kind = $2 AND NOT taken AND (expires_at IS NULL OR expires_at > $3)";

pub(super) async fn page(
    connection: &mut PgConnection,
    query: &PageQuery,
    now: Timestamp,
) -> Result<Vec<Record>, DriverError> {
    // Only ids from `from` on, without `from` itself if that is where the last page ended.
    let after = query.after.as_deref().filter(|after| *after >= &*query.prefix);
    let from = after.unwrap_or(&query.prefix);
    let rows = sqlx::query(PAGE)
        .bind(&*query.site)
        .bind(query.kind.as_str())
        .bind(from.as_bytes())
        .bind(end_of(&query.prefix))
        .bind(after.map(str::as_bytes))
        .bind(seconds(now))
        .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let id = row::text(row.try_get(0)?, "id")?;
            row::record(Key::new(&query.site, query.kind, id), row, 1)
        })
        .collect()
}

pub(super) async fn page_by_name(
    connection: &mut PgConnection,
    query: &NameQuery,
    now: Timestamp,
) -> Result<Vec<Named>, DriverError> {
    let sql = match (query.end, query.descending) {
        (NameEnd::Start, false) => by_name!("name", " ASC"),
        (NameEnd::Start, true) => by_name!("name", " DESC"),
        (NameEnd::Finish, false) => by_name!("mirrored", " ASC"),
        (NameEnd::Finish, true) => by_name!("mirrored", " DESC"),
    };
    let (from, after) = query.in_index();
    let end = match query.end {
        NameEnd::Start => end_of(&query.part),
        NameEnd::Finish => end_of(&mirrored(&query.part)),
    };
    let (from, end, after) = match after {
        Some(after) if query.descending => (from, end.min(after.into_bytes()), None),
        Some(after) if after >= from => (after.clone(), end, Some(after)),
        _ => (from, end, None),
    };
    let rows = sqlx::query(sql)
        .bind(&*query.site)
        .bind(query.kind.as_str())
        .bind(from.as_bytes())
        .bind(end)
        .bind(after.as_deref().map(str::as_bytes))
        .bind(seconds(now))
        .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let id = row::text(row.try_get(1)?, "id")?;
            let record = row::record(Key::new(&query.site, query.kind, id), row, 2)?;
            Ok(Named { name: row::text(row.try_get(0)?, "name")?, record })
        })
        .collect()
}

/// Bytes that are greater than every text that begins with `prefix`, and not greater than any other
/// text that is.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    // No byte of a text is 0xff.
    match bytes.last_mut() {
        Some(last) => *last += 1,
        None => bytes.push(0xff),
    }
    bytes
}

pub(super) async fn count(
    connection: &mut PgConnection,
    site: &str,
    kind: Kind,
    now: Timestamp,
) -> Result<u64, DriverError> {
    let count = sqlx::query_scalar(COUNT).bind(site).bind(kind.as_str()).bind(seconds(now));
    row::version(count.fetch_one(connection).await?)
}
