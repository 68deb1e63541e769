//! Lists are in byte order, complete, and read no character of an id as anything but itself.

use std::sync::Arc;

use super::{NOW, draft, insert, key, record, site};
use crate::store::{Draft, Key, Kind, PageQuery, Store};

/// Sorted by [`sorted_ids`], not by hand.
const IDS: [&str; 26] = [
    "a",
    "A",
    "B",
    "b",
    "ab",
    "aB",
    "a%",
    "a%b",
    "a_",
    "a_b",
    "axb",
    "a/",
    "a/b",
    "a b",
    "a'b",
    "a\\b",
    "a*",
    "é",
    "e\u{301}",
    "ü",
    "z",
    "~",
    "𝄞",
    "\u{ffff}",
    "a\u{10ffff}",
    "a\u{10ffff}b",
];

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    a_list_is_in_byte_order(&*open().await).await;
    a_prefix_is_text_and_no_pattern(&*open().await).await;
    pages_follow_one_another(&*open().await).await;
    a_page_starts_after_any_text(&*open().await).await;
    a_list_is_of_one_site_and_kind(&*open().await).await;
    a_count_is_of_one_site_and_kind(&*open().await).await;
}

fn sorted_ids() -> Vec<&'static str> {
    let mut ids = IDS.to_vec();
    ids.sort_by_key(|id| id.as_bytes());
    ids
}

fn query(prefix: &str, after: Option<&str>, limit: usize) -> PageQuery {
    let after = after.map(ToOwned::to_owned);
    PageQuery { site: site(), kind: Kind::Account, prefix: prefix.to_owned(), after, limit }
}

async fn fill(store: &dyn Store) {
    for id in IDS {
        insert(store, draft(id, id)).await;
    }
}

async fn ids(store: &dyn Store, query: &PageQuery) -> Vec<String> {
    store.page(query, NOW).await.unwrap().into_iter().map(|record| record.key.id).collect()
}

async fn a_list_is_in_byte_order(store: &dyn Store) {
    assert_eq!(ids(store, &query("", None, 100)).await, [""; 0]);
    fill(store).await;
    assert_eq!(ids(store, &query("", None, 100)).await, sorted_ids());
    assert_eq!(ids(store, &query("", None, usize::MAX)).await, sorted_ids());
    let whole = store.page(&query("a%b", None, 1), NOW).await.unwrap();
    assert_eq!(whole, [record(draft("a%b", "a%b"), 1)]);
}

async fn a_prefix_is_text_and_no_pattern(store: &dyn Store) {
    fill(store).await;
    let prefixes = IDS.into_iter().chain(["e", "%", "_", "*", "?", "no", "a\u{10fffe}"]);
    for prefix in prefixes {
        let mut wanted = sorted_ids();
        wanted.retain(|id| id.starts_with(prefix));
        assert_eq!(ids(store, &query(prefix, None, 100)).await, wanted, "{prefix:?}");
    }
}

async fn pages_follow_one_another(store: &dyn Store) {
    fill(store).await;
    for prefix in ["", "a"] {
        let mut read: Vec<String> = Vec::new();
        loop {
            let page = ids(store, &query(prefix, read.last().map(String::as_str), 3)).await;
            assert!(page.len() <= 3);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        let mut wanted = sorted_ids();
        wanted.retain(|id| id.starts_with(prefix));
        assert_eq!(read, wanted);
    }
    assert_eq!(ids(store, &query("", None, 0)).await, [""; 0]);
}

async fn a_page_starts_after_any_text(store: &dyn Store) {
    fill(store).await;
    // Also after ids that are not, or no longer, there, and that lie outside of the prefix.
    for after in ["", "a$", "aa", "y", "\u{10ffff}\u{10ffff}"] {
        for prefix in ["", "a", "z"] {
            let mut wanted = sorted_ids();
            wanted.retain(|id| id.starts_with(prefix) && *id > after);
            let read = ids(store, &query(prefix, Some(after), 100)).await;
            assert_eq!(read, wanted, "{prefix:?} after {after:?}");
        }
    }
}

/// One record on each of two sites in each kind, and a second one in the kind that is listed.
async fn fill_neighbours(store: &dyn Store) {
    for place in [site(), Arc::from("example.net"), Arc::from("example.orga")] {
        for kind in Kind::ALL {
            let key = Key::new(&place, kind, format!("{place}-{}", kind.as_str()));
            insert(store, Draft { key, ..draft("", "") }).await;
        }
    }
    insert(store, draft("second", "")).await;
}

async fn a_list_is_of_one_site_and_kind(store: &dyn Store) {
    fill_neighbours(store).await;
    let read = ids(store, &query("", None, 100)).await;
    assert_eq!(read, ["example.org-account", "second"]);
    let elsewhere = PageQuery { site: Arc::from("example.com"), ..query("", None, 100) };
    assert_eq!(ids(store, &elsewhere).await, [""; 0]);
}

async fn a_count_is_of_one_site_and_kind(store: &dyn Store) {
    let count = async |site: Arc<str>, kind| store.count(&site, kind, NOW).await.unwrap();
    assert_eq!(count(site(), Kind::Account).await, 0);
    fill_neighbours(store).await;
    assert_eq!(count(site(), Kind::Account).await, 2);
    assert_eq!(count(site(), Kind::Client).await, 1);
    assert_eq!(count(Arc::from("example.com"), Kind::Account).await, 0);
    let missing = store.delete(&key("second"), None, crate::store::Notice::Silent, NOW).await;
    assert!(missing.unwrap());
    assert_eq!(count(site(), Kind::Account).await, 1);
}
