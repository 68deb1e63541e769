//! The verbs that write. Each runs inside a transaction of the writer's.
//!
//! A verb that changes nothing leaves before its first write, so that what it shares its
//! transaction with never sees half of it.

use castellan_issuer::store::{Draft, Inserted, Key, Notice, Replaced, Taken, names::mirrored};
use castellan_proto::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::DriverError;
use super::feed;
use super::row::{self, int, seconds};

const HEAD: &str = "
    SELECT version, expires_at, taken, names FROM records
    WHERE site = ?1 AND kind = ?2 AND id = ?3";

const PUT: &str = "
    INSERT OR REPLACE INTO records (site, kind, id, version, expires_at, taken, names, body)
    VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)";

const REMOVE: &str = "DELETE FROM records WHERE site = ?1 AND kind = ?2 AND id = ?3";

const TAKE: &str = "
    UPDATE records SET taken = 1
    WHERE site = ?1 AND kind = ?2 AND id = ?3
        AND taken = 0 AND (expires_at IS NULL OR expires_at > ?4)
    RETURNING version, expires_at, names, body";

const TAKEN: &str = "
    SELECT version, expires_at, names, body FROM records
    WHERE site = ?1 AND kind = ?2 AND id = ?3
        AND taken = 1 AND (expires_at IS NULL OR expires_at > ?4)";

// A tombstone reserves its names until it expires.
const HELD_BY_ANOTHER: &str = "
    SELECT 1 FROM names n JOIN records r ON r.site = n.site AND r.kind = n.kind AND r.id = n.id
    WHERE n.site = ?1 AND n.kind = ?2 AND n.name = ?3 AND n.id <> ?4
        AND (r.expires_at IS NULL OR r.expires_at > ?5)";

const CLAIM: &str = "
    INSERT OR REPLACE INTO names (site, kind, name, id, mirrored) VALUES (?1, ?2, ?3, ?4, ?5)";

// Not if it went on: the name of an expired record may have a new holder.
const RELEASE: &str = "
    DELETE FROM names WHERE site = ?1 AND kind = ?2 AND name = ?3 AND id = ?4";

const EXPIRED: &str = "
    SELECT site, kind, id, names FROM records
    WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";

/// A record or tombstone, without its body.
struct Head {
    version: u64,
    expires_at: Option<Timestamp>,
    taken: bool,
    names: Vec<String>,
}

impl Head {
    fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

/// Where a record lies.
#[derive(Clone, Copy)]
struct Place<'a> {
    site: &'a str,
    kind: &'a str,
    id: &'a str,
}

impl<'a> From<&'a Key> for Place<'a> {
    fn from(key: &'a Key) -> Self {
        Self { site: &key.site, kind: key.kind.as_str(), id: &key.id }
    }
}

pub(super) fn insert(
    connection: &Connection,
    draft: &Draft,
    notice: Notice,
    now: Timestamp,
) -> Result<Inserted, DriverError> {
    let place = Place::from(&draft.key);
    let old = head(connection, place)?;
    if old.as_ref().is_some_and(|old| old.is_live(now)) {
        return Ok(Inserted::Exists);
    }
    if let Some(name) = clash(connection, draft, now)? {
        return Ok(Inserted::Clash(name));
    }
    if let Some(old) = old {
        release(connection, place, &old.names)?;
    }
    put(connection, draft, 1)?;
    feed::tell(connection, &draft.key, notice)?;
    Ok(Inserted::Done)
}

pub(super) fn replace(
    connection: &Connection,
    draft: &Draft,
    version: u64,
    notice: Notice,
    now: Timestamp,
) -> Result<Replaced, DriverError> {
    let place = Place::from(&draft.key);
    let is_present = |old: &Head| old.is_live(now) && !old.taken && old.version == version;
    let Some(old) = head(connection, place)?.filter(is_present) else {
        return Ok(Replaced::Stale);
    };
    if let Some(name) = clash(connection, draft, now)? {
        return Ok(Replaced::Clash(name));
    }
    release(connection, place, &old.names)?;
    put(connection, draft, version + 1)?;
    feed::tell(connection, &draft.key, notice)?;
    Ok(Replaced::Done(version + 1))
}

