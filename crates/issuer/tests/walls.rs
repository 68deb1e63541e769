//! The walls inside this crate that Cargo cannot see.

#[path = "../../../tests/support/walls.rs"]
mod walls;

use std::path::Path;

/// The folders and files below `lib.rs`: each uses only those that stand after it.
const ORDER: &[&str] = &[
    // What the surfaces call.
    "endpoint",
    "management",
    "rights",
    "managers",
    "caller_policies",
    "resources",
    "transfer",
    // Ways to a token.
    "grant",
    "authorization",
    "person_token",
    "sign_in",
    "foreign",
    "messages",
    "throttle",
    "session",
    "machine",
    // What is issued, and to whom.
    "tokens",
    "client_auth",
    "request",
    "error",
    // What everything rests on.
    "readiness",
    "cache",
    "audit",
    "keys",
    "settings",
    "records",
    "policy",
    "secrets",
    "queue",
    "language",
    "palette",
    "store",
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
