//! Tests with third-party clients in Node.js, some of them in a real browser.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    steps::{FEATURES, Outcome, run},
    tools::{answers, server},
};

/// Installs what the tests need and runs them against a binary built for them.
pub fn test() -> Outcome {
    if !answers("node") || !answers("npm") {
        return Outcome::NotRun("Node.js is missing: no client in it was run".to_owned());
    }
    let binary = match server() {
        Ok(binary) => binary,
        Err(why) => return Outcome::Failed(why),
    };
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund"]).current_dir("tests");
    if let Outcome::Failed(why) = run(&mut install) {
        return Outcome::Failed(format!("npm ci {why}"));
    }
    let album = match album() {
        Ok(album) => album,
        Err(why) => return Outcome::Failed(why),
    };
    let browser = have_chromium();
    let mut command = Command::new("node");
    command.args(["--test", "--test-concurrency=2"]).current_dir("tests");
    command.args(files(browser)).env("CASTELLAN_BINARY", binary).env("CASTELLAN_ALBUM", album);
    match (run(&mut command), browser) {
        (Outcome::Passed, false) => Outcome::NotRun(format!(
            "{}: chromium is missing and could not be installed; the other files passed",
            IN_A_BROWSER.join(", ")
        )),
        (outcome, _) => outcome,
    }
}

/// Every page in every state, written by a test of the server into the folder that is returned.
fn album() -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = Path::new(&target).join("album");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("the album: {error}"))?;
    let folder = std::fs::canonicalize(folder).map_err(|error| format!("the album: {error}"))?;
    let mut tests = Command::new("cargo");
    tests.args(["test", "-p", "castellan-server", "--features", FEATURES, "--lib"]);
    tests.args(["--", "the_album_can_be_looked_at"]).env("CASTELLAN_ALBUM", &folder);
    match run(&mut tests) {
        Outcome::Failed(why) => Err(format!("the pages' test {why}")),
        _ => Ok(folder),
    }
}

/// The test files that drive a real browser.
const IN_A_BROWSER: [&str; 7] = [
    "apollo.test.mjs",
    "browser.test.mjs",
    "ibexa.test.mjs",
    "oidc-client-ts.test.mjs",
    "pages.test.mjs",
    "passkey-sign-in.test.mjs",
    "passkeys.test.mjs",
];

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
