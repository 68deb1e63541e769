//! Reading the configuration again while the server runs: at SIGHUP, and at `castellan reload`,
//! which asks through a socket beside the configuration and prints the answer.

use std::{
    convert::Infallible,
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    signal::unix::Signal,
    task::JoinHandle,
    time::timeout,
};

use super::Failure;
use crate::{
    config::{Config, ConfigError, GuardConfig, Loaded},
    files, logging,
    startup::{assemble::Server, listener::Tls},
};

/// What is asked through the socket.
const RELOAD: &[u8; 7] = b"reload\n";
/// What an answer begins with if all was taken up that could be.
const DONE: &str = "reloaded";
/// How long either side of the socket waits for the other's words.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a reload may take: APIs are asked for their schemas.
const LONGEST: Duration = Duration::from_mins(1);

/// How much of that schemas are waited for.
const SCHEMAS: Duration = Duration::from_secs(20);

/// Reads the configuration.
type Read = Arc<dyn Fn() -> Result<Loaded, Failure> + Send + Sync>;

/// What a running server takes up new settings with.
pub(super) struct Reloader<'a> {
    house: &'a mut Server,
    /// The settings that it runs by.
    running: Loaded,
    read: Read,
    /// The TLS of its listeners.
    tls: Vec<Arc<Tls>>,
    /// A reading that has not ended in time.
    reading: Option<JoinHandle<Result<Loaded, Failure>>>,
}

impl<'a> Reloader<'a> {
    /// Of a server that runs by the settings of `running`.
    pub(super) fn new(
        house: &'a mut Server,
        running: Loaded,
        read: Read,
        tls: Vec<Arc<Tls>>,
    ) -> Self {
        Self { house, running, read, tls, reading: None }
    }

    /// Reloads whenever it is told to.
    pub(super) async fn run(mut self, mut hangups: Signal, control: Option<Control>) -> Infallible {
        loop {
            tokio::select! {
                _ = hangups.recv() => drop(self.reload().await),
                asked = asked(control.as_ref()) => {
                    let answer = self.reload().await;
                    let (Ok(text) | Err(text)) = answer;
                    let said = timeout(PATIENCE, say(asked, &text)).await;
                    if !matches!(said, Ok(Ok(()))) {
                        tracing::warn!("the requester of the reload disconnected early");
                    }
                }
            }
        }
    }

    /// Reads everything again and takes up what can be; says what came of it, in the log as well.
    async fn reload(&mut self) -> Result<String, String> {
        // Whatever is wrong with the configuration: the file may have been moved away.
        let reopened = self.house.reopen_audit().map_err(|error| {
            tracing::error!(%error, "audit records go on to the file that is open");
            format!("{error}; audit records go on to the file that is open\n")
        });
        // Certificates do not wait for the rest either.
        let mut troubles = Vec::new();
        for tls in &self.tls {
            troubles.extend(tls.look(true).await.err());
        }
        let (applied, waits) = match self.take_up().await {
            Ok(taken_up) => taken_up,
            Err(error) => {
                tracing::error!(%error, "reload failed; the running configuration is unchanged");
                return Err(format!(
                    "reload failed; the running configuration is unchanged\n{error}\n"
                ));
            }
        };
        tracing::info!(applied = applied.join(", "), "reloaded the configuration and the schemas");
        let mut said = format!("{DONE}\n");
        for change in &applied {
            said.extend([change, "\n"]);
        }
        if applied.is_empty() && waits.is_empty() {
            said.push_str("nothing changed in the configuration; ");
            said.push_str("schemas and files of secrets were read again\n");
        }
        for name in waits {
            tracing::warn!(setting = name, "changed; takes effect after a restart");
            said.extend([name, " changed; takes effect after a restart\n"]);
        }
        if let Err(text) = &reopened {
            said.push_str(text);
        }
        for trouble in troubles {
            said.extend([&*trouble, "\n"]);
        }
        for (guard, trouble) in self.house.troubles() {
            said.extend(["guard ", &guard, ": ", &trouble.text, "\n"]);
        }
        Ok(said)
    }

    /// What was applied, and what waits for a restart.
    async fn take_up(&mut self) -> Result<(Vec<String>, Vec<&'static str>), Failure> {
        let (next, waits) = self.read().await?.taken_up_by(&self.running)?;
        self.house.take_up(&next, SCHEMAS).await?;
        logging::settle(&next.config.log);
        let applied = changes(&self.running.config, &next.config);
        self.running = next;
        Ok((applied, waits))
    }

