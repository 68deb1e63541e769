//! Tests by a client in Python that nobody here wrote: Authlib.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    steps::{Outcome, run},
    tools,
};

/// Where the tests are.
const FOLDER: &str = "tests/authlib";
/// What they need, each file of it by its digest.
const REQUIREMENTS: &str = "tests/authlib/requirements.txt";
/// The oldest Python that all of it runs on, as Python compares versions.
const OLDEST: &str = "(3, 11)";

/// Installs what the tests need, once, and runs them against a binary built for them.
pub fn test() -> Outcome {
    let found = match python() {
        Ok(found) => found,
        Err(why) => return Outcome::NotRun(format!("no client in Python was run: {why}")),
    };
    let python = match environment(&found) {
        Ok(python) => python,
        Err(why) => return Outcome::Failed(why),
    };
    let binary = match tools::server() {
        Ok(binary) => binary,
        Err(why) => return Outcome::Failed(why),
    };
    let mut tests = Command::new(python);
    tests.args(["-m", "unittest", "-v"]).current_dir(FOLDER);
    tests.env("CASTELLAN_BINARY", binary).env("PYTHONDONTWRITEBYTECODE", "1");
    run(&mut tests)
}

/// Which Python there is: what an environment that was made by another one is told apart by.
/// Debian has the making of environments in a package of its own, which brings Python as well.
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

/// The Python of an environment with the requirements in it, made by the Python that was `found`.
fn environment(found: &str) -> Result<PathBuf, String> {
    let requirements = std::fs::read_to_string(REQUIREMENTS)
        .map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    let mut digest = DefaultHasher::new();
    (found, requirements).hash(&mut digest);
    let folder = tools::cache(&format!("authlib-{:016x}", digest.finish()))?;
    let python = folder.join("bin/python");
    // Written last: what was interrupted is made anew.
    let whole = folder.join("whole");
    if whole.exists() {
        return Ok(python);
    }
    println!("python3: installing what the tests need, once");
    let mut make = Command::new("python3");
    tools::quietly(make.args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    // Nothing is built: what a build needs would have no digest.
    install.args(["--require-hashes", "--only-binary", ":all:", "-r"]).arg(REQUIREMENTS);
    tools::quietly(&mut install)?;
    write(&whole)?;
    Ok(python)
}

fn write(path: &Path) -> Result<(), String> {
    std::fs::write(path, "").map_err(|error| format!("{}: {error}", path.display()))
}
