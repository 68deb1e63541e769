//! A PostgreSQL of a test's own, which can be killed as a power cut would.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::castellan::{end, free_port};

/// A server with a data folder of its own. It writes to the disk as in earnest.
pub struct OwnPostgres {
    server: Child,
    folder: TempDir,
    port: u16,
}

/// The folder of the newest version that is installed.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let newest: Option<u32> = newest.max();
    let newest = newest.expect("this test starts and kills a PostgreSQL of its own: install one");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

/// A program of the server's, run as a user that it accepts.
fn program(name: &str) -> Command {
    let path = programs().join(name);
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.trim_ascii() == b"0" {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
        return command;
    }
    Command::new(path)
}

/// Has the server whose data is in `folder` speak TLS.
fn set_tls(folder: &Path, certificate: &str, key: &str) {
    for (name, text) in [("server.crt", certificate), ("server.key", key)] {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        // It refuses a key that others can read, or own.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let _ = Command::new("chown").arg("--reference").arg(folder).arg(&path).output();
    }
    let settings = folder.join("postgresql.conf");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}\nssl = on\n")).unwrap();
}

impl OwnPostgres {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// One that has TLS, by `certificate` and `key` in PEM.
    pub fn with_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(Some((certificate, key)))
    }

    fn start_with(tls: Option<(&str, &str)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Only root is refused by the server, and only root can give the folder away.
        let _ = Command::new("chown").arg("postgres").arg(folder.path()).output();
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(folder.path().join("data"));
        let output = initdb.args(["-A", "trust", "-U", "castellan", "--no-sync"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if let Some((certificate, key)) = tls {
            set_tls(&folder.path().join("data"), certificate, key);
        }
        let port = free_port();
        let server = Self::serve(&folder, port);
        let mut own = Self { server, folder, port };
        own.until_it_answers();
        own
    }

    pub fn url(&self) -> String {
        format!("postgres://castellan@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs `sql` as a transaction that may write, whatever the database's default is.
    pub fn sql(&self, sql: &str) {
        let mut psql = Command::new(programs().join("psql"));
        psql.env("PGOPTIONS", "-c default_transaction_read_only=off");
        let ran = psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url()]).output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{sql}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Kills every process of the server at once, and starts it again.
    pub fn kill(&mut self) {
        let id = self.server.id().to_string();
        let children = Command::new("pgrep").args(["-P", &id]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        end(&mut self.server);
        for child in children.split_whitespace() {
            let _ = Command::new("kill").args(["-9", child]).output();
        }
        self.server = Self::serve(&self.folder, self.port);
        self.until_it_answers();
    }

    fn serve(folder: &TempDir, port: u16) -> Child {
        let mut serve = program("postgres");
        serve.arg("-D").arg(folder.path().join("data"));
        // After a crash everything is written to the disk, at once rather than file by file.
        serve.args(["-c", "recovery_init_sync_method=syncfs"]);
        serve.args(["-h", "127.0.0.1", "-p", &port.to_string()]).arg("-k").arg(folder.path());
        serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn until_it_answers(&mut self) {
        let began = Instant::now();
        let port = self.port.to_string();
        loop {
            let mut ask = Command::new(programs().join("pg_isready"));
            let asked = ask.args(["-h", "127.0.0.1", "-p", &port]).output().unwrap();
            if asked.status.success() {
                return;
            }
            // It does not begin while a process of before is still on its way out.
            if self.server.try_wait().unwrap().is_some() {
                self.server = Self::serve(&self.folder, self.port);
            }
            assert!(began.elapsed() < Duration::from_mins(2), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // Ended at once, its children with it: nobody needs the data any more.
        let id = self.server.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &id]).output();
        let _ = self.server.wait();
    }
}
