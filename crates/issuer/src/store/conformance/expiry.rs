//! `expires_at <= now` is absent, in every verb, whether or not anything was swept.

use std::sync::Arc;

use super::{END, NOW, before_end, draft, fleeting, get, insert, key, named, record, site};
use crate::store::{Inserted, Kind, Notice, PageQuery, Replaced, Store, Taken};

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    an_expired_record_is_not_read(&*open().await).await;
    an_expired_record_is_not_listed(&*open().await).await;
    an_expired_record_is_not_replaced_deleted_or_taken(&*open().await).await;
    the_key_of_an_expired_record_is_free(&*open().await).await;
    the_names_of_an_expired_record_are_free(&*open().await).await;
    a_name_that_went_on_stays_with_its_new_holder(&*open().await).await;
}

async fn an_expired_record_is_not_read(store: &dyn Store) {
    insert(store, fleeting("a", &["n"])).await;
    let whole = Some(record(fleeting("a", &["n"]), 1));
    assert_eq!(get(store, &key("a"), before_end()).await, whole);
    assert_eq!(get(store, &key("a"), END).await, None);
    let found = async |now| store.find(&site(), Kind::Account, "n", now).await.unwrap();
    assert_eq!(found(before_end()).await, whole);
    assert_eq!(found(END).await, None);
}

async fn an_expired_record_is_not_listed(store: &dyn Store) {
    insert(store, fleeting("a", &[])).await;
    insert(store, draft("b", "b")).await;
    let query = PageQuery {
        site: site(),
        kind: Kind::Account,
        prefix: String::new(),
        after: None,
        limit: 1,
    };
    let first = async |now| store.page(&query, now).await.unwrap().remove(0).key.id;
    assert_eq!(first(before_end()).await, "a");
    assert_eq!(first(END).await, "b", "what is absent does not count towards the limit");
    let count = async |now| store.count(&site(), Kind::Account, now).await.unwrap();
    assert_eq!((count(before_end()).await, count(END).await), (2, 1));
}

async fn an_expired_record_is_not_replaced_deleted_or_taken(store: &dyn Store) {
    insert(store, fleeting("a", &[])).await;
    let replaced = store.replace(draft("a", "x"), 1, Notice::Silent, END).await.unwrap();
    assert_eq!(replaced, Replaced::Stale);
    for version in [None, Some(1)] {
        assert!(!store.delete(&key("a"), version, Notice::Silent, END).await.unwrap());
    }
    assert_eq!(store.take(&key("a"), END).await.unwrap(), Taken::None);
    // None of these touched it: a reader whose clock is behind still finds it.
    let taken = store.take(&key("a"), before_end()).await.unwrap();
    assert_eq!(taken, Taken::First(record(fleeting("a", &[]), 1)));
    assert_eq!(store.take(&key("a"), END).await.unwrap(), Taken::None, "a tombstone expires too");
}

async fn the_key_of_an_expired_record_is_free(store: &dyn Store) {
    insert(store, fleeting("a", &["old"])).await;
    store.replace(fleeting("a", &["old"]), 1, Notice::Silent, NOW).await.unwrap();
    insert(store, fleeting("b", &[])).await;
    store.take(&key("b"), NOW).await.unwrap();
    for id in ["a", "b"] {
        let early = store.insert(draft(id, id), Notice::Silent, before_end()).await.unwrap();
        assert_eq!(early, Inserted::Exists);
        let due = store.insert(draft(id, id), Notice::Silent, END).await.unwrap();
        assert_eq!(due, Inserted::Done);
        assert_eq!(get(store, &key(id), END).await, Some(record(draft(id, id), 1)));
    }
    // The names of the old one went with it.
    assert_eq!(store.find(&site(), Kind::Account, "old", END).await.unwrap(), None);
    insert(store, named("c", &["old"])).await;
}

async fn the_names_of_an_expired_record_are_free(store: &dyn Store) {
    insert(store, fleeting("a", &["one", "two"])).await;
    insert(store, draft("c", "c")).await;
    let clash = Inserted::Clash("one".to_owned());
    let insert_at = async |now| store.insert(named("b", &["one"]), Notice::Silent, now).await;
    assert_eq!(insert_at(before_end()).await.unwrap(), clash);
    assert_eq!(insert_at(END).await.unwrap(), Inserted::Done);
    let replaced = store.replace(named("c", &["two"]), 1, Notice::Silent, END).await.unwrap();
    assert_eq!(replaced, Replaced::Done(2));
    for (name, id) in [("one", "b"), ("two", "c")] {
        let found = store.find(&site(), Kind::Account, name, END).await.unwrap();
        assert_eq!(found.unwrap().key.id, id);
    }
}

async fn a_name_that_went_on_stays_with_its_new_holder(store: &dyn Store) {
    insert(store, fleeting("a", &["one"])).await;
    insert(store, fleeting("c", &["two"])).await;
    let inserted = store.insert(named("b", &["one", "two"]), Notice::Silent, END).await.unwrap();
    assert_eq!(inserted, Inserted::Done);
    // Both ways in which the previous holder of a name disappears for good.
    let over = store.insert(draft("a", "a"), Notice::Silent, END).await.unwrap();
    assert_eq!(over, Inserted::Done);
    assert_eq!(store.sweep(END, 100).await.unwrap(), 1);
    for name in ["one", "two"] {
        let found = store.find(&site(), Kind::Account, name, END).await.unwrap();
        assert_eq!(found.unwrap().key.id, "b");
    }
}
