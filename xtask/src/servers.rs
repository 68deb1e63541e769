//! The servers that tests need: databases, found or installed, started on free ports with data folders
//! of their own, and stopped again; and programs that tests start themselves.

mod dynamodb;
mod mongodb;
mod postgres;

use std::process::Command;

use crate::tools::{cache, install, quietly};

/// A server that runs for the tests, and the variables that contain its address.
pub struct Servers {
    running: Vec<Running>,
    /// The engines that cannot be had on this machine, and why.
    pub missing: Vec<(&'static str, String)>,
}

/// One server. Dropping it stops it.
struct Running {
    engine: &'static Engine,
    address: String,
    stop: Box<dyn Fn()>,
}

/// An engine that tests need.
struct Engine {
    /// What the names of its tests begin with.
    name: &'static str,
    variable: &'static str,
    start: fn() -> Result<Started, String>,
    /// The URL of a data source there.
    url: fn(&str) -> String,
}

/// A server that was started: its address, and what stops it.
struct Started {
    address: String,
    stop: Box<dyn Fn()>,
}

static ENGINES: &[Engine] = &[
    Engine {
        name: "postgres",
        variable: "CASTELLAN_TEST_POSTGRES",
        start: postgres::start,
        url: ToOwned::to_owned,
    },
    Engine {
        name: "mongodb",
        variable: "CASTELLAN_TEST_MONGODB",
        start: mongodb::start,
        url: |address| format!("{}/checks", address.trim_end_matches('/')),
    },
    Engine {
        name: "dynamodb",
        variable: "CASTELLAN_TEST_DYNAMODB",
        start: dynamodb::start,
        url: |address| format!("dynamodb://local?table=checks&endpoint={address}"),
    },
];

/// What tests run, each with the part of their names, where it is, and the package of
/// Debian's that it is in.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("nginx", "/usr/sbin/nginx", "nginx"),
    ("apache", "/usr/sbin/apache2", "apache2"),
    ("nghttp", "/usr/bin/nghttp", "nghttp2-client"),
    ("promtool", "/usr/bin/promtool", "prometheus"),
];

impl Servers {
    /// Starts every server that is not given by address already.
    pub fn start() -> Self {
        Self::start_those(|_| true)
    }

    /// Starts the server called `name`; the others count as missing.
    pub fn start_one(name: &str) -> Self {
        Self::start_those(|engine| engine == name)
    }

    /// Starts no server.
    pub fn none() -> Self {
        Self::start_those(|_| false)
    }

    /// Whether there is an engine called `name`.
    ///
    /// # Errors
    /// The names that there are.
    pub fn known(name: &str) -> Result<(), String> {
        let names: Vec<_> = ENGINES.iter().map(|engine| engine.name).collect();
        let unknown = || format!("{name} is not an engine of the tests: {}", names.join(", "));
        names.contains(&name).then_some(()).ok_or_else(unknown)
    }

    fn start_those(wanted: impl Fn(&str) -> bool) -> Self {
        let mut servers = Self { running: Vec::new(), missing: Vec::new() };
        for engine in ENGINES {
            if !wanted(engine.name) {
                servers
                    .missing
                    .push((engine.name, format!("not asked for (`--engine {}`)", engine.name)));
                continue;
            }
            if std::env::var_os(engine.variable).is_some() {
                println!("{}: the server that {} names", engine.name, engine.variable);
                continue;
            }
            match (engine.start)() {
                Ok(Started { address, stop }) => {
                    println!("{}: {address}", engine.name);
                    servers.running.push(Running { engine, address, stop });
                }
                Err(why) => {
                    println!("{}: {why}", engine.name);
                    servers.missing.push((engine.name, why));
                }
            }
        }
        // A disk that a test can fill is a file system that it mounts.
        if let Err(why) = can_mount() {
            println!("small_disk: {why}");
            servers.missing.push(("small_disk", why));
        }
        for (name, program, package) in PROGRAMS {
            if std::path::Path::new(program).exists() {
                continue;
            }
            let installed =
                if wanted(name) { install(package) } else { Err("not asked for".to_owned()) };
            if let Err(why) = installed {
                println!("{name}: {why}");
                servers.missing.push((name, why));
            }
        }
        servers
    }

    /// The variables that name the servers that were started.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.running.iter().map(|running| (running.engine.variable, &*running.address))
    }

    /// The engines of the servers that were started, each with the URL of a data source there.
    pub fn data_sources(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.running.iter().map(|running| {
            let Engine { name, url, .. } = running.engine;
            (*name, url(&running.address))
        })
    }

    /// Gives `command`, which ends in arguments of the test harness, the addresses of the servers,
    /// and has it skip the tests of those that do not run.
    pub fn describe(&self, command: &mut Command) {
        command.envs(self.variables());
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

/// Whether this user may mount a file system in memory.
fn can_mount() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("there is no place: {error}"))?;
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "castellan-test"]).arg(folder.path());
    quietly(&mut mount)?;
    quietly(Command::new("umount").arg(folder.path())).map(drop)
}

/// A port that is free at the moment.
fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("there is no free port: {error}"))
}
