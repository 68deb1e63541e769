//! Commands whose reader goes away, or whose output cannot be written.

use std::process::{Command, Output, Stdio};

use crate::support::castellan::{Castellan, Plan};

/// Runs the command line on the configuration of `castellan`, through a shell.
fn shell(castellan: &Castellan, script: &str) -> Output {
    Command::new("/bin/bash")
        .env_clear()
        .env("CASTELLAN_LOG", "warn")
        .env("CASTELLAN_CONFIG", castellan.path("castellan.toml"))
        .env("castellan", env!("CARGO_BIN_EXE_castellan"))
        .args(["-c", &format!("set -o pipefail; {script}")])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

const COMMANDS: [&str; 5] =
    ["config check", "config schema", "completions bash", "doctor", "get User"];

#[tokio::test]
async fn a_reader_that_goes_away_ends_no_command_in_a_panic() {
    let castellan = Castellan::with_ann().await;
    for command in COMMANDS {
        // Nobody reads, from the beginning.
        let output = shell(&castellan, &format!("\"$castellan\" {command} | true"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, "", "{command}");
        let output = shell(&castellan, &format!("\"$castellan\" {command} | head -1"));
        assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
    }
    // What it was there for is done.
    let user = "printf 'resourceType: User\\nid: u%s\\nuserName: u%s\\n---\\n' 1 1 2 2";
    let output = shell(&castellan, &format!("{user} | \"$castellan\" apply -f - | true"));
    assert!(output.stderr.is_empty(), "{output:?}");
    let listed = castellan.said(&["get", "User"]);
    assert!(listed.contains("u1") && listed.contains("u2"), "{listed}");
}

#[tokio::test]
async fn output_that_cannot_be_written_is_a_failure() {
    let castellan = Castellan::start(Plan::default()).await;
    for command in ["config check", "completions bash"] {
        let output = shell(&castellan, &format!("\"$castellan\" {command} > /dev/full"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{command}: {said}");
        assert!(said.contains("could not write to standard output"), "{command}: {said}");
    }
}
