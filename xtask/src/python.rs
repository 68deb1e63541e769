//! Tests with third-party clients in Python: Authlib, aidboxpy, the one of the TROMPA archive,
//! schemathesis and scim2-tester; and the documents by hadolint and `PyJWT`.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    steps::{Outcome, run},
    tools,
};

/// Where the tests are, each folder with what it needs: each file of it by its digest.
const FOLDERS: [&str; 6] = [
    "tests/aidboxpy",
    "tests/authlib",
    "tests/documents",
    "tests/openapi",
    "tests/scim",
    "tests/trompace",
];
/// The oldest Python that all of it runs on, as Python compares versions.
const OLDEST: &str = "(3, 11)";

/// Installs what the tests need, once, and runs them against a binary built for them.
pub fn test() -> Outcome {
    let found = match python() {
        Ok(found) => found,
        Err(why) => return Outcome::NotRun(format!("no client in Python was run: {why}")),
    };
    let binary = match tools::server() {
        Ok(binary) => binary,
        Err(why) => return Outcome::Failed(why),
    };
    let mut failed = Vec::new();
    for folder in FOLDERS {
        let python = match environment(&found, folder) {
            Ok(python) => python,
            Err(why) => return Outcome::Failed(why),
        };
        let mut tests = Command::new(python);
        tests.args(["-m", "unittest", "-v"]).current_dir(folder);
        tests.env("CASTELLAN_BINARY", &binary).env("PYTHONDONTWRITEBYTECODE", "1");
        // Where `server.py` is.
        tests.env("PYTHONPATH", "..");
        if let Outcome::Failed(why) = run(&mut tests) {
            failed.push(format!("{folder}: {why}"));
        }
    }
    if failed.is_empty() { Outcome::Passed } else { Outcome::Failed(failed.join("; ")) }
}

/// The version of Python, by which an environment made by another one is recognised. Debian has
/// environments in a package of its own, which installs Python as well.
fn python() -> Result<String, String> {
    let ask = || {
        let asked = format!(
            "import sys\nprint(sys.executable, sys.version)\n\
             sys.version_info >= {OLDEST} or sys.exit('older than {OLDEST}: ' + sys.version)\n\
             import ensurepip, venv"
        );
        tools::quietly(Command::new("python3").args(["-c", &asked]))
    };
    ask().or_else(|lacks| {
        println!("python3: {lacks}");
        tools::install("python3-venv").map_err(|why| format!("{lacks}; {why}"))?;
        ask()
    })
}

/// The Python of an environment with the requirements of `tests` in it, made by the Python that was
/// `found`.
fn environment(found: &str, tests: &str) -> Result<PathBuf, String> {
    let listed = Path::new(tests).join("requirements.txt");
    let requirements = std::fs::read_to_string(&listed)
        .map_err(|error| format!("{}: {error}", listed.display()))?;
    let mut digest = DefaultHasher::new();
    (found, requirements).hash(&mut digest);
    let name = tests.rsplit('/').next().unwrap_or(tests);
    let folder = tools::cache(&format!("{name}-{:016x}", digest.finish()))?;
    let python = folder.join("bin/python");
    // Written last: an interrupted installation starts again.
    let whole = folder.join("whole");
    if whole.exists() {
        return Ok(python);
    }
    println!("python3: installing what the tests need, once");
    let mut make = Command::new("python3");
    tools::quietly(make.args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    // Nothing is built: what a build needs would have no digest. All that is needed is listed.
    install.args(["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r"]).arg(listed);
    tools::quietly(&mut install)?;
    write(&whole)?;
    Ok(python)
}

fn write(path: &Path) -> Result<(), String> {
    std::fs::write(path, "").map_err(|error| format!("{}: {error}", path.display()))
}
