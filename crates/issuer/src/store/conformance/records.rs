//! A record comes back as it was written, under its own key only.

use std::sync::Arc;

use super::{NOW, draft, get, insert, key, named, record, site};
use crate::store::{Draft, Inserted, Key, Kind, Notice, Replaced, Store};

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    a_record_comes_back_whole(&*open().await).await;
    bodies_are_opaque(&*open().await).await;
    many_come_back_in_the_order_asked(&*open().await).await;
    an_insert_never_overwrites(&*open().await).await;
    a_replacement_raises_the_version(&*open().await).await;
    only_the_present_version_is_replaced(&*open().await).await;
    a_replacement_may_change_the_expiry(&*open().await).await;
    what_is_not_there_cannot_be_replaced(&*open().await).await;
    only_the_version_named_is_deleted(&*open().await).await;
    a_key_is_free_after_delete(&*open().await).await;
    kinds_and_sites_never_mix(&*open().await).await;
    a_key_is_no_concatenation(&*open().await).await;
}

async fn a_record_comes_back_whole(store: &dyn Store) {
    let draft = super::fleeting("ann", &["user:ann", "mail:ann@example.org", "3:a,b"]);
    insert(store, draft.clone()).await;
    assert_eq!(get(store, &draft.key, NOW).await, Some(record(draft, 1)));
    let forever = named("bob", &["user:bob"]);
    insert(store, forever.clone()).await;
    assert_eq!(get(store, &forever.key, NOW).await, Some(record(forever, 1)));
}

async fn bodies_are_opaque(store: &dyn Store) {
    let bodies = [
        Vec::new(),
        vec![0],
        (0..=255).collect(),
        b"{\"a\": 1}\n".to_vec(),
        b"not \xff\xfe utf-8 \0 at all".to_vec(),
        vec![0xa5; 100_000],
    ];
    for (n, body) in bodies.into_iter().enumerate() {
        let written = Draft { body, ..draft(&n.to_string(), "") };
        insert(store, written.clone()).await;
        assert_eq!(get(store, &written.key, NOW).await, Some(record(written, 1)), "body {n}");
    }
}

async fn many_come_back_in_the_order_asked(store: &dyn Store) {
    insert(store, draft("a", "1")).await;
    insert(store, draft("b", "2")).await;
    let keys = [key("b"), key("none"), key("a"), key("b")];
    let read = store.get_many(&keys, NOW).await.unwrap();
    let bodies: Vec<_> = read.into_iter().map(|record| record.map(|record| record.body)).collect();
    let (one, two) = (Some(b"1".to_vec()), Some(b"2".to_vec()));
    assert_eq!(bodies, [two.clone(), None, one, two]);
    assert_eq!(store.get_many(&[], NOW).await.unwrap(), []);
}

async fn an_insert_never_overwrites(store: &dyn Store) {
    insert(store, draft("a", "first")).await;
    let second = store.insert(draft("a", "second"), Notice::Silent, NOW).await.unwrap();
    assert_eq!(second, Inserted::Exists);
    assert_eq!(get(store, &key("a"), NOW).await, Some(record(draft("a", "first"), 1)));
}

async fn a_replacement_raises_the_version(store: &dyn Store) {
    insert(store, draft("a", "1")).await;
    for version in 1..5 {
        let body = (version + 1).to_string();
        let replaced = store.replace(draft("a", &body), version, Notice::Silent, NOW).await;
        assert_eq!(replaced.unwrap(), Replaced::Done(version + 1));
        let read = get(store, &key("a"), NOW).await;
        assert_eq!(read, Some(record(draft("a", &body), version + 1)));
    }
}

