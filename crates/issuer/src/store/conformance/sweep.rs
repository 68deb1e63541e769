//! Housekeeping: bounded, and never a record that can still be read.

use std::sync::Arc;

use castellan_proto::Timestamp;

use super::{END, NOW, before_end, draft, fleeting, get, insert, key, long_after, named};
use crate::store::{Store, Taken};

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    a_sweep_removes_only_what_expired(&*open().await).await;
    a_sweep_is_bounded(&*open().await).await;
    a_sweep_frees_names(&*open().await).await;
    a_sweep_counts_notices_where_they_are_more(&*open().await).await;
}

async fn a_sweep_removes_only_what_expired(store: &dyn Store) {
    insert(store, fleeting("a", &["n"])).await;
    insert(store, fleeting("spent", &[])).await;
    insert(store, draft("stays", "stays")).await;
    insert(store, draft("spent too", "")).await;
    store.take(&key("spent"), NOW).await.unwrap();
    store.take(&key("spent too"), NOW).await.unwrap();
    assert_eq!(store.sweep(before_end(), 100).await.unwrap(), 0);
    assert!(get(store, &key("a"), before_end()).await.is_some());
    assert!(matches!(store.take(&key("spent"), NOW).await.unwrap(), Taken::Again(_)));

    assert_eq!(store.sweep(END, 100).await.unwrap(), 2);
    // With the clock turned back it turns out that they are really deleted.
    assert_eq!(get(store, &key("a"), NOW).await, None);
    assert_eq!(store.take(&key("spent"), NOW).await.unwrap(), Taken::None);
    assert!(get(store, &key("stays"), END).await.is_some());
    assert!(matches!(store.take(&key("spent too"), END).await.unwrap(), Taken::Again(_)));
    assert_eq!(store.sweep(long_after(), 100).await.unwrap(), 0);
}

async fn a_sweep_is_bounded(store: &dyn Store) {
    for n in 0..10 {
        insert(store, fleeting(&n.to_string(), &[])).await;
    }
    let mut removed = Vec::new();
    for limit in [0, 4, 4, 4, 4] {
        removed.push(store.sweep(END, limit).await.unwrap());
    }
    assert_eq!(removed, [0, 4, 4, 2, 0]);
}

async fn a_sweep_frees_names(store: &dyn Store) {
    insert(store, fleeting("a", &["one", "two"])).await;
    assert_eq!(store.sweep(END, 100).await.unwrap(), 1);
    insert(store, named("b", &["one"])).await;
    insert(store, named("a", &["two"])).await;
}

async fn a_sweep_counts_notices_where_they_are_more(store: &dyn Store) {
    for _ in 0..3 {
        store.notify(&key("told")).await.unwrap();
    }
    // Notices are as old as the machine's clock says, whatever `now` is.
    let far = Timestamp(40_000_000_000);
    let first = store.sweep(far, 2).await.unwrap();
    assert!((1..=2).contains(&first), "{first}");
}
