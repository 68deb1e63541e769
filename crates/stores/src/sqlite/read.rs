//! The verbs that only read.

use std::sync::Arc;

use castellan_issuer::store::{
    Key, Kind, NameEnd, NameQuery, Named, PageQuery, Record, names::mirrored,
};
use castellan_proto::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::error::DriverError;
use super::row::{self, seconds};

const GET: &str = "
    SELECT version, expires_at, names, body FROM records
    WHERE site = ?1 AND kind = ?2 AND id = ?3
        AND taken = 0 AND (expires_at IS NULL OR expires_at > ?4)";

const FIND: &str = "
    SELECT r.id, r.version, r.expires_at, r.names, r.body
    FROM names n JOIN records r ON r.site = n.site AND r.kind = n.kind AND r.id = n.id
    WHERE n.site = ?1 AND n.kind = ?2 AND n.name = ?3
        AND r.taken = 0 AND (r.expires_at IS NULL OR r.expires_at > ?4)";

// Text compares byte by byte. `id IS NOT NULL` is true for all rows, in case `?5` is NULL.
const PAGE: &str = "
    SELECT id, version, expires_at, names, body FROM records
    WHERE site = ?1 AND kind = ?2 AND id >= ?3 AND id < ?4 AND id IS NOT ?5
        AND taken = 0 AND (expires_at IS NULL OR expires_at > ?6)
    ORDER BY id LIMIT ?7";

/// Names in the order of a column.
macro_rules! by_name {
    ($column:literal, $direction:literal) => {
        concat!(
            "SELECT n.name, r.id, r.version, r.expires_at, r.names, r.body
             FROM names n JOIN records r ON r.site = n.site AND r.kind = n.kind AND r.id = n.id
             WHERE n.site = ?1 AND n.kind = ?2 AND n.",
            $column,
            " >= ?3 AND n.",
            $column,
            " < ?4 AND n.",
            $column,
            " IS NOT ?5
                AND r.taken = 0 AND (r.expires_at IS NULL OR r.expires_at > ?6)
             ORDER BY n.",
            $column,
            $direction,
            " LIMIT ?7"
        )
    };
}

const COUNT: &str = "
    SELECT count(*) FROM records
    WHERE site = ?1 AND kind = ?2 AND taken = 0 AND (expires_at IS NULL OR expires_at > ?3)";

pub(super) fn get_many(
    connection: &Connection,
    keys: Vec<Key>,
    now: Timestamp,
) -> Result<Vec<Option<Record>>, DriverError> {
    // One transaction gives a consistent view, and takes the locks of the file once. A single read
    // is consistent by itself.
    let _moment = if keys.len() > 1 { Some(connection.unchecked_transaction()?) } else { None };
    let mut get = connection.prepare_cached(GET)?;
    let mut read = |key: Key| {
        let place = params![&*key.site, key.kind.as_str(), key.id, seconds(now)];
        let mut rows = get.query(place)?;
        rows.next()?.map(|row| row::record(key.clone(), row, 0)).transpose()
    };
    keys.into_iter().map(&mut read).collect()
}

/// The record with the unique name given as the id in `name`.
pub(super) fn find(
    connection: &Connection,
    name: &Key,
    now: Timestamp,
) -> Result<Option<Record>, DriverError> {
    let mut find = connection.prepare_cached(FIND)?;
    let place = params![&*name.site, name.kind.as_str(), name.id, seconds(now)];
    let mut rows = find.query(place)?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let key = Key { id: row.get(0)?, ..name.clone() };
    row::record(key, row, 1).map(Some)
}

pub(super) fn page(
    connection: &Connection,
    query: &PageQuery,
    now: Timestamp,
) -> Result<Vec<Record>, DriverError> {
    // Only ids from `from` on, without `from` itself if that is where the last page ended.
    let after = query.after.as_ref().filter(|after| **after >= query.prefix);
    let from = after.unwrap_or(&query.prefix);
    let mut page = connection.prepare_cached(PAGE)?;
    let mut rows = page.query(params![
        &*query.site,
        query.kind.as_str(),
        from,
        end_of(&query.prefix),
        after,
        seconds(now),
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    ])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let key = Key::new(&query.site, query.kind, row.get::<_, String>(0)?);
        records.push(row::record(key, row, 1)?);
    }
    Ok(records)
}

pub(super) fn page_by_name(
    connection: &Connection,
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
        Some(after) if query.descending => (from, lesser(after, end), None),
        Some(after) if after >= from => (after.clone(), end, Some(after)),
        _ => (from, end, None),
    };
    let mut page = connection.prepare_cached(sql)?;
    let mut rows = page.query(params![
        &*query.site,
        query.kind.as_str(),
        from,
        end,
        after,
        seconds(now),
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = Key::new(&query.site, query.kind, row.get::<_, String>(1)?);
        found.push(Named { name: row.get(0)?, record: row::record(key, row, 2)? });
    }
    Ok(found)
}

/// The lesser of `text` and `end`, as SQLite compares them.
fn lesser(text: String, end: Value) -> Value {
    match end {
        Value::Text(end) => Value::Text(text.min(end)),
        _ => Value::Text(text),
    }
}

/// The least value that is greater than every text that begins with `prefix`.
fn end_of(prefix: &str) -> Value {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // UTF-8 sorts in the order of its characters. The range skips surrogates, which are not
        // characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Value::Text(chars.into_iter().collect());
        }
    }
    // To SQLite every text is less than any blob.
    Value::Blob(Vec::new())
}

pub(super) fn count(
    connection: &Connection,
    site: &Arc<str>,
    kind: Kind,
    now: Timestamp,
) -> Result<u64, DriverError> {
    let mut count = connection.prepare_cached(COUNT)?;
    let found: i64 =
        count.query_row(params![&**site, kind.as_str(), seconds(now)], |row| row.get(0))?;
    u64::try_from(found).map_err(|_| DriverError::Damaged("count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(end_of("a"), text("b"));
        assert_eq!(end_of("a/"), text("a0"));
        assert_eq!(end_of("a\u{7f}"), text("a\u{80}"));
        assert_eq!(end_of("\u{d7ff}"), text("\u{e000}"));
        assert_eq!(end_of("a\u{10ffff}\u{10ffff}"), text("b"));
        assert_eq!(end_of("\u{10ffff}"), Value::Blob(Vec::new()));
        assert_eq!(end_of(""), Value::Blob(Vec::new()));
    }
}
