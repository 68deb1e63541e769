//! What cannot be written is an error and no panic, and spoils nothing that comes after it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use castellan_issuer::store::{Draft, Inserted, Notice};

use crate::child::{Running, command, say, wrapped};
use crate::{NOW, draft, get, key, open, raw};

/// Makes every write of a record whose id begins with `poison` fail.
fn poison(file: &Path) {
    raw(file)
        .execute_batch(
            "CREATE TRIGGER poison BEFORE INSERT ON records WHEN NEW.id LIKE 'poison%' BEGIN
                SELECT RAISE(ABORT, 'poison');
             END",
        )
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_fails_its_whole_batch_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    poison(&file);
    let mut failed_with_others = false;
    for round in 0..20 {
        // While another process writes, everything that is asked for gathers in one batch.
        let other = raw(&file);
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let writes = ["first", "second", "poison", "third"].map(|name| {
            let (store, id) = (Arc::clone(&store), format!("{name} {round}"));
            tokio::spawn(async move { store.insert(draft(&id), Notice::Tell, NOW).await.is_ok() })
        });
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        other.execute_batch("COMMIT").unwrap();

        let mut done = Vec::new();
        for (name, write) in ["first", "second", "poison", "third"].into_iter().zip(writes) {
            let is_done = write.await.unwrap();
            let is_there = get(&*store, &format!("{name} {round}")).await.is_some();
            assert_eq!(is_done, is_there, "{name} {round}: the answer is the truth");
            done.push(is_done);
        }
        assert!(!done[2], "the poison itself");
        failed_with_others |= done.iter().filter(|done| !**done).count() > 1;
    }
    assert!(failed_with_others, "some batch held more than the poison");
    let count = |table| {
        let sql = format!("SELECT count(*) FROM {table}");
        raw(&file).query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count("feed"), count("records"), "a notice for each record and for nothing else");
}

#[tokio::test]
async fn a_damaged_row_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    store.insert(draft("a"), Notice::Silent, NOW).await.unwrap();
    store.insert(draft("b"), Notice::Silent, NOW).await.unwrap();
    raw(&file).execute_batch("UPDATE records SET names = '7:a,' WHERE id = 'a'").unwrap();
    let error = store.get_many(&[key("a")], NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "the data source failed");
    assert_eq!(error.0.to_string(), "a row is corrupt: its names");
    assert!(store.take(&key("a"), NOW).await.is_err());
    assert!(store.delete(&key("a"), None, Notice::Silent, NOW).await.is_err());
    assert!(get(&*store, "b").await.is_some());
}

#[tokio::test]
async fn a_table_that_is_gone_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    let cursor = store.feed(None).await.unwrap().cursor;
    raw(&file).execute_batch("ALTER TABLE feed RENAME TO elsewhere").unwrap();
    assert!(store.insert(draft("a"), Notice::Tell, NOW).await.is_err());
    assert!(store.notify(&key("a")).await.is_err());
    assert!(store.feed(Some(&cursor)).await.is_err());
    assert_eq!(get(&*store, "a").await, None, "the record went back with its notice");
    raw(&file).execute_batch("ALTER TABLE elsewhere RENAME TO feed").unwrap();
    let again = store.insert(draft("a"), Notice::Tell, NOW).await.unwrap();
    assert_eq!(again, Inserted::Done);
}

/// A child: writes until there is no room, and then still reads.
pub async fn fill(file: &Path) {
    let store = open(file);
    let mut written = 0;
    let large = |id: &str| Draft { body: vec![7; 20_000], ..draft(id) };
    while store.insert(large(&written.to_string()), Notice::Tell, NOW).await.is_ok() {
        say(&written.to_string());
        written += 1;
        assert!(written < 1000, "there is no room for so many");
    }
    for n in 0..written {
        assert!(get(&*store, &n.to_string()).await.is_some(), "{n}");
    }
    assert!(store.insert(large("more"), Notice::Tell, NOW).await.is_err());
    say("refused");
}

#[tokio::test]
async fn a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    // No file may grow beyond some 2 MB, and to try is an error instead of the end.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 4000; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().unwrap());
    let (mut said, status) = Running::start(wrapped(shell, "filler", &file)).end();
    assert!(status.success(), "no panic");
    assert_eq!(said.pop().as_deref(), Some("refused"));
    assert!(said.len() > 10);
    let store = open(&file);
    for id in said {
        assert!(get(&*store, &id).await.is_some(), "{id} was acknowledged");
    }
}

/// A child: says what opening says.
pub fn try_to_open(file: &Path) {
    let opened = crate::try_open(file);
    say(&opened.map_or_else(|error| error.to_string(), |_| "opened".to_owned()));
}

/// What opening `file` says to a user who is not root, from whom no file is safe.
fn refusal_of(file: &Path) -> String {
    let folder = file.parent().unwrap();
    let mut opener = command("opener", file);
    if fs::OpenOptions::new().append(true).open(file).is_ok() {
        const NOBODY: u32 = 65_534;
        // Where that user may find it.
        let program = folder.join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        chown(file, Some(NOBODY), Some(NOBODY)).unwrap();
        chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
        let mut program = Command::new(program);
        program.uid(NOBODY).gid(NOBODY).current_dir(folder);
        opener = wrapped(program, "opener", file);
    }
    let (said, _) = Running::start(opener).end();
    said.concat().replace(&folder.display().to_string(), "…")
}

#[test]
fn a_file_that_may_only_be_read_does_not_open() {
    for (mode, wanted) in [
        (0o600, "opened"),
        (
            0o400,
            "cannot open the data source …/a.db: this user has no write access to it; give this \
             user read and write access to it",
        ),
        (
            0o000,
            "cannot open the data source …/a.db: this user has no access to it or its directory; \
             give this user read and write access to both",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        drop(open(&file));
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        assert_eq!(refusal_of(&file), wanted, "{mode:o}");
    }
}