    /// Reads the configuration, not on the runtime: a disk that hangs must not hold up requests.
    async fn read(&mut self) -> Result<Loaded, Failure> {
        if self.reading.as_ref().is_some_and(|reading| !reading.is_finished()) {
            return Err("an earlier reload still waits for files of the configuration".into());
        }
        let read = Arc::clone(&self.read);
        let mut reading = tokio::task::spawn_blocking(move || read());
        if let Ok(read) = timeout(files::PATIENCE, &mut reading).await {
            return read?;
        }
        self.reading = Some(reading);
        Err(ConfigError::Slow.into())
    }
}

/// What differs between two configurations, of what a running server takes up.
fn changes(old: &Config, new: &Config) -> Vec<String> {
    // They hold no secrets, which all look the same.
    let text = |guard: &GuardConfig| format!("{guard:?}");
    let mut changes = Vec::new();
    for guard in &new.guard {
        let change = match old.guard.iter().find(|other| other.name == guard.name) {
            None => "added",
            Some(other) if text(other) != text(guard) => "changed",
            Some(_) => continue,
        };
        changes.push(format!("guard {}: {change}", guard.name));
    }
    for guard in &old.guard {
        if new.guard.iter().all(|other| other.name != guard.name) {
            changes.push(format!("guard {}: removed", guard.name));
        }
    }
    for (name, differs) in [
        ("server.trusted_proxies", new.server.trusted_proxies != old.server.trusted_proxies),
        ("server.cors_headers", new.server.cors_headers != old.server.cors_headers),
        ("site_access", new.site_access != old.site_access),
        ("site_access_match", new.site_access_match != old.site_access_match),
        ("server.hsts", new.server.hsts != old.server.hsts),
        (
            "server.client_certificate_headers",
            new.server.client_certificate_headers != old.server.client_certificate_headers,
        ),
        ("log", new.log != old.log),
        ("management", new.management != old.management),
        ("jwt", new.jwt != old.jwt),
        ("decidim", new.decidim != old.decidim),
    ] {
        if differs {
            changes.push(format!("{name}: changed"));
        }
    }
    changes
}

/// The socket through which this machine's owner of the server speaks to it.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket in `folder`; none if that cannot be, which is logged.
    pub(super) fn open(folder: &Path, port: u16) -> Option<Self> {
        let path = folder.join(format!("castellan.{port}.sock"));
        match bind(&path) {
            Ok(listener) => Some(Self { listener, path }),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "cannot open the socket of `castellan reload`; use SIGHUP");
                None
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens at `path`, for its owner alone.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        // What an ended process left behind answers nobody.
        Err(error)
            if error.kind() == io::ErrorKind::AddrInUse
                && std::os::unix::net::UnixStream::connect(path).is_err() =>
        {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The next one who asks for a reload.
async fn asked(control: Option<&Control>) -> UnixStream {
    let Some(control) = control else { return std::future::pending().await };
    loop {
        let Ok((mut stream, _)) = control.listener.accept().await else {
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        let mut words = [0; RELOAD.len()];
        let read = timeout(PATIENCE, stream.read_exact(&mut words)).await;
        if matches!(read, Ok(Ok(_))) && words == *RELOAD {
            return stream;
        }
    }
}

async fn say(mut stream: UnixStream, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// `castellan reload`: asks every server that runs beside the configuration at `config`.
pub(super) async fn ask(config: Option<&Path>) -> Result<ExitCode, Failure> {
    let folder = config.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let (mut good, mut answers) = (true, 0);
    for path in sockets(folder)? {
        let Ok(stream) = UnixStream::connect(&path).await else { continue };
        let answer = timeout(LONGEST, answer_of(stream)).await;
        let answer = answer.map_err(|_| "the server does not respond")??;
        answers += 1;
        good &= answer.starts_with(DONE);
        print!("{answer}");
    }
    if answers == 0 {
        return Err(format!(
            "no server responds at {}; check that one is running with this configuration and as \
             this user",
            folder.join("castellan.PORT.sock").display()
        )
        .into());
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sockets(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_one = path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| {
            name.strip_prefix("castellan.").is_some_and(|port| port.parse::<u16>().is_ok())
        });
        if is_one && path.extension().is_some_and(|one| one == "sock") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

async fn answer_of(mut stream: UnixStream) -> io::Result<String> {
    stream.write_all(RELOAD).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
