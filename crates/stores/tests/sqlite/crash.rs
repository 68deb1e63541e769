//! A process that dies at the worst moment loses nothing it had acknowledged, and tears nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use castellan_issuer::store::{Draft, Key, Kind, Notice, PageQuery, Record, Replaced, Store};

use crate::child::{Running, command, say};
use crate::{NOW, draft, get, key, open, raw, site};

const ROUNDS: usize = 10;
const WRITERS: usize = 32;

/// What the record `id` holds at `version`: its length and every byte depend on both.
fn body(id: &str, version: u64) -> Vec<u8> {
    let line = format!("{id} at version {version}\0");
    line.repeat(1 + id.len() * 37 % 50).into_bytes()
}

fn versioned(id: &str, version: u64) -> Draft {
    Draft { body: body(id, version), unique: vec![format!("{id} v{version}")], ..draft(id) }
}

/// A child: many writers that insert, replace and take, and say so when it is acknowledged.
pub async fn write_for_ever(file: &Path) {
    let store = open(file);
    let process = std::process::id();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0.. {
                    write_one(&*store, &format!("{process}-{writer}-{n}")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write_one(store: &dyn Store, id: &str) {
    store.insert(versioned(id, 1), Notice::Tell, NOW).await.unwrap();
    say(&format!("{id} 1"));
    for version in 1..3 {
        let next = versioned(id, version + 1);
        let replaced = store.replace(next, version, Notice::Tell, NOW).await.unwrap();
        assert_eq!(replaced, Replaced::Done(version + 1));
        say(&format!("{id} {}", version + 1));
    }
    if id.ends_with(['0', '5']) {
        store.take(&key(id), NOW).await.unwrap();
        say(&format!("{id} taken"));
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let mut acknowledged: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = Running::start(command("busy writer", &file));
        let mut lines: Vec<_> = (0..200 + 150 * round).map(|_| child.heard().unwrap()).collect();
        child.kill();
        let (rest, status) = child.end();
        assert!(!status.success());
        lines.extend(rest);
        for line in lines {
            let (id, what) = line.split_once(' ').unwrap();
            acknowledged.entry(id.to_owned()).or_default().insert(what.to_owned());
        }
        let store = open(&file);
        for (id, what) in &acknowledged {
            is_kept(&*store, id, what).await;
        }
        nothing_is_torn(&file, &*store).await;
    }
}

/// What was acknowledged about `id` still holds.
async fn is_kept(store: &dyn Store, id: &str, what: &HashSet<String>) {
    let known = what.iter().filter_map(|what| what.parse::<u64>().ok()).max().unwrap();
    match get(store, id).await {
        Some(record) => {
            assert!(!what.contains("taken"), "{id} was used up and is there again");
            assert!(record.version >= known, "{id} went back to {}", record.version);
        }
        // Used up, and the answer was lost on the way: that is allowed, and only that.
        None => assert!(known == 3, "{id} was at version {known} and is gone"),
    }
}

/// Records, names and notices agree with one another.
async fn nothing_is_torn(file: &Path, store: &dyn Store) {
    let raw = raw(file);
    let sound: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");

    let column = |sql| {
        let mut names: HashMap<String, u64> = HashMap::new();
        let mut statement = raw.prepare(sql).unwrap();
        let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        texts.for_each(|text| *names.entry(text.unwrap()).or_default() += 1);
        names
    };
    let mut names = column("SELECT name FROM names");
    let notices = column("SELECT subject FROM feed");
    let mut versions = column("SELECT id FROM records WHERE taken = 1");
    for version in versions.values_mut() {
        *version = 3;
    }

    for record in everything(store).await {
        let Record { key: Key { id, .. }, version, body: held, unique, .. } = record;
        assert_eq!(held, body(&id, version), "{id} is whole");
        assert_eq!(unique, [format!("{id} v{version}")]);
        versions.insert(id, version);
    }
    assert_eq!(notices.len(), versions.len());
    for (id, version) in versions {
        assert_eq!(names.remove(&format!("{id} v{version}")), Some(1), "{id} has its name");
        assert_eq!(notices[&key(&id).text()], version, "{id} has a notice per version");
    }
    assert!(names.is_empty(), "names of nothing: {names:?}");
}

async fn everything(store: &dyn Store) -> Vec<Record> {
    let (prefix, after) = (String::new(), None);
    let query = PageQuery { site: site(), kind: Kind::Account, prefix, after, limit: usize::MAX };
    store.page(&query, NOW).await.unwrap()
}

/// A child: one batch that gets stuck on its second record, with others in it and behind it.
pub async fn get_stuck(file: &Path) {
    let store = open(file);
    store.insert(draft("before"), Notice::Tell, NOW).await.unwrap();
    let write = |id: &'static str| {
        let store = Arc::clone(&store);
        async move { store.insert(draft(id), Notice::Tell, NOW).await.unwrap() }
    };
    let all = async { tokio::join!(write("stuck"), write("with it"), write("behind it")) };
    let all = tokio::time::timeout(Duration::from_millis(300), all).await;
    assert!(all.is_err(), "nothing of it is acknowledged");
    say("stuck");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_process_killed_inside_a_batch_leaves_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    drop(open(&file));
    // The record and its notice are written, and then the transaction goes on and on.
    raw(&file)
        .execute_batch(
            "CREATE TRIGGER stuck AFTER INSERT ON feed WHEN NEW.subject LIKE '%/stuck' BEGIN
                SELECT count(*) FROM (WITH RECURSIVE n(n) AS
                    (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n);
             END",
        )
        .unwrap();
    let mut child = Running::start(command("stuck writer", &file));
    assert_eq!(child.heard().as_deref(), Some("stuck"));
    child.kill();
    child.end();

    let store = open(&file);
    assert!(get(&*store, "before").await.is_some());
    for id in ["stuck", "with it", "behind it"] {
        assert_eq!(get(&*store, id).await, None, "{id}");
    }
    let told: i64 = raw(&file).query_row("SELECT count(*) FROM feed", [], |r| r.get(0)).unwrap();
    assert_eq!(told, 1, "the notice of the one that was acknowledged");
    raw(&file).execute_batch("DROP TRIGGER stuck").unwrap();
    store.insert(draft("stuck"), Notice::Tell, NOW).await.unwrap();
}
