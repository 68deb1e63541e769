//! The database servers that tests need: found or installed, started on free ports with data folders
//! of their own, and stopped again.

mod dynamodb;
mod mongodb;
mod postgres;

use std::process::{Command, Stdio};

/// A server that runs for the tests, and what tells them where.
pub struct Servers {
    running: Vec<Running>,
    /// The engines that cannot be had on this machine, and why.
    pub missing: Vec<(&'static str, String)>,
}

/// One server. Dropping it stops it.
struct Running {
    /// The variable of the environment that names it.
    variable: &'static str,
    address: String,
    stop: Box<dyn Fn()>,
}

/// An engine that tests need.
struct Engine {
    /// What the names of its tests begin with.
    name: &'static str,
    variable: &'static str,
    start: fn() -> Result<Started, String>,
}

/// A server that was started: its address, and what stops it.
struct Started {
    address: String,
    stop: Box<dyn Fn()>,
}

const ENGINES: &[Engine] = &[
    Engine { name: "postgres", variable: "CASTELLAN_TEST_POSTGRES", start: postgres::start },
    Engine { name: "mongodb", variable: "CASTELLAN_TEST_MONGODB", start: mongodb::start },
    Engine { name: "dynamodb", variable: "CASTELLAN_TEST_DYNAMODB", start: dynamodb::start },
];

impl Servers {
    /// Starts every server that is not given by address already.
    pub fn start() -> Self {
        let mut servers = Self { running: Vec::new(), missing: Vec::new() };
        for engine in ENGINES {
            if std::env::var_os(engine.variable).is_some() {
                println!("{}: the server that {} names", engine.name, engine.variable);
                continue;
            }
            match (engine.start)() {
                Ok(Started { address, stop }) => {
                    println!("{}: {address}", engine.name);
                    let variable = engine.variable;
                    servers.running.push(Running { variable, address, stop });
                }
                Err(why) => {
                    println!("{}: {why}", engine.name);
                    servers.missing.push((engine.name, why));
                }
            }
        }
        servers
    }

    /// Tells `command` where the servers are, and has it leave out the tests of those that are not.
    pub fn tell(&self, command: &mut Command) {
        for running in &self.running {
            command.env(running.variable, &running.address);
        }
        if !self.missing.is_empty() {
            command.arg("--");
        }
        for (name, _) in &self.missing {
            command.args(["--skip", name]);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        (self.stop)();
    }
}

/// Runs `command` out of sight; what it said if it failed.
fn quietly(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("{name} ended with {}: {said}", output.status))
        }
        Err(error) => Err(format!("{name} did not start: {error}")),
    }
}

/// Installs one of Debian's packages, if this user may.
fn install(package: &str) -> Result<(), String> {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        quietly(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-q"])?;
    apt(&["install", "-y", "-q", "--no-install-recommends", package])
}

/// The folder in which `name` is kept from one run to the next, outside the repository.
fn cache(name: &str) -> Result<std::path::PathBuf, String> {
    let place = std::env::var_os("CASTELLAN_TEST_CACHE").map(std::path::PathBuf::from);
    let home =
        || std::env::var_os("HOME").map(|home| std::path::PathBuf::from(home).join(".cache"));
    let place = place.or_else(home).unwrap_or_else(std::env::temp_dir);
    let folder = place.join("castellan-tests").join(name);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// A port that is free at the moment.
fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("there is no free port: {error}"))
}
