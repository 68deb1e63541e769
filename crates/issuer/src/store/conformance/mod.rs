//! The contract as checks, for every data source alike (feature `conformance`).
//!
//! There is no opt-out: [`run`] is all that can be called, and a check that is written but not
//! listed is dead code, which the build refuses.

#![expect(clippy::unwrap_used, reason = "a check stops at the first promise that is broken")]

mod expiry;
mod feed;
mod listing;
mod names;
mod races;
mod records;
mod sweep;
mod take;
mod unique;

use std::sync::Arc;
use std::time::Duration;

use castellan_proto::Timestamp;

use super::{Draft, Inserted, Key, Kind, Notice, Record, Store};

/// The present, in every check.
const NOW: Timestamp = Timestamp(1_000_000);
/// The first second at which what [`fleeting`] made does not exist.
const END: Timestamp = Timestamp(1_000_060);

/// Runs every check, each on a fresh, empty store from `open`.
///
/// Needs a Tokio runtime with more than one thread: the races block some.
///
/// # Panics
/// On the first promise the data source breaks; the line of the panic names the promise.
pub async fn run(open: impl AsyncFn() -> Arc<dyn Store>) {
    told("records", records::run(&open)).await;
    told("unique", unique::run(&open)).await;
    told("expiry", expiry::run(&open)).await;
    told("take", take::run(&open)).await;
    told("listing", listing::run(&open)).await;
    told("names", names::run(&open)).await;
    told("feed", feed::run(&open)).await;
    told("sweep", sweep::run(&open)).await;
    told("races", races::run(&open)).await;
}

/// Runs one group of checks and prints that it passed, for people who wait for a slow engine.
async fn told(name: &str, checks: impl Future<Output = ()>) {
    let began = std::time::Instant::now();
    Box::pin(checks).await;
    println!("{name} holds, after {:.1} s", began.elapsed().as_secs_f64());
}

fn site() -> Arc<str> {
    Arc::from("example.org")
}

/// A key of the kind and site that most checks use.
fn key(id: &str) -> Key {
    Key::new(&site(), Kind::Account, id)
}

/// Lasts until deleted and has no other names.
fn draft(id: &str, body: &str) -> Draft {
    Draft { key: key(id), body: body.into(), unique: Vec::new(), expires_at: None }
}

/// Has the other names `unique`.
fn named(id: &str, unique: &[&str]) -> Draft {
    Draft { unique: unique.iter().map(ToString::to_string).collect(), ..draft(id, id) }
}

/// Exists at [`NOW`] and does not at [`END`].
fn fleeting(id: &str, unique: &[&str]) -> Draft {
    Draft { expires_at: Some(END), ..named(id, unique) }
}

/// The second before [`END`].
fn before_end() -> Timestamp {
    Timestamp(END.0 - 1)
}

/// A moment at which every notice written by a check is older than ten minutes, whatever clock the
/// engine stamps its notices with.
fn long_after() -> Timestamp {
    Timestamp(4_000_000_000) + Duration::from_hours(1)
}

/// Writes `draft`, which must work.
async fn insert(store: &dyn Store, draft: Draft) {
    let key = draft.key.clone();
    let inserted = store.insert(draft, Notice::Silent, NOW).await.unwrap();
    assert_eq!(inserted, Inserted::Done, "{key:?}");
}

async fn get(store: &dyn Store, key: &Key, now: Timestamp) -> Option<Record> {
    let mut records = store.get_many(std::slice::from_ref(key), now).await.unwrap();
    assert_eq!(records.len(), 1, "one answer per key");
    records.remove(0)
}

/// The record that `draft` becomes.
fn record(draft: Draft, version: u64) -> Record {
    let Draft { key, body, unique, expires_at } = draft;
    Record { key, version, body, unique, expires_at }
}
