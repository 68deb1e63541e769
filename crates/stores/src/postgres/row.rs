//! How a record is laid out in a row.

use castellan_issuer::store::{Key, Record};
use castellan_proto::Timestamp;
use sqlx::{Row as _, postgres::PgRow};

use super::error::DriverError;

/// Seconds as PostgreSQL has them. What is beyond its range is so far off that it is all the same.
pub(super) fn seconds(time: Timestamp) -> i64 {
    int(time.0)
}

/// `n` as PostgreSQL has it; the largest number there for what is larger.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Unique names as they are stored in a row.
pub(super) fn names(names: &[String]) -> Vec<&[u8]> {
    names.iter().map(String::as_bytes).collect()
}

/// The record of `key` from the columns `version, expires_at, names, body`, the first of them at
/// `first`.
pub(super) fn record(key: Key, row: &PgRow, first: usize) -> Result<Record, DriverError> {
    let names: Vec<Vec<u8>> = row.try_get(first + 2)?;
    Ok(Record {
        key,
        version: version(row.try_get(first)?)?,
        expires_at: expires_at(row.try_get(first + 1)?)?,
        unique: names.into_iter().map(|name| text(name, "names")).collect::<Result<_, _>>()?,
        body: row.try_get(first + 3)?,
    })
}

pub(super) fn version(stored: i64) -> Result<u64, DriverError> {
    u64::try_from(stored).map_err(|_| DriverError::Damaged("version"))
}

fn expires_at(stored: Option<i64>) -> Result<Option<Timestamp>, DriverError> {
    let time = |stored| u64::try_from(stored).map(Timestamp);
    stored.map(time).transpose().map_err(|_| DriverError::Damaged("expiry"))
}

/// A text that is stored as bytes.
pub(super) fn text(bytes: Vec<u8>, what: &'static str) -> Result<String, DriverError> {
    String::from_utf8(bytes).map_err(|_| DriverError::Damaged(what))
}
