//! What SQLite promises beyond the port: the file, several stores and processes on it, and crashes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod child;
mod crash;
mod failing;
mod opening;
mod sharing;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use castellan_issuer::store::{Draft, Key, Kind, Record, Store};
use castellan_proto::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

/// A file opens at once, so there is nothing to wait for.
fn try_open(file: &Path) -> Result<Arc<dyn Store>, castellan_stores::OpenError> {
    let url = format!("sqlite://{}", file.display());
    let opening = pin!(castellan_stores::open(&url, castellan_stores::Migrate::Widen));
    match opening.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(opened) => opened.map(|opened| opened.store),
        Poll::Pending => panic!("a file made its opener wait"),
    }
}

fn open(file: &Path) -> Arc<dyn Store> {
    try_open(file).unwrap()
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
