//! What tests need of this machine: programs, packages, a folder that stays, and our own binary.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::steps::{FEATURES, Outcome, run};

/// Whether `program` can be run.
pub fn answers(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs `command` without showing its output; returns what it printed, or its error output if it
/// failed.
pub fn quietly(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("{name} ended with {}: {error}", output.status))
        }
        Err(error) => Err(format!("{name} did not start: {error}")),
    }
}

/// Installs one of Debian's packages, if this user may.
pub fn install(package: &str) -> Result<(), String> {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        quietly(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-q"])?;
    apt(&["install", "-y", "-q", "--no-install-recommends", package]).map(drop)
}

/// The folder in which `name` is kept from one run to the next, outside the repository.
pub fn cache(name: &str) -> Result<PathBuf, String> {
    let place = std::env::var_os("CASTELLAN_TEST_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let place = place.or_else(home).unwrap_or_else(std::env::temp_dir);
    let folder = place.join("castellan-tests").join(name);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The server's binary, built with what its tests need.
pub fn server() -> Result<PathBuf, String> {
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "castellan-server", "--features", FEATURES]);
    if let Outcome::Failed(why) = run(&mut build) {
        return Err(format!("the server's build {why}"));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    std::fs::canonicalize(Path::new(&target).join("debug/castellan"))
        .map_err(|error| format!("the binary is not where Cargo says: {error}"))
}
