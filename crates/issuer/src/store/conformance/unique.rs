//! A unique name leads to one record of its kind and site.

use std::sync::Arc;

use super::{NOW, draft, get, insert, key, named, record, site};
use crate::store::{Draft, Inserted, Key, Kind, Notice, Replaced, Store};

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    a_record_is_found_by_each_of_its_names(&*open().await).await;
    names_are_exact(&*open().await).await;
    an_insert_with_a_held_name_writes_nothing(&*open().await).await;
    a_held_key_outranks_a_held_name(&*open().await).await;
    a_replacement_with_a_held_name_writes_nothing(&*open().await).await;
    a_replacement_keeps_its_own_names(&*open().await).await;
    a_replacement_frees_the_names_it_drops(&*open().await).await;
    a_delete_frees_the_names(&*open().await).await;
    names_are_per_site_and_kind(&*open().await).await;
}

async fn holder(store: &dyn Store, name: &str) -> Option<String> {
    let found = store.find(&site(), Kind::Account, name, NOW).await.unwrap();
    found.map(|record| record.key.id)
}

async fn a_record_is_found_by_each_of_its_names(store: &dyn Store) {
    insert(store, named("a", &["one", "two"])).await;
    insert(store, draft("b", "b")).await;
    for name in ["one", "two"] {
        let found = store.find(&site(), Kind::Account, name, NOW).await.unwrap();
        assert_eq!(found, Some(record(named("a", &["one", "two"]), 1)));
    }
    assert_eq!(holder(store, "a").await, None, "an id is no unique name");
}

async fn names_are_exact(store: &dyn Store) {
    let names = ["n", "N", "n ", " n", "n%", "n_", "n/n", "n,n", "n:n", "ñ", "n\u{303}", ""];
    for (n, name) in names.into_iter().enumerate() {
        assert_eq!(holder(store, name).await, None, "{name:?}");
        insert(store, named(&n.to_string(), &[name])).await;
    }
    for (n, name) in names.into_iter().enumerate() {
        assert_eq!(holder(store, name).await, Some(n.to_string()), "{name:?}");
    }
}

async fn an_insert_with_a_held_name_writes_nothing(store: &dyn Store) {
    insert(store, named("a", &["one", "two"])).await;
    let inserted = store.insert(named("b", &["free", "two"]), Notice::Silent, NOW).await.unwrap();
    assert_eq!(inserted, Inserted::Clash("two".to_owned()));
    assert_eq!(get(store, &key("b"), NOW).await, None);
    assert_eq!(holder(store, "two").await.as_deref(), Some("a"));
    assert_eq!(holder(store, "free").await, None);
    insert(store, named("c", &["free"])).await;
}

async fn a_held_key_outranks_a_held_name(store: &dyn Store) {
    insert(store, named("a", &["one"])).await;
    insert(store, named("b", &["two"])).await;
    let inserted = store.insert(named("b", &["one"]), Notice::Silent, NOW).await.unwrap();
    assert_eq!(inserted, Inserted::Exists);
    let replaced = store.replace(named("b", &["one"]), 7, Notice::Silent, NOW).await.unwrap();
    assert_eq!(replaced, Replaced::Stale);
}

async fn a_replacement_with_a_held_name_writes_nothing(store: &dyn Store) {
    insert(store, named("a", &["one"])).await;
    insert(store, named("b", &["two"])).await;
    let replaced = store.replace(named("b", &["free", "one"]), 1, Notice::Silent, NOW).await;
    assert_eq!(replaced.unwrap(), Replaced::Clash("one".to_owned()));
    assert_eq!(get(store, &key("b"), NOW).await, Some(record(named("b", &["two"]), 1)));
    assert_eq!(holder(store, "one").await.as_deref(), Some("a"));
    assert_eq!(holder(store, "two").await.as_deref(), Some("b"));
    assert_eq!(holder(store, "free").await, None);
}

async fn a_replacement_keeps_its_own_names(store: &dyn Store) {
    insert(store, named("a", &["one", "two"])).await;
    let kept = named("a", &["two", "three", "one"]);
    let replaced = store.replace(kept.clone(), 1, Notice::Silent, NOW).await.unwrap();
    assert_eq!(replaced, Replaced::Done(2));
    assert_eq!(get(store, &key("a"), NOW).await, Some(record(kept, 2)));
    for name in ["one", "two", "three"] {
        assert_eq!(holder(store, name).await.as_deref(), Some("a"), "{name}");
    }
}

async fn a_replacement_frees_the_names_it_drops(store: &dyn Store) {
    insert(store, named("a", &["one", "two"])).await;
    store.replace(named("a", &["two"]), 1, Notice::Silent, NOW).await.unwrap();
    assert_eq!(holder(store, "one").await, None);
    insert(store, named("b", &["one"])).await;
    assert_eq!(holder(store, "one").await.as_deref(), Some("b"));
    // What is free for an insert is free for a replacement too.
    store.replace(named("a", &[]), 2, Notice::Silent, NOW).await.unwrap();
    let replaced = store.replace(named("b", &["one", "two"]), 1, Notice::Silent, NOW).await;
    assert_eq!(replaced.unwrap(), Replaced::Done(2));
    assert_eq!(holder(store, "two").await.as_deref(), Some("b"));
}

async fn a_delete_frees_the_names(store: &dyn Store) {
    insert(store, named("a", &["one", "two"])).await;
    assert!(!store.delete(&key("a"), Some(2), Notice::Silent, NOW).await.unwrap());
    assert_eq!(holder(store, "one").await.as_deref(), Some("a"));
    assert!(store.delete(&key("a"), Some(1), Notice::Silent, NOW).await.unwrap());
    assert_eq!(holder(store, "one").await, None);
    insert(store, named("b", &["one"])).await;
    insert(store, named("c", &["two"])).await;
}

async fn names_are_per_site_and_kind(store: &dyn Store) {
    for place in [site(), Arc::from("example.net")] {
        for kind in Kind::ALL {
            let id = format!("{place} {}", kind.as_str());
            let key = Key::new(&place, kind, id);
            insert(store, Draft { key, ..named("", &["same"]) }).await;
        }
    }
    for place in [site(), Arc::from("example.net")] {
        for kind in Kind::ALL {
            let found = store.find(&place, kind, "same", NOW).await.unwrap().unwrap();
            assert_eq!((&found.key.site, found.key.kind), (&place, kind));
            assert_eq!(found.key.id, format!("{place} {}", kind.as_str()));
        }
    }
    assert_eq!(store.find(&Arc::from("else"), Kind::Account, "same", NOW).await.unwrap(), None);
}
