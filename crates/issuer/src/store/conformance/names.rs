//! Names are listed from either end, complete and in order, by an index as by a walk.

use std::sync::Arc;

use super::{END, NOW, before_end, draft, fleeting, insert, key, named, record, site};
use crate::store::{
    Draft, Key, Kind, NameEnd, NameQuery, Notice, Store,
    names::{self, mirrored},
};

/// Sorted by [`sorted`], not by hand.
const NAMES: [&str; 22] = [
    "ann",
    "ann@example.org",
    "anna@example.org",
    "anne",
    "an%",
    "an_",
    "an*",
    "an'n",
    "an\\n",
    "a",
    "bob@example.org",
    "bob@example.org.test",
    "example.org",
    "zoë",
    "zoe\u{308}",
    "ß",
    "𝄞clef",
    "clef𝄞",
    "a\u{10ffff}",
    "\u{10ffff}",
    "GROUP:1:ann ",
    "GROUP:1:ann-2 ",
];
const PARTS: [&str; 18] = [
    "",
    "a",
    "an",
    "ann",
    "%",
    "an%",
    "_",
    "*",
    "'",
    "@example.org",
    "example.org",
    ".test",
    "ë",
    "𝄞",
    "\u{10ffff}",
    "no such",
    "GROUP:1:",
    "ann ",
];
const ENDS: [NameEnd; 2] = [NameEnd::Start, NameEnd::Finish];
const BOTH_WAYS: [(NameEnd, bool); 4] = [
    (NameEnd::Start, false),
    (NameEnd::Start, true),
    (NameEnd::Finish, false),
    (NameEnd::Finish, true),
];

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    names_are_listed_by_either_end(&*open().await).await;
    pages_follow_one_another(&*open().await).await;
    a_record_is_listed_under_each_of_its_names(&*open().await).await;
    names_of_an_order_are_not_listed_by_their_end(&*open().await).await;
    names_that_were_let_go_are_listed_no_more(&*open().await).await;
    what_is_not_there_is_not_listed(&*open().await).await;
    names_of_one_site_and_kind_are_listed(&*open().await).await;
}

fn query(end: NameEnd, part: &str) -> NameQuery {
    let part = part.to_owned();
    let (site, kind) = (site(), Kind::Account);
    NameQuery { site, kind, end, part, after: None, descending: false, limit: 100 }
}

/// What the names of `query` are, and whose.
async fn listed(store: &dyn Store, query: &NameQuery) -> Vec<(String, String)> {
    let found = names::page(store, query, NOW).await.unwrap();
    found.into_iter().map(|found| (found.name, found.record.key.id)).collect()
}

async fn only_names(store: &dyn Store, query: &NameQuery) -> Vec<String> {
    listed(store, query).await.into_iter().map(|(name, _)| name).collect()
}

/// Stores a record for each name.
async fn fill(store: &dyn Store) {
    for (n, name) in NAMES.into_iter().enumerate() {
        insert(store, named(&format!("id {n}"), &[name])).await;
    }
    insert(store, draft("nameless", "")).await;
}

fn sorted(query: &NameQuery) -> Vec<&'static str> {
    let mut names: Vec<&str> = NAMES.into_iter().filter(|name| query.admits(name)).collect();
    names.sort_by_key(|name| query.end.order(name).into_bytes());
    if query.descending {
        names.reverse();
    }
    names
}

async fn names_are_listed_by_either_end(store: &dyn Store) {
    for end in ENDS {
        assert_eq!(only_names(store, &query(end, "")).await, [""; 0]);
    }
    fill(store).await;
    for end in ENDS {
        for part in PARTS {
            for descending in [false, true] {
                let query = NameQuery { descending, ..query(end, part) };
                assert_eq!(only_names(store, &query).await, sorted(&query), "{query:?}");
            }
        }
    }
    let whole = names::page(store, &query(NameEnd::Finish, "zoë"), NOW).await.unwrap();
    assert_eq!(whole.len(), 1);
    let at = NAMES.iter().position(|name| *name == "zoë").unwrap();
    assert_eq!(whole[0].record, record(named(&format!("id {at}"), &["zoë"]), 1));
}

async fn pages_follow_one_another(store: &dyn Store) {
    fill(store).await;
    for (end, descending) in BOTH_WAYS {
        for part in ["", "a", "example.org"] {
            let mut query = NameQuery { limit: 3, descending, ..query(end, part) };
            let mut read: Vec<String> = Vec::new();
            loop {
                let page = only_names(store, &query).await;
                assert!(page.len() <= 3);
                query.after = page.last().cloned();
                if page.is_empty() {
                    break;
                }
                read.extend(page);
            }
            assert_eq!(read, sorted(&query), "{query:?}");
        }
        // Also after names that are not, or no longer, there, and that have another end.
        for after in ["", "aa", "anm", "example", "~", "\u{10ffff}\u{10ffff}"] {
            let after_it = Some(after.to_owned());
            let query = NameQuery { after: after_it, descending, ..query(end, "an") };
            let mut wanted = sorted(&query);
            let is_after = |name: &&str| {
                let (name, after) = (end.order(name), end.order(after));
                if descending { name < after } else { name > after }
            };
            wanted.retain(is_after);
            assert_eq!(only_names(store, &query).await, wanted, "{query:?}");
        }
        assert_eq!(only_names(store, &NameQuery { limit: 0, ..query(end, "") }).await, [""; 0]);
    }
}

