//! Servers under test: started in a folder of their own, waited for, and ended whatever happens.

use std::{
    ffi::OsStr,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{answer::Answer, fault::Fault, proc::Tree, wire::Wire};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a server may take to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(5);

/// A running server. Dropping it ends it and its children.
pub struct Server {
    child: Child,
    name: &'static str,
    /// The address it listens on.
    pub address: SocketAddr,
    folder: PathBuf,
    log: PathBuf,
    began: Instant,
    /// How long it may take until it answers.
    patience: Duration,
    /// The signal that stops it.
    farewell: &'static str,
    /// How long it took from its start until it could serve.
    pub ready_after: Duration,
}

impl Server {
    /// Starts `command`, which is configured to listen at `address`; its output goes to a file in
    /// `folder`.
    ///
    /// # Errors
    /// [`Fault::Failed`] if it does not start.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        (address, folder): (SocketAddr, &Path),
    ) -> Result<Self, Fault> {
        let log = folder.join(format!("{name}.log"));
        let began = Instant::now();
        let child = File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .and_then(|(out, err)| {
                // Our own modes end when this pipe does, should this process be killed.
                command.stdin(Stdio::piped()).stdout(out).stderr(err).spawn()
            })
            .map_err(|error| Fault::failed(format!("{name} did not start: {error}")))?;
        let (patience, farewell, ready_after) = (PATIENCE, "-TERM", Duration::ZERO);
        let folder = folder.to_owned();
        Ok(Self { child, name, address, folder, log, began, patience, farewell, ready_after })
    }

    /// The same, to be ended by another signal than `-TERM`.
    #[must_use]
    pub const fn ended_by(mut self, signal: &'static str) -> Self {
        self.farewell = signal;
        self
    }

    /// The same, with so many times as long to answer.
    #[must_use]
    pub fn slowed(mut self, times: u32) -> Self {
        self.patience *= times;
        self
    }

    /// Waits until the response to `request` contains `good`, and stores the time since the start.
    ///
    /// # Errors
    /// [`Fault::Failed`] with the end of its log if it ends, or takes too long.
    pub async fn until(
        &mut self,
        request: &[u8],
        good: impl Fn(&Answer<'_>) -> bool,
    ) -> Result<(), Fault> {
        let (address, most) = (self.address, self.patience / 15);
        self.until_well(async || {
            // A new connection each time, because an invalid response may leave anything on it.
            let mut wire = Wire::to(address);
            let asked = tokio::time::timeout(most, wire.ask(request)).await;
            match asked {
                Ok(Ok(answer)) if good(&answer) => Ok(()),
                Ok(Ok(answer)) => Err(answer.wrong("the first request")),
                Ok(Err(fault)) => Err(fault),
                Err(_) => Err(Fault::Silent(most.as_secs())),
            }
        })
        .await
    }

    /// Waits until `look` finds it well, and keeps how long that took from the start.
    ///
    /// # Errors
    /// [`Fault::Failed`] with the end of its log if it ends, or takes too long.
    pub async fn until_well(
        &mut self,
        mut look: impl AsyncFnMut() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            let Err(fault) = look().await else {
                self.ready_after = self.began.elapsed();
                return Ok(());
            };
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || self.began.elapsed() > self.patience {
                let how = ended.map_or(fault.to_string(), |how| format!("it ended with {how}"));
                let (name, log) = (self.name, self.last_words());
                return Err(Fault::failed(format!("{name} does not serve: {how}\n{log}")));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process and its children now.
    ///
    /// # Errors
    /// [`Fault::Failed`] if `/proc` cannot be read.
    pub fn tree(&self) -> Result<Tree, Fault> {
        Tree::of(self.child.id())
    }

    /// The end of its output.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Asks it to end, as a service manager does, and sees that it has, children included.
    pub fn end(&mut self) {
        let pids = self.tree().map(|tree| tree.pids().to_vec()).unwrap_or_default();
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.farewell, &[self.child.id()]);
            let asked = Instant::now();
            while self.child.try_wait().is_ok_and(|ended| ended.is_none())
                && asked.elapsed() < FAREWELL
            {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A parent that was killed may leave children behind. They are its own: the list was made
        // while it was there, a moment ago.
        let left: Vec<u32> = pids
            .into_iter()
            .skip(1)
            .filter(|pid| Path::new(&format!("/proc/{pid}")).exists())
            .collect();
        if !left.is_empty() {
            signal("-KILL", &left);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn signal(which: &str, pids: &[u32]) {
    let pids = pids.iter().map(ToString::to_string);
    let mut kill = Command::new("kill");
    let _ = kill.arg(which).args(pids).stderr(Stdio::null()).status();
}

/// A command for `program`, which is ended if this process is killed.
#[must_use]
pub fn tied(program: impl AsRef<OsStr>) -> Command {
    tied_by("TERM", None, program)
}

/// The same with another signal, and as another user if one is named, which takes root.
#[must_use]
pub fn tied_by(signal: &str, user: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    // It replaces itself by the program, so that nothing of it is measured.
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", signal]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg(program);
    command
}

/// The same as [`said`], without blocking.
///
/// # Errors
/// [`Fault::Failed`] with its output if it fails.
pub async fn said_meanwhile(mut command: Command) -> Result<String, Fault> {
    let said = tokio::task::spawn_blocking(move || said(&mut command)).await;
    said.unwrap_or_else(|error| Err(Fault::failed(error.to_string())))
}

/// A loopback address with a port that was free a moment ago.
///
/// # Errors
/// [`Fault::Io`] if there is none.
pub fn free_address() -> Result<SocketAddr, Fault> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Runs `command` to its end and gives what it printed.
///
/// # Errors
/// [`Fault::Failed`] with its output if it fails.
pub fn said(command: &mut Command) -> Result<String, Fault> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Fault::failed(format!("{name} did not start: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    Err(Fault::failed(format!("{name} ended with {}: {err}\n{out}", output.status)))
}
