//! How a record is laid out in a row.

use castellan_issuer::store::{Key, Record};
use castellan_proto::Timestamp;
use rusqlite::Row;

use super::error::DriverError;

/// Seconds as SQLite has them. What is beyond its range is so far off that it is all the same.
pub(super) fn seconds(time: Timestamp) -> i64 {
    int(time.0)
}

/// `n` as SQLite has it; the largest number there for what is larger.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The record of `key` from the columns `version, expires_at, names, body`, the first of them at
/// `first`.
pub(super) fn record(key: Key, row: &Row<'_>, first: usize) -> Result<Record, DriverError> {
    Ok(Record {
        key,
        version: version(row.get(first)?)?,
        expires_at: expires_at(row.get(first + 1)?)?,
        unique: names(
            row.get_ref(first + 2)?.as_str().map_err(|_| DriverError::Damaged("names"))?,
        )?,
        body: row.get(first + 3)?,
    })
}

pub(super) fn version(stored: i64) -> Result<u64, DriverError> {
    u64::try_from(stored).map_err(|_| DriverError::Damaged("version"))
}

pub(super) fn expires_at(stored: Option<i64>) -> Result<Option<Timestamp>, DriverError> {
    let time = |stored| u64::try_from(stored).map(Timestamp);
    stored.map(time).transpose().map_err(|_| DriverError::Damaged("expiry"))
}

/// Unique names as one text: `3:ann,15:ann@example.org,`. Any text may be a name.
pub(super) fn names_text(names: &[String]) -> String {
    let mut text = String::new();
    for name in names {
        text.extend([name.len().to_string().as_str(), ":", name, ","]);
    }
    text
}

/// Reads what [`names_text`] wrote.
pub(super) fn names(mut text: &str) -> Result<Vec<String>, DriverError> {
    let mut names = Vec::new();
    while !text.is_empty() {
        let (name, rest) = first_name(text).ok_or(DriverError::Damaged("names"))?;
        names.push(name.to_owned());
        text = rest;
    }
    Ok(names)
}

fn first_name(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    let (name, rest) = rest.split_at_checked(length.parse().ok()?)?;
    Some((name, rest.strip_prefix(',')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_names_come_back() {
        for given in [&[][..], &[""], &["a"], &["", ","], &["1:a,", "é:", "\0", "2:é,2:é,"]] {
            let given: Vec<String> = given.iter().map(ToString::to_string).collect();
            assert_eq!(names(&names_text(&given)).unwrap(), given);
        }
    }

    #[test]
    fn what_was_not_written_so_is_damage() {
        for text in ["a", "1:a", "2:a,", "1:é,", "-1:,", "1:a,x", ":,"] {
            assert!(names(text).is_err(), "{text:?}");
        }
    }
}
