//! The walls inside this crate that Cargo cannot see.

#[path = "../../../tests/support/walls.rs"]
mod walls;

use std::{fs, path::Path};

use walls::{mentions, rust_files};

/// The folders and files below `lib.rs`: each uses only those that stand after it.
const ORDER: &[&str] = &[
    // Ways in.
    "cli",
    "startup",
    "http",
    "app",
    "theme",
    // What every request walks.
    "corridor",
    "guards",
    "messages",
    "logging",
    "config",
    "dialects",
    // What everything rests on.
    "management_schemas",
    "background",
    "sample_api",
    "observers",
    "traces",
    "http_client",
    "metrics",
    "wire",
    "pages",
    "texts",
    "yaml",
    "roots",
    "file_handles",
    "files",
    "clock",
];

/// A folder of `src`, and the names that may not be used in it.
const WALLS: &[(&str, &[&str])] = &[
    (
        "pages",
        &[
            "castellan_issuer",
            "castellan_gate",
            "castellan_stores",
            "castellan_proto",
            "axum",
            "http",
        ],
    ),
    ("dialects", &["castellan_stores", "crate::pages", "crate::http"]),
    ("http", &["castellan_stores", "crate::startup", "crate::cli"]),
    ("corridor", &["castellan_stores", "castellan_issuer", "crate::http", "crate::pages"]),
    ("guards", &["castellan_stores", "crate::http", "crate::pages"]),
    ("sample_api", &["castellan_issuer", "castellan_gate", "castellan_stores", "crate::http"]),
];

/// The most lines of a file, unit tests included.
const LONGEST: usize = 450;

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

#[test]
fn no_module_imports_in_a_loop() {
    for found in [walls::loops(src()), walls::folder_loops(src())] {
        assert!(found.is_empty(), "import loops:\n{}", found.join("\n"));
    }
}

#[test]
fn each_module_uses_only_those_below_it() {
    let found = walls::breaches(src(), ORDER);
    assert!(found.is_empty(), "against the order:\n{}", found.join("\n"));
}

#[test]
fn no_folder_uses_what_it_may_not_know() {
    let breaches: Vec<String> = WALLS
        .iter()
        .flat_map(|(folder, forbidden)| {
            let found = mentions(&src().join(folder), forbidden);
            found.into_iter().map(move |one| format!("{folder}/{one}"))
        })
        .collect();
    assert!(breaches.is_empty(), "walls breached:\n{}", breaches.join("\n"));
}

/// Dialects translate; they do not know of one another.
#[test]
fn no_dialect_uses_another() {
    let folder = src().join("dialects");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let dialects: Vec<_> = entries.filter(|path| !path.ends_with("mod.rs")).collect();
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    assert!(dialects.len() > 1, "{dialects:?}");
    for dialect in &dialects {
        let files = if dialect.is_dir() { rust_files(dialect) } else { vec![dialect.clone()] };
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for other in dialects.iter().filter(|other| *other != dialect) {
                let other = name(other);
                assert!(!text.contains(&format!("{other}::")), "{}: {other}", file.display());
            }
        }
    }
}

#[test]
fn files_are_short_enough_to_read() {
    let mut long = Vec::new();
    for file in rust_files(&src().join("../..")) {
        let path = file.display().to_string();
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > LONGEST && !path.contains("tests") {
            long.push(format!("{path}: {lines}"));
        }
    }
    assert!(long.is_empty(), "files over {LONGEST} lines:\n{}", long.join("\n"));
}