async fn only_the_present_version_is_replaced(store: &dyn Store) {
    insert(store, draft("a", "1")).await;
    store.replace(draft("a", "2"), 1, Notice::Silent, NOW).await.unwrap();
    for version in [0, 1, 3, u64::MAX] {
        let replaced = store.replace(draft("a", "x"), version, Notice::Silent, NOW).await;
        assert_eq!(replaced.unwrap(), Replaced::Stale, "version {version}");
    }
    assert_eq!(get(store, &key("a"), NOW).await, Some(record(draft("a", "2"), 2)));
}

async fn a_replacement_may_change_the_expiry(store: &dyn Store) {
    insert(store, draft("a", "a")).await;
    store.replace(super::fleeting("a", &[]), 1, Notice::Silent, NOW).await.unwrap();
    assert_eq!(get(store, &key("a"), super::END).await, None);
    store.replace(draft("a", "a"), 2, Notice::Silent, NOW).await.unwrap();
    assert_eq!(get(store, &key("a"), super::END).await, Some(record(draft("a", "a"), 3)));
}

async fn what_is_not_there_cannot_be_replaced(store: &dyn Store) {
    for version in [0, 1] {
        let replaced = store.replace(named("a", &["n"]), version, Notice::Silent, NOW).await;
        assert_eq!(replaced.unwrap(), Replaced::Stale);
    }
    assert_eq!(get(store, &key("a"), NOW).await, None);
    insert(store, named("b", &["n"])).await;
}

async fn only_the_version_named_is_deleted(store: &dyn Store) {
    insert(store, draft("a", "1")).await;
    store.replace(draft("a", "2"), 1, Notice::Silent, NOW).await.unwrap();
    for version in [0, 1, 3, u64::MAX] {
        let deleted = store.delete(&key("a"), Some(version), Notice::Silent, NOW).await.unwrap();
        assert!(!deleted, "version {version}");
    }
    assert!(get(store, &key("a"), NOW).await.is_some());
    assert!(store.delete(&key("a"), Some(2), Notice::Silent, NOW).await.unwrap());
    assert_eq!(get(store, &key("a"), NOW).await, None);
    assert!(!store.delete(&key("a"), Some(2), Notice::Silent, NOW).await.unwrap());
    assert!(!store.delete(&key("a"), None, Notice::Silent, NOW).await.unwrap());
}

async fn a_key_is_free_after_delete(store: &dyn Store) {
    insert(store, draft("a", "1")).await;
    store.replace(draft("a", "2"), 1, Notice::Silent, NOW).await.unwrap();
    assert!(store.delete(&key("a"), None, Notice::Silent, NOW).await.unwrap());
    insert(store, draft("a", "3")).await;
    assert_eq!(get(store, &key("a"), NOW).await, Some(record(draft("a", "3"), 1)));
}

async fn kinds_and_sites_never_mix(store: &dyn Store) {
    let sites = [site(), Arc::from("example.net"), Arc::from("")];
    let keys: Vec<Key> =
        sites.iter().flat_map(|site| Kind::ALL.map(|kind| Key::new(site, kind, "same"))).collect();
    for key in &keys {
        let body = key.text().into_bytes();
        insert(store, Draft { key: key.clone(), body, unique: Vec::new(), expires_at: None }).await;
    }
    assert!(store.delete(&keys[0], None, Notice::Silent, NOW).await.unwrap());
    for (n, read) in store.get_many(&keys, NOW).await.unwrap().into_iter().enumerate() {
        let body = read.map(|record| record.body);
        assert_eq!(body, (n > 0).then(|| keys[n].text().into_bytes()), "{:?}", keys[n]);
    }
}

async fn a_key_is_no_concatenation(store: &dyn Store) {
    let one = Key::new(&Arc::from("s"), Kind::Account, "account/x");
    let other = Key::new(&Arc::from("s/account"), Kind::Account, "x");
    let make = |key: &Key| Draft {
        key: key.clone(),
        body: Vec::new(),
        unique: vec!["n".to_owned()],
        expires_at: None,
    };
    insert(store, make(&one)).await;
    assert_eq!(get(store, &other, NOW).await, None);
    insert(store, make(&other)).await;
}
