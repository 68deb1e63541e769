//! Whoever looks, or may not create, makes nothing; and whoever creates is told so.

use castellan_stores::{Migrate, Surroundings};

use crate::on_each_server;

/// Nothing is there, and only what creates makes it.
async fn nothing_is_made_unless_it_is_to_be(url: &str) {
    for migrate in [Migrate::Look, Migrate::No, Migrate::Upgrade] {
        for _ in 0..2 {
            let refused = castellan_stores::open(url, migrate).await.err().unwrap();
            assert!(refused.is_missing(), "{migrate:?}: {refused}");
            assert!(refused.to_string().contains("`castellan migrate`"), "{refused}");
        }
    }
    let made = castellan_stores::open(url, Migrate::Widen).await.unwrap();
    assert!(made.is_new && made.format_state.is_finished());
    drop(made);
    for migrate in [Migrate::Look, Migrate::No, Migrate::Upgrade, Migrate::Widen, Migrate::Finish] {
        let found = castellan_stores::open(url, migrate).await.unwrap();
        assert!(!found.is_new && found.format_state.is_finished(), "{migrate:?}");
    }
}

on_each_server!(nothing_is_made_unless_it_is_to_be);

#[tokio::test]
async fn sqlite_makes_nothing_unless_it_is_to() {
    let folder = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(folder.path()).unwrap().count();
    let url = format!("sqlite://{}", folder.path().join("a.db").display());
    for migrate in [Migrate::Look, Migrate::No, Migrate::Upgrade] {
        assert!(castellan_stores::open(&url, migrate).await.err().unwrap().is_missing());
        assert_eq!(left(), 0, "{migrate:?}");
    }
    // An empty file is none of Castellan's yet, and stays empty.
    let file = folder.path().join("a.db");
    std::fs::write(&file, "").unwrap();
    nothing_is_made_unless_it_is_to_be(&url).await;
    assert_eq!(left(), 1);
}

#[tokio::test]
async fn sqlite_is_found_in_folders_of_any_name() {
    let outer = tempfile::tempdir().unwrap();
    for name in ["what?", "100%", "a%20b"] {
        let folder = outer.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let around = Surroundings { folder: &folder, ..Surroundings::default() };
        let opened = castellan_stores::open_in(around, "sqlite://a.db", Migrate::Widen).await;
        assert_eq!(opened.unwrap().place, folder.join("a.db").display().to_string());
        assert!(folder.join("a.db").is_file());
    }
}
