//! Tests by clients that nobody here wrote: they run in Node.js, some in a real browser.

use std::{path::Path, process::Command};

use crate::steps::{FEATURES, Outcome, run};

/// Installs what the tests need and runs them against a binary built for them.
pub fn test() -> Outcome {
    if !answers("node") || !answers("npm") {
        return Outcome::NotRun("Node.js is missing: no third-party client was run".to_owned());
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "castellan-server", "--features", FEATURES]);
    if let Outcome::Failed(why) = run(&mut build) {
        return Outcome::Failed(why);
    }
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund"]).current_dir("tests");
    if let Outcome::Failed(why) = run(&mut install) {
        return Outcome::Failed(format!("npm ci {why}"));
    }
    let Some(binary) = binary() else {
        return Outcome::Failed("the binary is not where Cargo says".to_owned());
    };
    let browser = have_chromium();
    let mut command = Command::new("node");
    command.args(["--test", "--test-concurrency=2"]).current_dir("tests");
    command.args(files(browser)).env("CASTELLAN_BINARY", binary);
    match (run(&mut command), browser) {
        (Outcome::Passed, false) => Outcome::NotRun(format!(
            "{}: chromium is missing and could not be installed; the other files passed",
            IN_A_BROWSER.join(", ")
        )),
        (outcome, _) => outcome,
    }
}

/// The test files that drive a real browser.
const IN_A_BROWSER: [&str; 3] = ["apollo.test.mjs", "browser.test.mjs", "oidc-client-ts.test.mjs"];

/// The test files; without a browser, all but those that drive it.
fn files(browser: bool) -> Vec<String> {
    let names = std::fs::read_dir("tests").into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> = names
        .filter(|name| name.ends_with(".test.mjs"))
        .filter(|name| browser || !IN_A_BROWSER.contains(&&**name))
        .collect();
    files.sort();
    files
}

fn answers(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn binary() -> Option<std::path::PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    std::fs::canonicalize(Path::new(&target).join("debug/castellan")).ok()
}

/// Chromium from Debian's packages, installed if need be and possible.
fn have_chromium() -> bool {
    if answers("chromium") {
        return true;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command.status().is_ok_and(|status| status.success())
    };
    apt(&["update", "-q"]) && apt(&["install", "-y", "-q", "chromium"]) && answers("chromium")
}
