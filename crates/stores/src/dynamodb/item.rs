//! How records, names and notices are laid out in items.
//!
//! `pk` and `sk` are the place; `v` the version, `e` the expiry in Unix seconds, `t` whether it is
//! taken, `u` the unique names, `b` the body, `x` the expiry for the table's time to live, `o` the
//! holder of a name; `g` and `s` are the place in the index, which lists records by room and id, and
//! names by room and name.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use castellan_issuer::store::{Draft, Key, Kind, Record};
use castellan_proto::Timestamp;

use super::{Item, error::DriverError};
use crate::hex::{hex, unhex};

/// What exists at `:now`.
pub(super) const LIVE: &str = "(attribute_not_exists(e) OR e > :now)";

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

pub(super) fn seconds(time: Timestamp) -> AttributeValue {
    number(time.0)
}

/// Where the records of `kind` on `site` are. Hexadecimal, so that any text may be part.
pub(super) fn room(site: &str, kind: Kind) -> String {
    format!("{}.{}", hex(site), kind.as_str())
}

/// The place of an id in the index; never empty.
pub(super) fn sort_key(id: &str) -> String {
    format!("i{}", hex(id))
}

/// Where the names of records of `kind` on `site` are in the index.
pub(super) fn name_room(site: &str, kind: Kind) -> String {
    format!("n.{}", room(site, kind))
}

/// The place of a name in the index; never empty. A sort key has at most 1024 bytes, so that of a
/// longer name is where it begins.
pub(super) fn name_sort_key(name: &str) -> String {
    sort_key_of_digits(&hex(name))
}

fn sort_key_of_digits(digits: &str) -> String {
    format!("n{}", digits.get(..1_022).unwrap_or(digits))
}

/// The place in the index of the name at `pk`: what [`name_item`] writes.
pub(super) fn sort_key_of_name(pk: &str) -> Option<(String, String)> {
    let (room, digits) = pk.strip_prefix("n.")?.rsplit_once('.')?;
    Some((format!("n.{room}"), sort_key_of_digits(digits)))
}

/// The name at `pk`.
pub(super) fn name_at(pk: &str) -> Option<String> {
    unhex(pk.rsplit_once('.')?.1)
}

/// The `pk` of a record.
pub(super) fn place(key: &Key) -> String {
    format!("r.{}.{}", room(&key.site, key.kind), hex(&key.id))
}

/// The `pk` of a unique name of a record of `key`'s kind and site.
pub(super) fn name_place(key: &Key, name: &str) -> String {
    format!("n.{}.{}", room(&key.site, key.kind), hex(name))
}

/// The key of the only item at `pk`.
pub(super) fn at(pk: String) -> Item {
    [("pk".to_owned(), text(pk)), ("sk".to_owned(), text("-"))].into()
}

/// The item of `draft` at `version`.
pub(super) fn record_item(draft: &Draft, version: u64) -> Item {
    let mut item = at(place(&draft.key));
    item.insert("g".to_owned(), text(room(&draft.key.site, draft.key.kind)));
    item.insert("s".to_owned(), text(sort_key(&draft.key.id)));
    item.insert("v".to_owned(), number(version));
    item.insert("t".to_owned(), AttributeValue::Bool(false));
    item.insert("b".to_owned(), AttributeValue::B(Blob::new(draft.body.clone())));
    if !draft.unique.is_empty() {
        let names = draft.unique.iter().map(text).collect();
        item.insert("u".to_owned(), AttributeValue::L(names));
    }
    expire(&mut item, draft.expires_at);
    item
}

/// The item of a unique name of `draft`.
pub(super) fn name_item(draft: &Draft, name: &str) -> Item {
    let mut item = at(name_place(&draft.key, name));
    item.insert("o".to_owned(), text(place(&draft.key)));
    item.insert("g".to_owned(), text(name_room(&draft.key.site, draft.key.kind)));
    item.insert("s".to_owned(), text(name_sort_key(name)));
    expire(&mut item, draft.expires_at);
    item
}

fn expire(item: &mut Item, end: Option<Timestamp>) {
    let Some(end) = end else { return };
    item.insert("e".to_owned(), seconds(end));
    // A clock in another century is a test's, and the service must not delete anything by it.
    if end.0 > 1_000_000_000 {
        item.insert("x".to_owned(), seconds(end));
    }
}

pub(super) fn number_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Whether `item` exists at `now`.
pub(super) fn is_live(item: &Item, now: Timestamp) -> bool {
    !item.contains_key("e") || number_of(item, "e").is_some_and(|end| end > now.0)
}

pub(super) fn is_taken(item: &Item) -> bool {
    item.get("t").and_then(|taken| taken.as_bool().ok()).copied().unwrap_or(true)
}

/// The unique names in `item`.
pub(super) fn names_of(item: &Item) -> Result<Vec<String>, DriverError> {
    let Some(names) = item.get("u") else { return Ok(Vec::new()) };
    let names = names.as_l().map_err(|_| DriverError::Damaged("names"))?;
    let name =
        |name: &AttributeValue| name.as_s().cloned().map_err(|_| DriverError::Damaged("names"));
    names.iter().map(name).collect()
}

/// The record of `key` in `item`.
pub(super) fn record(key: Key, item: &Item) -> Result<Record, DriverError> {
    let body = item.get("b").and_then(|body| body.as_b().ok());
    let expires_at = match item.get("e") {
        None => None,
        Some(_) => Some(Timestamp(number_of(item, "e").ok_or(DriverError::Damaged("expiry"))?)),
    };
    Ok(Record {
        key,
        version: number_of(item, "v").ok_or(DriverError::Damaged("version"))?,
        body: body.ok_or(DriverError::Damaged("body"))?.as_ref().to_vec(),
        unique: names_of(item)?,
        expires_at,
    })
}

/// The key of a listed item.
pub(super) fn key_of(
    site: &std::sync::Arc<str>,
    kind: Kind,
    item: &Item,
) -> Result<Key, DriverError> {
    let id = text_of(item, "s").and_then(|sort_key| sort_key.strip_prefix('i')).and_then(unhex);
    Ok(Key::new(site, kind, id.ok_or(DriverError::Damaged("id"))?))
}
