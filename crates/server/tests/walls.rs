//! The walls inside this crate that Cargo cannot see.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A room, and the names that may not be spoken in it.
const WALLS: &[(&str, &[&str])] = &[
    (
        "src/pages",
        &[
            "castellan_issuer",
            "castellan_gate",
            "castellan_stores",
            "castellan_proto",
            "axum",
            "http",
        ],
    ),
    ("src/dialects", &["castellan_stores", "crate::pages", "crate::http"]),
    ("src/http", &["castellan_stores", "crate::data", "crate::cli"]),
    ("src/corridor", &["castellan_stores", "castellan_issuer", "crate::http", "crate::pages"]),
    ("src/guards", &["castellan_stores", "crate::http", "crate::pages"]),
    ("src/archive", &["castellan_issuer", "castellan_gate", "castellan_stores", "crate::http"]),
];

/// Files of at most so many lines, tests beside the code included.
const LONGEST: usize = 450;

#[test]
fn walls() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut breaches = Vec::new();
    for (room, unspoken) in WALLS {
        let files = rust_files(&root.join(room));
        assert!(!files.is_empty(), "no such room: {room}");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap();
                for name in *unspoken {
                    if speaks(code, name) {
                        let at = file.strip_prefix(root).unwrap().display();
                        breaches.push(format!("{at}:{}: {name}", number + 1));
                    }
                }
            }
        }
    }
    assert!(breaches.is_empty(), "walls breached:\n{}", breaches.join("\n"));
}

/// Dialects translate; they do not know of one another.
#[test]
fn no_dialect_speaks_another() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialects");
    let files = rust_files(&folder);
    let names: Vec<String> = files
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "mod")
        .collect();
    for file in files.iter().filter(|file| file.file_stem().unwrap() != "mod") {
        let text = fs::read_to_string(file).unwrap();
        for name in
            names.iter().filter(|name| **name != file.file_stem().unwrap().to_string_lossy())
        {
            assert!(!text.contains(&format!("{name}::")), "{}: {name}", file.display());
        }
    }
}

#[test]
fn rooms_are_small_enough_to_read() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut large = Vec::new();
    for file in rust_files(&crates) {
        let path = file.display().to_string();
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > LONGEST && !path.contains("tests") {
            large.push(format!("{path}: {lines}"));
        }
    }
    assert!(large.is_empty(), "rooms over {LONGEST} lines:\n{}", large.join("\n"));
}

/// Whether `code` uses `name` as the start of a path.
fn speaks(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

/// Every Rust file below `dir`; none if there is no such folder.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = |path: PathBuf| match path.is_dir() {
        true if path.file_name().is_some_and(|name| name == "target") => Vec::new(),
        true => rust_files(&path),
        false => vec![path],
    };
    paths.flat_map(files).filter(|path| path.extension().is_some_and(|ext| ext == "rs")).collect()
}
