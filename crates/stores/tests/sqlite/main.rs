//! What SQLite promises beyond the port: the file, several stores and processes on it, and crashes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod child;
mod crash;
mod failing;
mod opening;
mod sharing;

use std::path::Path;
use std::sync::Arc;

use castellan_issuer::store::{Draft, Key, Kind, Record, Store};
use castellan_proto::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

fn open(file: &Path) -> Arc<dyn Store> {
    castellan_stores::open(&format!("sqlite://{}", file.display())).unwrap()
}

fn site() -> Arc<str> {
    Arc::from("example.org")
}

fn key(id: &str) -> Key {
    Key::new(&site(), Kind::Account, id)
}

fn draft(id: &str) -> Draft {
    Draft { key: key(id), body: id.into(), unique: Vec::new(), expires_at: None }
}

async fn get(store: &dyn Store, id: &str) -> Option<Record> {
    store.get_many(&[key(id)], NOW).await.unwrap().remove(0)
}

/// A connection beside the store's, to look at the file or to spoil it.
fn raw(file: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(file).unwrap()
}
