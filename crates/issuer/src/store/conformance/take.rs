//! What may be used once is used once, and that it was used is remembered until it expires.

use std::sync::Arc;

use super::{END, NOW, before_end, draft, fleeting, get, insert, key, named, record, site};
use crate::store::{Inserted, Kind, Notice, PageQuery, Replaced, Store, Taken};

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    only_the_first_take_is_first(&*open().await).await;
    an_unknown_key_is_none(&*open().await).await;
    a_take_is_of_the_present_version(&*open().await).await;
    a_taken_record_is_absent_for_readers(&*open().await).await;
    a_tombstone_holds_its_key_and_names(&*open().await).await;
    a_taken_record_is_not_replaced(&*open().await).await;
    a_delete_removes_a_tombstone(&*open().await).await;
}

async fn only_the_first_take_is_first(store: &dyn Store) {
    let ticket = record(fleeting("a", &["n"]), 1);
    insert(store, fleeting("a", &["n"])).await;
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), Taken::First(ticket.clone()));
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), Taken::Again(ticket.clone()));
    assert_eq!(store.take(&key("a"), before_end()).await.unwrap(), Taken::Again(ticket));
    assert_eq!(store.take(&key("a"), END).await.unwrap(), Taken::None);
}

async fn an_unknown_key_is_none(store: &dyn Store) {
    insert(store, draft("a", "a")).await;
    assert_eq!(store.take(&key("b"), NOW).await.unwrap(), Taken::None);
    // Asking leaves nothing behind.
    insert(store, draft("b", "b")).await;
    assert_eq!(store.take(&key("b"), NOW).await.unwrap(), Taken::First(record(draft("b", "b"), 1)));
}

async fn a_take_is_of_the_present_version(store: &dyn Store) {
    insert(store, draft("a", "1")).await;
    store.replace(draft("a", "2"), 1, Notice::Silent, NOW).await.unwrap();
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), Taken::First(record(draft("a", "2"), 2)));
}

async fn a_taken_record_is_absent_for_readers(store: &dyn Store) {
    insert(store, named("a", &["n"])).await;
    insert(store, draft("b", "b")).await;
    store.take(&key("a"), NOW).await.unwrap();
    assert_eq!(get(store, &key("a"), NOW).await, None);
    assert_eq!(store.find(&site(), Kind::Account, "n", NOW).await.unwrap(), None);
    assert_eq!(store.count(&site(), Kind::Account, NOW).await.unwrap(), 1);
    let query = PageQuery {
        site: site(),
        kind: Kind::Account,
        prefix: String::new(),
        after: None,
        limit: 10,
    };
    let listed = store.page(&query, NOW).await.unwrap();
    assert_eq!(listed, [record(draft("b", "b"), 1)]);
}

async fn a_tombstone_holds_its_key_and_names(store: &dyn Store) {
    insert(store, fleeting("a", &["n"])).await;
    store.take(&key("a"), NOW).await.unwrap();
    let over = store.insert(draft("a", "x"), Notice::Silent, before_end()).await.unwrap();
    assert_eq!(over, Inserted::Exists);
    let beside = store.insert(named("b", &["n"]), Notice::Silent, before_end()).await.unwrap();
    assert_eq!(beside, Inserted::Clash("n".to_owned()));
    let later = store.insert(named("b", &["n"]), Notice::Silent, END).await.unwrap();
    assert_eq!(later, Inserted::Done);
}

async fn a_taken_record_is_not_replaced(store: &dyn Store) {
    insert(store, draft("a", "1")).await;
    store.take(&key("a"), NOW).await.unwrap();
    for version in [1, 2] {
        let replaced = store.replace(draft("a", "2"), version, Notice::Silent, NOW).await.unwrap();
        assert_eq!(replaced, Replaced::Stale);
    }
    assert_eq!(store.take(&key("a"), NOW).await.unwrap(), Taken::Again(record(draft("a", "1"), 1)));
}

async fn a_delete_removes_a_tombstone(store: &dyn Store) {
    for version in [None, Some(1)] {
        insert(store, named("a", &["n"])).await;
        store.take(&key("a"), NOW).await.unwrap();
        assert!(!store.delete(&key("a"), Some(2), Notice::Silent, NOW).await.unwrap());
        assert!(store.delete(&key("a"), version, Notice::Silent, NOW).await.unwrap());
        assert_eq!(store.take(&key("a"), NOW).await.unwrap(), Taken::None);
    }
    insert(store, named("b", &["n"])).await;
}