pub(super) fn take(
    connection: &Connection,
    key: &Key,
    now: Timestamp,
) -> Result<Taken, DriverError> {
    let record = |statement| -> Result<_, DriverError> {
        let mut statement = connection.prepare_cached(statement)?;
        let mut rows =
            statement.query(params![&*key.site, key.kind.as_str(), key.id, seconds(now)])?;
        rows.next()?.map(|row| row::record(key.clone(), row, 0)).transpose()
    };
    if let Some(first) = record(TAKE)? {
        return Ok(Taken::First(first));
    }
    Ok(record(TAKEN)?.map_or(Taken::None, Taken::Again))
}

pub(super) fn delete(
    connection: &Connection,
    key: &Key,
    version: Option<u64>,
    notice: Notice,
    now: Timestamp,
) -> Result<bool, DriverError> {
    let is_meant =
        |old: &Head| old.is_live(now) && version.is_none_or(|version| version == old.version);
    let Some(old) = head(connection, key.into())?.filter(is_meant) else {
        return Ok(false);
    };
    remove(connection, key.into(), &old.names)?;
    feed::tell(connection, key, notice)?;
    Ok(true)
}

pub(super) fn sweep(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<usize, DriverError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut expired = connection.prepare_cached(EXPIRED)?;
    let columns = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
    };
    // All are read before the first goes: the table is not changed under the query.
    let expired: Vec<(String, String, String, String)> =
        expired.query_map(params![seconds(now), limit], columns)?.collect::<Result<_, _>>()?;
    for (site, kind, id, names) in &expired {
        remove(connection, Place { site, kind, id }, &row::names(names)?)?;
    }
    Ok(expired.len())
}

fn head(connection: &Connection, place: Place<'_>) -> Result<Option<Head>, DriverError> {
    let mut head = connection.prepare_cached(HEAD)?;
    let mut rows = head.query(params![place.site, place.kind, place.id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Head {
        version: row::version(row.get(0)?)?,
        expires_at: row::expires_at(row.get(1)?)?,
        taken: row.get(2)?,
        names: row::names(&row.get::<_, String>(3)?)?,
    }))
}

/// The first unique name of `draft` that another record or tombstone has.
fn clash(
    connection: &Connection,
    draft: &Draft,
    now: Timestamp,
) -> Result<Option<String>, DriverError> {
    let place = Place::from(&draft.key);
    for name in &draft.unique {
        let held = connection
            .prepare_cached(HELD_BY_ANOTHER)?
            .query_row(params![place.site, place.kind, name, place.id, seconds(now)], |_| Ok(()))
            .optional()?;
        if held.is_some() {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

/// Writes `draft` and claims its names.
fn put(connection: &Connection, draft: &Draft, version: u64) -> Result<(), DriverError> {
    let place = Place::from(&draft.key);
    connection.prepare_cached(PUT)?.execute(params![
        place.site,
        place.kind,
        place.id,
        int(version),
        draft.expires_at.map(seconds),
        row::names_text(&draft.unique),
        draft.body,
    ])?;
    for name in &draft.unique {
        let mut claim = connection.prepare_cached(CLAIM)?;
        claim.execute(params![place.site, place.kind, name, place.id, mirrored(name)])?;
    }
    Ok(())
}

fn remove(connection: &Connection, place: Place<'_>, names: &[String]) -> Result<(), DriverError> {
    connection.prepare_cached(REMOVE)?.execute(params![place.site, place.kind, place.id])?;
    release(connection, place, names)
}

fn release(connection: &Connection, place: Place<'_>, names: &[String]) -> Result<(), DriverError> {
    for name in names {
        let mut release = connection.prepare_cached(RELEASE)?;
        release.execute(params![place.site, place.kind, name, place.id])?;
    }
    Ok(())
}
