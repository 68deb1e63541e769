//! How a record is laid out in a document.
//!
//! The names of members are stored in each record, so they are short: `_id` its place, `i` its id,
//! `v` its version, `e` its expiry in Unix seconds, `t` whether it is taken, `n` its unique names,
//! `b` its body, `x` its expiry as a date, for a TTL index.

use ::mongodb::bson::{Binary, Bson, DateTime, Document, doc, spec::BinarySubtype};
use castellan_issuer::store::{Draft, Key, Kind, Record};
use castellan_proto::Timestamp;

use super::error::DriverError;
use crate::hex::{hex, unhex};

/// Seconds as MongoDB has them. What is beyond its range is so far off that it is all the same.
pub(super) fn seconds(time: Timestamp) -> i64 {
    int(time.0)
}

/// `n` as MongoDB has it; the largest number there for what is larger.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Where the records of `kind` on `site` are: what their places begin with.
///
/// Hexadecimal, so that places sort as the bytes do on every server, and any text may be part.
pub(super) fn room(site: &str, kind: Kind) -> String {
    format!("{}.{}.", hex(site), kind.as_str())
}

/// The place of a record, or of a unique name.
pub(super) fn place(key: &Key) -> String {
    room(&key.site, key.kind) + &hex(&key.id)
}

/// The unique names of a record as they are indexed. A record without any gets a name that no other
/// can have, because the index treats absent values as equal.
pub(super) fn names(key: &Key, unique: &[String]) -> Vec<String> {
    if unique.is_empty() {
        return vec![format!("none:{}", place(key))];
    }
    let room = room(&key.site, key.kind);
    unique.iter().map(|name| room.clone() + &hex(name)).collect()
}

/// The document of `draft` at `version`.
pub(super) fn document(draft: &Draft, version: u64) -> Document {
    let mut document = doc! {
        "_id": place(&draft.key),
        "v": int(version),
        "e": draft.expires_at.map(seconds),
        "t": false,
        "n": names(&draft.key, &draft.unique),
        "b": Binary { subtype: BinarySubtype::Generic, bytes: draft.body.clone() },
    };
    // A clock in another century is a test's, and the server must not delete anything by it.
    if let Some(end) = draft.expires_at.map(seconds).filter(|end| *end > 1_000_000_000) {
        document.insert("x", DateTime::from_millis(end.saturating_mul(1_000)));
    }
    document
}

/// The record of `key` in `document`.
pub(super) fn record(key: Key, document: &Document) -> Result<Record, DriverError> {
    let version = document.get_i64("v").ok().and_then(|version| u64::try_from(version).ok());
    let expires_at = match document.get("e") {
        None | Some(Bson::Null) => None,
        Some(Bson::Int64(end)) => {
            Some(Timestamp(u64::try_from(*end).map_err(|_| DriverError::Damaged("expiry"))?))
        }
        Some(_) => return Err(DriverError::Damaged("expiry")),
    };
    let room = room(&key.site, key.kind);
    let mut unique = Vec::new();
    for name in document.get_array("n").map_err(|_| DriverError::Damaged("names"))? {
        let name = name.as_str().ok_or(DriverError::Damaged("names"))?;
        if name.starts_with("none:") {
            continue;
        }
        let name = name.strip_prefix(&room).and_then(unhex);
        unique.push(name.ok_or(DriverError::Damaged("names"))?);
    }
    Ok(Record {
        key,
        version: version.ok_or(DriverError::Damaged("version"))?,
        body: document.get_binary_generic("b").map_err(|_| DriverError::Damaged("body"))?.clone(),
        unique,
        expires_at,
    })
}

/// The key of a document in the room of `site` and `kind`.
pub(super) fn key_of(
    site: &std::sync::Arc<str>,
    kind: Kind,
    document: &Document,
) -> Result<Key, DriverError> {
    let place = document.get_str("_id").map_err(|_| DriverError::Damaged("place"))?;
    let id = place.strip_prefix(&room(site, kind)).and_then(unhex);
    Ok(Key::new(site, kind, id.ok_or(DriverError::Damaged("place"))?))
}
