//! PostgreSQL from Debian's packages.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Started, free_port, install, quietly};

/// The oldest major version that will do.
const OLDEST: u32 = 15;

/// Starts a server with a data folder of its own.
pub(super) fn start() -> Result<Started, String> {
    if binaries().is_none() {
        install("postgresql")?;
    }
    let binaries = binaries().ok_or("it is installed, and its programs are not to be found")?;
    let folder = tempfile::Builder::new()
        .prefix("castellan-postgres-")
        .tempdir()
        .map_err(|error| format!("there is no place for its data: {error}"))?;
    let port = free_port()?;
    let data = folder.path().join("data");
    let is_root = is_root();
    if is_root {
        // The server refuses to run as root, and Debian's package has made a user for it.
        quietly(Command::new("chown").arg("postgres").arg(folder.path()))?;
    }
    let program = move |name: &str, binaries: &Path| {
        let path = binaries.join(name);
        if is_root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        }
    };
    let mut make = program("initdb", &binaries);
    quietly(make.arg("-D").arg(&data).args(["-A", "trust", "-U", "castellan", "--no-sync"]))?;
    // No background work of the server comes between two reads of the feed.
    let options = format!(
        "-p {port} -h 127.0.0.1 -k {} -c autovacuum=off -c max_connections=200",
        folder.path().display()
    );
    let log = folder.path().join("log");
    let mut begin = program("pg_ctl", &binaries);
    quietly(begin.arg("-D").arg(&data).arg("-l").arg(log).args(["-w", "-o", &options, "start"]))?;
    let address = format!("postgres://castellan@127.0.0.1:{port}/postgres");
    let stop = move || {
        let mut end = program("pg_ctl", &binaries);
        // The folder goes with it, whatever the server says.
        let _ = quietly(
            end.arg("-D").arg(folder.path().join("data")).args(["-m", "fast", "-w", "stop"]),
        );
    };
    Ok(Started { address, stop: Box::new(stop) })
}

/// The folder of the newest version that is installed and not too old.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())
        .filter(|version| *version >= OLDEST)
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
        .filter(|folder| folder.join("pg_ctl").exists())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