async fn a_record_is_listed_under_each_of_its_names(store: &dyn Store) {
    insert(store, named("a", &["ann", "ann@example.org"])).await;
    insert(store, named("b", &["anna"])).await;
    let of_a = |name: &str| (name.to_owned(), "a".to_owned());
    let wanted = [of_a("ann"), of_a("ann@example.org"), ("anna".to_owned(), "b".to_owned())];
    assert_eq!(listed(store, &query(NameEnd::Start, "ann")).await, wanted);
    assert_eq!(listed(store, &query(NameEnd::Finish, "org")).await, [of_a("ann@example.org")]);
    let next = NameQuery { after: Some("ann".to_owned()), ..query(NameEnd::Start, "ann") };
    assert_eq!(listed(store, &next).await, wanted[1..]);
}

async fn names_of_an_order_are_not_listed_by_their_end(store: &dyn Store) {
    let names = ["\u{10ffff}CA:2\0b", "\u{10ffff}CA:10\0a", "ann", "\u{10ffff}c"];
    insert(store, named("a", &[names[1], names[2]])).await;
    insert(store, named("b", &[names[0], names[3]])).await;
    let start = NameQuery { descending: true, ..query(NameEnd::Start, "\u{10ffff}CA:") };
    assert_eq!(only_names(store, &start).await, [names[0], names[1]]);
    let next = NameQuery { after: Some(names[0].to_owned()), ..start };
    assert_eq!(only_names(store, &next).await, [names[1]]);
    assert_eq!(only_names(store, &query(NameEnd::Finish, "a")).await, [""; 0]);
    assert_eq!(only_names(store, &query(NameEnd::Finish, "")).await, [names[3], names[2]]);
}

async fn names_that_were_let_go_are_listed_no_more(store: &dyn Store) {
    insert(store, named("a", &["one", "two"])).await;
    store.replace(named("a", &["two", "twelve"]), 1, Notice::Silent, NOW).await.unwrap();
    insert(store, named("b", &["one"])).await;
    for (end, part, wanted) in [
        (NameEnd::Start, "one", vec![("one", "b")]),
        (NameEnd::Start, "tw", vec![("twelve", "a"), ("two", "a")]),
        (NameEnd::Finish, "o", vec![("two", "a")]),
    ] {
        let found = listed(store, &query(end, part)).await;
        let found: Vec<_> = found.iter().map(|(name, id)| (&**name, &**id)).collect();
        assert_eq!(found, wanted, "{end:?} {part:?}");
    }
    store.delete(&key("a"), None, Notice::Silent, NOW).await.unwrap();
    for end in ENDS {
        assert_eq!(only_names(store, &query(end, "")).await, ["one"]);
    }
}

async fn what_is_not_there_is_not_listed(store: &dyn Store) {
    insert(store, fleeting("a", &["ann"])).await;
    insert(store, fleeting("b", &["anna"])).await;
    store.take(&key("b"), NOW).await.unwrap();
    for end in ENDS {
        let (there, missing) = (query(end, ""), query(end, ""));
        let found = names::page(store, &there, before_end()).await.unwrap();
        assert_eq!(found.len(), 1, "{end:?}: the taken one is not there");
        assert_eq!(found[0].name, "ann");
        assert_eq!(names::page(store, &missing, END).await.unwrap(), [], "{end:?}");
    }
    // A name taken over from an expired record belongs only to its new holder.
    let again = Draft { unique: vec!["ann".to_owned()], ..draft("c", "c") };
    store.insert(again, Notice::Silent, END).await.unwrap();
    let found = names::page(store, &query(NameEnd::Start, ""), END).await.unwrap();
    assert_eq!(found.iter().map(|found| &*found.record.key.id).collect::<Vec<_>>(), ["c"]);
}

async fn names_of_one_site_and_kind_are_listed(store: &dyn Store) {
    for place in [site(), Arc::from("example.net"), Arc::from("example.orga")] {
        for kind in Kind::ALL {
            let key = Key::new(&place, kind, format!("{place} {}", kind.as_str()));
            insert(store, Draft { key, ..named("", &["same"]) }).await;
        }
    }
    for end in ENDS {
        let wanted = ("same".to_owned(), "example.org account".to_owned());
        assert_eq!(listed(store, &query(end, "")).await, [wanted]);
        let elsewhere = NameQuery { site: Arc::from("example.com"), ..query(end, "") };
        assert_eq!(listed(store, &elsewhere).await, []);
    }
    assert_eq!(mirrored(&mirrored("zoë𝄞")), "zoë𝄞");
}
