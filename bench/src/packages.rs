//! Peers that come as packages: found, or installed if this user may.

use std::{path::Path, process::Command};

use crate::{fault::Fault, process::said};

/// Whether `program` can be run and says its version.
#[must_use]
pub fn answers(program: &str, version: &str) -> bool {
    Command::new(program).arg(version).output().is_ok_and(|output| output.status.success())
}

/// Has `program`, which says its version when asked so, from Debian's package `package` if it is
/// not there yet.
///
/// # Errors
/// [`Fault::Missing`] if it cannot be had on this machine.
pub fn debian((program, version): (&str, &str), package: &str) -> Result<(), Fault> {
    if answers(program, version) {
        return Ok(());
    }
    install(package)?;
    if answers(program, version) {
        return Ok(());
    }
    Err(Fault::Missing(format!("{package} is installed, and {program} does not run")))
}

/// Installs Debian's package `package`.
///
/// # Errors
/// [`Fault::Missing`] if this user may not install packages, or there is none.
pub fn install(package: &str) -> Result<(), Fault> {
    eprintln!("installing {package}");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        // With this runlevel the package starts no server of its own.
        let quiet = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
        said(command.args(arguments).envs(quiet))
    };
    let install = ["install", "-y", "-q", "--no-install-recommends", package];
    apt(&["update", "-q"])
        .and_then(|_| apt(&install))
        .map(drop)
        .map_err(|fault| Fault::Missing(format!("{package} could not be installed: {fault}")))
}

/// Has what the lock file in `folder` names.
///
/// # Errors
/// [`Fault::Missing`] if Node.js is missing or the packages cannot be had.
pub fn node(folder: &Path) -> Result<(), Fault> {
    if !answers("node", "--version") || !answers("npm", "--version") {
        return Err(Fault::Missing("Node.js and npm are missing".to_owned()));
    }
    let modified = |name: &str| folder.join(name).metadata().and_then(|file| file.modified()).ok();
    if modified("node_modules/.package-lock.json") >= modified("package-lock.json") {
        return Ok(());
    }
    eprintln!("installing what {} names", folder.join("package-lock.json").display());
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
    said(&mut install).map(drop).map_err(|fault| Fault::Missing(format!("npm ci: {fault}")))
}
