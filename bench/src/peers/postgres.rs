//! PostgreSQL from Debian's packages, with a data folder and a port of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::Ground;
use crate::{
    fault::Fault,
    packages,
    process::{Server, free_address, said, said_meanwhile, tied_by},
};

/// The oldest major version that will do.
const OLDEST: u32 = 15;
/// Stopped at once with its children: the data is no longer needed.
const FAREWELL: &str = "-QUIT";
/// The user that Debian's package makes for it. It refuses to run as root.
const USER: &str = "postgres";
/// Where its data is if this is root, whose other folders that user does not get into. It is on
/// disk wherever the file hierarchy is as it should be.
const PLACE: &str = "/var/tmp";

/// A running one. Dropping it ends it, and its data goes.
pub struct Postgres {
    server: Server,
    programs: PathBuf,
    _folder: TempDir,
}

impl Postgres {
    /// Starts one on new data, with `settings` besides what it comes with.
    ///
    /// # Errors
    /// [`Fault::Missing`] if there is none; [`Fault::Failed`] if it does not start.
    pub async fn start(ground: &Ground, settings: &[&str]) -> Result<Self, Fault> {
        if programs().is_none() {
            packages::install("postgresql")?;
        }
        let missing = || Fault::Missing(format!("PostgreSQL {OLDEST} or later is missing"));
        let programs = programs().ok_or_else(missing)?;
        let user = is_root().then_some(USER);
        let place = if user.is_some() { Path::new(PLACE) } else { ground.place() };
        let folder = tempfile::Builder::new().prefix("castellan-bench-").tempdir_in(place)?;
        let data = folder.path().join("data");
        if let Some(user) = user {
            said(Command::new("chown").arg(user).arg(folder.path()))?;
        }
        let program = |name: &str| {
            let mut command = tied_by("QUIT", user, programs.join(name));
            command.current_dir(folder.path()).arg("-D").arg(&data);
            command
        };
        let made = ["-A", "trust", "-U", "castellan", "-E", "UTF8", "--locale=C", "--no-sync"];
        said(program("initdb").args(made))?;
        let address = free_address()?;
        let mut serve = program("postgres");
        // No socket in the file system: its path may be longer than such paths can be.
        serve.args(["-h", "127.0.0.1", "-c", "unix_socket_directories="]);
        serve.args(["-p", &address.port().to_string(), "-c", "max_connections=200"]);
        for setting in settings {
            serve.args(["-c", setting]);
        }
        let place = (address, folder.path());
        let server = Server::start("postgres", &mut serve, place)?.ended_by(FAREWELL);
        let mut postgres = Self { server, programs, _folder: folder };
        let client = postgres.client();
        let answers = async || {
            let mut ask = client.command();
            ask.args(["-c", "SELECT 1"]);
            said_meanwhile(ask).await.map(drop)
        };
        postgres.server.until_well(answers).await?;
        Ok(postgres)
    }

    /// Its address, for Castellan.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://castellan@{}/postgres", self.server.address)
    }

    /// The client that sends queries to it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client { psql: self.programs.join("psql"), port: self.server.address.port() }
    }
}

/// The command line that asks a running one.
#[derive(Clone)]
pub struct Client {
    psql: PathBuf,
    port: u16,
}

impl Client {
    /// `psql`, which prints nothing but rows, with `|` between columns.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]);
        command.args(["-p", &self.port.to_string(), "-U", "castellan", "-d", "postgres"]);
        command
    }
}

/// The version of PostgreSQL.
#[must_use]
pub fn version() -> Option<String> {
    said(Command::new(programs()?.join("postgres")).arg("--version")).ok()
}

/// The folder of the newest version that is installed and not too old.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())
        .filter(|version| *version >= OLDEST)
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
        .filter(|folder| folder.join("postgres").exists())
}

fn is_root() -> bool {
    said(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}
