//! What the operator reads when a file does not open, and what opening makes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use castellan_issuer::store::Notice;
use castellan_stores::OpenError;

use crate::{NOW, draft, get, open, raw, try_open};

/// The refusal, with the name of the temporary folder left out.
fn refusal_of(file: &Path, folder: &Path) -> String {
    let error: OpenError = try_open(file).err().unwrap();
    error.to_string().replace(&folder.display().to_string(), "…")
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        refusal_of(folder.path(), folder.path()),
        "cannot open the data source …: it is a directory; give the path of a file in it"
    );
}

#[test]
fn a_missing_folder_is_named_as_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        refusal_of(&folder.path().join("none/a.db"), folder.path()),
        "cannot open the data source …/none/a.db: its directory does not exist; create the \
         directory"
    );
}

#[test]
fn what_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    let letter = "Dear Clara, ".repeat(500);
    fs::write(&file, &letter).unwrap();
    assert_eq!(
        refusal_of(&file, folder.path()),
        "cannot open the data source …/letter.txt: it is not a database, or is corrupt; use \
         another file, or restore a backup"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), letter);
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    raw(&file).execute_batch("CREATE TABLE scores (id INTEGER)").unwrap();
    let before = fs::read(&file).unwrap();
    assert_eq!(
        refusal_of(&file, folder.path()),
        "cannot open the data source …/a.db: it is the database of another program; use another \
         file"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_newer_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    drop(open(&file));
    raw(&file).pragma_update(None, "user_version", 3).unwrap();
    assert_eq!(
        refusal_of(&file, folder.path()),
        "cannot open the data source …/a.db: it was created by a newer version of Castellan (format 3; \
         this version supports 2); use the newer version, or restore an older backup"
    );
}

#[test]
fn a_new_file_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
    drop(store);
}

#[test]
fn many_may_open_a_new_file_at_once() {
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let start = Arc::new(std::sync::Barrier::new(8));
        let openers: Vec<_> = (0..8)
            .map(|_| {
                let (file, start) = (file.clone(), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    drop(open(&file));
                })
            })
            .collect();
        for opener in openers {
            assert!(opener.join().is_ok(), "round {round}");
        }
    }
}

#[tokio::test]
async fn a_path_is_a_path_whatever_it_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:x.db", "a b%20c#d&e.db", "ü.db"] {
        let file = folder.path().join(name);
        let store = open(&file);
        store.insert(draft("a"), Notice::Silent, NOW).await.unwrap();
        drop(store);
        assert!(file.is_file(), "{name}");
        assert!(get(&*open(&file), "a").await.is_some(), "{name}");
    }
}

#[tokio::test]
async fn dropping_the_store_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("a.db"));
    for n in 0..100 {
        store.insert(draft(&n.to_string()), Notice::Tell, NOW).await.unwrap();
    }
    get(&*store, "1").await.unwrap();
    drop(store);
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a.db"], "the log is in the file");
}

#[tokio::test]
async fn what_was_begun_is_written_before_the_store_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let store = open(&file);
    for n in 0..50 {
        let id = n.to_string();
        let write = store.insert(draft(&id), Notice::Silent, NOW);
        // Asked for, and not waited for.
        let asked = tokio::time::timeout(std::time::Duration::ZERO, write).await;
        drop(asked);
    }
    drop(store);
    let store = open(&file);
    for n in 0..50 {
        assert!(get(&*store, &n.to_string()).await.is_some(), "{n}");
    }
}
