//! The walls inside this crate that Cargo cannot see.

#[path = "../../../tests/support/walls.rs"]
mod walls;

use std::path::Path;

/// The modules below `lib.rs`: each uses only those that stand after it.
const ORDER: &[&str] = &[
    "dynamodb",
    "mongodb",
    "postgres",
    "sqlite",
    "limiter",
    "format_state",
    "capabilities",
    "open_error",
    "hex",
];
/// The engines.
const ENGINES: &[&str] = &["dynamodb", "mongodb", "postgres", "sqlite"];

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
fn no_engine_uses_another() {
    let others: Vec<String> = ENGINES.iter().map(|name| format!("crate::{name}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    for engine in ENGINES {
        let found = walls::mentions(&src().join(engine), &others);
        assert!(found.is_empty(), "{engine}:\n{}", found.join("\n"));
    }
}
