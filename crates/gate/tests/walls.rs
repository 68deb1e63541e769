//! The walls inside this crate that Cargo cannot see.

#[path = "../../../tests/support/walls.rs"]
mod walls;

use std::path::Path;

/// The modules below `lib.rs`: each uses only those that stand after it.
const ORDER: &[&str] = &[
    // One request's way.
    "layer",
    "rest",
    "forward",
    "upstream",
    "merge",
    "local",
    "plan",
    "credential",
    "request",
    "response",
    // What its steps share.
    "answer_memory",
    "under_way",
    "context",
    "denial",
    "tally",
    "recorder",
    "explain",
    "question",
    "document",
    "media",
    "upstream_failure",
    "headers",
    // What is decided, by what, and for whom.
    "decide",
    "request_verdict",
    "rules",
    "schema",
    "envelope",
    "json",
    "limits",
    "caller",
    "shown",
    "policies",
];

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
