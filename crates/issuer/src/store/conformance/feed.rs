//! Every node learns of every change that matters, in order, or learns that it missed some.

use std::collections::HashSet;
use std::sync::Arc;

use super::{END, NOW, draft, fleeting, get, insert, key, long_after, named};
use crate::store::{FeedCursor, Notice, Store};

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    without_a_cursor_it_gives_the_end(&*open().await).await;
    a_write_that_tells_is_told(&*open().await).await;
    a_silent_write_is_not_told(&*open().await).await;
    a_write_that_did_not_happen_is_not_told(&*open().await).await;
    notices_come_in_the_order_written(&*open().await).await;
    readers_do_not_disturb_one_another(&*open().await).await;
    a_notice_alone_touches_no_record(&*open().await).await;
    a_cursor_too_old_gives_a_gap(&*open().await).await;
    a_foreign_cursor_gives_a_gap(&*open().await).await;
}

/// A node that reads the feed and drops what it has seen, as engines may repeat notices.
pub(super) struct Listener {
    cursor: FeedCursor,
    seen: HashSet<String>,
}

impl Listener {
    /// A reader that starts at the current end of the feed.
    pub(super) async fn new(store: &dyn Store) -> Self {
        let end = store.feed(None).await.unwrap();
        assert_eq!(end.entries, [], "the end has no entries");
        assert!(!end.gap, "who knows nothing has missed nothing");
        let mut listener = Self { cursor: end.cursor, seen: HashSet::new() };
        // What an engine repeats from before the end is not news.
        listener.news(store).await;
        listener
    }

    /// The subjects of notices since the last call.
    pub(super) async fn news(&mut self, store: &dyn Store) -> Vec<String> {
        let feed = store.feed(Some(&self.cursor)).await.unwrap();
        assert!(!feed.gap, "nothing was swept");
        self.cursor = feed.cursor;
        let mut is_new = |id: String| self.seen.insert(id);
        feed.entries.into_iter().filter_map(|e| is_new(e.id).then_some(e.subject)).collect()
    }
}

async fn without_a_cursor_it_gives_the_end(store: &dyn Store) {
    store.notify(&key("before")).await.unwrap();
    let mut listener = Listener::new(store).await;
    assert_eq!(listener.news(store).await, [""; 0]);
    store.notify(&key("after")).await.unwrap();
    assert_eq!(listener.news(store).await, [key("after").text()]);
    assert_eq!(listener.news(store).await, [""; 0], "told once");
}

async fn a_write_that_tells_is_told(store: &dyn Store) {
    let mut listener = Listener::new(store).await;
    store.insert(draft("a", "1"), Notice::Tell, NOW).await.unwrap();
    assert_eq!(listener.news(store).await, [key("a").text()]);
    store.replace(draft("a", "2"), 1, Notice::Tell, NOW).await.unwrap();
    assert_eq!(listener.news(store).await, [key("a").text()]);
    assert!(store.delete(&key("a"), Some(2), Notice::Tell, NOW).await.unwrap());
    assert_eq!(listener.news(store).await, [key("a").text()]);
}

async fn a_silent_write_is_not_told(store: &dyn Store) {
    let mut listener = Listener::new(store).await;
    insert(store, draft("a", "1")).await;
    store.replace(draft("a", "2"), 1, Notice::Silent, NOW).await.unwrap();
    store.take(&key("a"), NOW).await.unwrap();
    store.delete(&key("a"), None, Notice::Silent, NOW).await.unwrap();
    store.sweep(NOW, 10).await.unwrap();
    assert_eq!(listener.news(store).await, [""; 0]);
}

async fn a_write_that_did_not_happen_is_not_told(store: &dyn Store) {
    insert(store, named("a", &["n"])).await;
    insert(store, named("b", &[])).await;
    insert(store, fleeting("old", &[])).await;
    let mut listener = Listener::new(store).await;
    store.insert(draft("a", "x"), Notice::Tell, NOW).await.unwrap();
    store.insert(named("c", &["n"]), Notice::Tell, NOW).await.unwrap();
    store.replace(draft("a", "x"), 2, Notice::Tell, NOW).await.unwrap();
    store.replace(named("b", &["n"]), 1, Notice::Tell, NOW).await.unwrap();
    store.replace(draft("none", "x"), 1, Notice::Tell, NOW).await.unwrap();
    store.delete(&key("a"), Some(2), Notice::Tell, NOW).await.unwrap();
    store.delete(&key("none"), None, Notice::Tell, NOW).await.unwrap();
    store.delete(&key("old"), None, Notice::Tell, END).await.unwrap();
    assert_eq!(listener.news(store).await, [""; 0]);
}

async fn notices_come_in_the_order_written(store: &dyn Store) {
    let mut listener = Listener::new(store).await;
    let keys: Vec<_> = (0..50).map(|n| key(&format!("{}", n * 7 % 50))).collect();
    for key in &keys {
        store.notify(key).await.unwrap();
    }
    let wanted: Vec<String> = keys.iter().map(crate::store::Key::text).collect();
    assert_eq!(listener.news(store).await, wanted);
}

async fn readers_do_not_disturb_one_another(store: &dyn Store) {
    let mut early = Listener::new(store).await;
    store.notify(&key("a")).await.unwrap();
    let mut late = Listener::new(store).await;
    store.notify(&key("b")).await.unwrap();
    assert_eq!(late.news(store).await, [key("b").text()]);
    assert_eq!(early.news(store).await, [key("a").text(), key("b").text()]);
    assert_eq!(late.news(store).await, [""; 0]);
}

async fn a_notice_alone_touches_no_record(store: &dyn Store) {
    let mut listener = Listener::new(store).await;
    store.notify(&key("a")).await.unwrap();
    store.notify(&key("a")).await.unwrap();
    assert_eq!(listener.news(store).await, [key("a").text(), key("a").text()]);
    assert_eq!(get(store, &key("a"), NOW).await, None);
    insert(store, draft("a", "a")).await;
}

async fn a_cursor_too_old_gives_a_gap(store: &dyn Store) {
    let old = store.feed(None).await.unwrap().cursor;
    store.insert(draft("a", "1"), Notice::Tell, NOW).await.unwrap();
    store.insert(draft("b", "1"), Notice::Tell, NOW).await.unwrap();
    let end = store.feed(None).await.unwrap().cursor;
    assert!(!store.feed(Some(&old)).await.unwrap().gap);

    store.sweep(long_after(), 100).await.unwrap();
    let feed = store.feed(Some(&old)).await.unwrap();
    assert!(feed.gap, "two notices are gone, and this cursor had not seen them");
    assert!(!store.feed(Some(&feed.cursor)).await.unwrap().gap, "a gap is told once");
    assert!(!store.feed(Some(&end)).await.unwrap().gap, "this cursor had seen both");

    store.notify(&key("c")).await.unwrap();
    assert!(store.feed(Some(&old)).await.unwrap().gap);
    let feed = store.feed(Some(&end)).await.unwrap();
    assert!(!feed.gap);
    assert!(feed.entries.iter().any(|entry| entry.subject == key("c").text()));
}

async fn a_foreign_cursor_gives_a_gap(store: &dyn Store) {
    store.notify(&key("a")).await.unwrap();
    for foreign in ["", "?", "-1", "not of this engine", "9e9", "ü"] {
        let feed = store.feed(Some(&FeedCursor(foreign.to_owned()))).await.unwrap();
        assert!(feed.gap, "{foreign:?}");
        assert!(!store.feed(Some(&feed.cursor)).await.unwrap().gap, "{foreign:?}");
    }
}
