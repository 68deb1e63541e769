//! Several stores and several processes on one file.

use std::sync::Arc;

use castellan_issuer::store::{Draft, Inserted, Kind, Notice, Replaced, Taken};

use crate::child::{PRIZES, race_of_two};
use crate::{NOW, draft, get, key, open, raw, site};

#[tokio::test]
async fn each_sees_what_the_other_was_told_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let (one, other) = (open(&file), open(&file));
    for n in 0..100 {
        let id = n.to_string();
        one.insert(draft(&id), Notice::Silent, NOW).await.unwrap();
        assert!(get(&*other, &id).await.is_some(), "{n}");
        let late = other.insert(draft(&id), Notice::Silent, NOW).await.unwrap();
        assert_eq!(late, Inserted::Exists);
        let replaced = other.replace(draft(&id), 1, Notice::Silent, NOW).await.unwrap();
        assert_eq!(replaced, Replaced::Done(2));
        assert!(matches!(one.take(&key(&id), NOW).await.unwrap(), Taken::First(_)));
        assert!(matches!(other.take(&key(&id), NOW).await.unwrap(), Taken::Again(_)));
        assert_eq!(get(&*one, &id).await, None);
    }
    assert_eq!(other.count(&site(), Kind::Account, NOW).await.unwrap(), 0);
}

#[tokio::test]
async fn each_hears_what_the_other_tells() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let (one, other) = (open(&file), open(&file));
    let mut cursor = other.feed(None).await.unwrap().cursor;
    for n in 0..100 {
        // Idle polls between, over both readers, so that the short way is taken too.
        for _ in 0..4 {
            let idle = other.feed(Some(&cursor)).await.unwrap();
            assert_eq!((idle.entries.len(), idle.gap), (0, false));
            assert_eq!(idle.cursor, cursor);
        }
        let id = n.to_string();
        let teller = if n % 2 == 0 { &one } else { &other };
        teller.insert(draft(&id), Notice::Tell, NOW).await.unwrap();
        let feed = other.feed(Some(&cursor)).await.unwrap();
        let subjects: Vec<_> = feed.entries.into_iter().map(|entry| entry.subject).collect();
        assert_eq!(subjects, [key(&id).text()]);
        cursor = feed.cursor;
    }
}

#[tokio::test]
async fn an_older_copy_of_the_file_gives_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    let store = open(&old);
    store.notify(&key("a")).await.unwrap();
    drop(store);
    std::fs::copy(&old, &new).unwrap();
    let store = open(&new);
    store.notify(&key("b")).await.unwrap();
    let cursor = store.feed(None).await.unwrap().cursor;
    assert!(open(&old).feed(Some(&cursor)).await.unwrap().gap);
}

#[tokio::test]
async fn who_is_hopelessly_behind_gets_a_gap_and_no_flood() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    let start = store.feed(None).await.unwrap().cursor;
    let flood = "
        INSERT INTO feed (subject) WITH RECURSIVE n(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 70000) SELECT n FROM n";
    raw(&file).execute_batch(flood).unwrap();
    let feed = store.feed(Some(&start)).await.unwrap();
    assert_eq!((feed.entries.len(), feed.gap), (0, true));
    assert!(!store.feed(Some(&feed.cursor)).await.unwrap().gap);
}

#[tokio::test]
async fn two_processes_never_take_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    for n in 0..PRIZES {
        store.insert(draft(&n.to_string()), Notice::Silent, NOW).await.unwrap();
    }
    for (n, got) in race_of_two("taker", &file).into_iter().enumerate() {
        assert_eq!(got, ["Again", "First"], "{n}");
    }
}

#[tokio::test]
async fn two_processes_never_insert_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    let start = store.feed(None).await.unwrap().cursor;
    for (n, got) in race_of_two("inserter", &file).into_iter().enumerate() {
        assert_eq!(got, ["Done", "Exists"], "{n}");
    }
    let told = store.feed(Some(&start)).await.unwrap().entries;
    assert_eq!(told.len(), PRIZES, "one notice for each that was written");
}

#[tokio::test]
async fn two_processes_never_get_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    for (n, got) in race_of_two("namer", &file).into_iter().enumerate() {
        assert_eq!(got, ["Clash", "Done"], "{n}");
        let name = format!("name {n}");
        assert!(store.find(&site(), Kind::Account, &name, NOW).await.unwrap().is_some());
    }
    let all = u64::try_from(PRIZES).unwrap();
    assert_eq!(store.count(&site(), Kind::Account, NOW).await.unwrap(), all);
}

/// Sixteen writers at once, of ten times what the log may hold, while one reader reads.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_begins_anew_under_load_and_is_gone_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let log = folder.path().join("a.db-wal");
    let store = open(&file);
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..250 {
                    let body = vec![b'x'; 12_000];
                    let draft = Draft { body, ..draft(&format!("{writer}-{n}")) };
                    let done = store.insert(draft, Notice::Silent, NOW).await.unwrap();
                    assert_eq!(done, Inserted::Done);
                    assert!(get(&*store, &format!("{writer}-{n}")).await.is_some());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    // 48 MB were written, many pages twice.
    let length = std::fs::metadata(&log).unwrap().len();
    assert!(length < 40 * 1024 * 1024, "{length} bytes");
    assert_eq!(store.count(&site(), Kind::Account, NOW).await.unwrap(), 4_000);
    drop(store);
    assert!(!log.exists(), "all of it is in the file");
    assert_eq!(open(&file).count(&site(), Kind::Account, NOW).await.unwrap(), 4_000);
}
