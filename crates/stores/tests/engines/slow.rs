//! An engine that does not answer: every verb gives up in time, no more connections are made than
//! are allowed, and when the engine answers again all is well.

use std::time::{Duration, Instant};

use castellan_issuer::store::{Draft, Key, Kind, Notice, Store};
use castellan_proto::Timestamp;
use castellan_stores::Migrate;

use crate::{line::Line, on_each_server};

const NOW: Timestamp = Timestamp(1_000_000);
/// How many ask at once.
const CROWD: usize = 200;
/// How long the last of them waits at most. Longer than any one time-out, so that it holds on a
/// busy machine, and far from what one after the other would take.
const PATIENCE: Duration = Duration::from_secs(20);
/// More connections than any engine of ours takes.
const CONNECTIONS: usize = 64;

async fn nobody_waits_for_ever(url: &str) {
    let (line, url) = Line::through(url).await;
    let store = castellan_stores::open(&url, Migrate::Widen).await.unwrap().store;
    let key = Key::new(&"example.org".into(), Kind::Account, "ada");
    let draft = Draft { key: key.clone(), body: b"1".into(), unique: vec![], expires_at: None };
    store.insert(draft, Notice::Silent, NOW).await.unwrap();
    line.hold();
    let began = Instant::now();
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        let (store, key) = (std::sync::Arc::clone(&store), key.clone());
        crowd.spawn(async move { store.get_many(&[key], NOW).await.is_err() });
    }
    let refused = crowd.join_all().await;
    assert!(refused.into_iter().all(|refused| refused), "an answer came from nowhere");
    let waited = began.elapsed();
    assert!(waited < PATIENCE, "the last one waited for {waited:?}");
    let most = line.most_connections();
    assert!(most <= CONNECTIONS, "{most} connections at a time");
    line.mend();
    let mended = Instant::now();
    while read(&*store, &key).await.is_none() {
        assert!(mended.elapsed() < 2 * PATIENCE, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn read(store: &dyn Store, key: &Key) -> Option<Vec<u8>> {
    let found = store.get_many(std::slice::from_ref(key), NOW).await.ok()?;
    found.into_iter().next().flatten().map(|record| record.body)
}

on_each_server!(nobody_waits_for_ever);
