//! Writes audit records, after the answers that they are about: to the data source, several at once,
//! and as lines of JSON. A process that is killed loses what it has not written yet, at most what
//! happened in a fraction of a second while the data source answers.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use castellan_issuer::{
    Issuer,
    audit::{
        Event, Events,
        chain::{Chain, MOST},
        entry::Entry,
        log::Allowance,
        origin::{self, Origin},
    },
    store::StoreError,
};
use castellan_proto::Timestamp;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::budget::Budget;

/// How long records are gathered before they are written together.
const GATHER: Duration = Duration::from_millis(200);
/// How long after a failure of the data source there is another try.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the end of a process waits for its records to be stored.
const LAST: Duration = Duration::from_secs(5);
/// Seconds between two records that say how many were dropped.
const TELL: u64 = 60;
/// What is kept free for changes to resources, passwords, sessions and consents: this part.
const ADMINISTRATION: u64 = 4;
/// What callers who are not known get of the records of a day: this part.
const STRANGERS: u64 = 10;

pub(crate) use castellan_issuer::audit::origin::RequestIds;

/// Does `work`, which answers the request called `ids` from `source`: every record of what it does,
/// and every line of the log, says so.
pub(crate) fn of_request<T>(
    ids: RequestIds,
    source: Option<IpAddr>,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    Origin::of_request(ids, source).within(work)
}

/// Whether the log says nothing yet of why the present request is refused.
pub(crate) fn lacks_line() -> bool {
    origin::lacks_line()
}

/// A bound of lines of the log that anybody can cause any number of.
#[derive(Debug)]
pub(crate) struct LineBudget(Mutex<Allowance>);

impl LineBudget {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Allowance::FULL))
    }

    /// How many lines were left out before this one; `None` if it is to be left out as well.
    pub(crate) fn take(&self) -> Option<u64> {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let now = Timestamp(BEGAN.elapsed().as_secs());
        let mut allowance = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        allowance.take(Allowance::STRANGERS, now)
    }
}

/// Where and how long records are kept. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AuditPlan {
    /// How long in the data source; not at all without it.
    pub(crate) keep: Option<Duration>,
    /// Where they are written besides.
    pub(crate) output: Option<Arc<AuditLines>>,
    /// How many per site and day.
    pub(crate) daily: u64,
}

/// Where lines go.
pub(crate) struct AuditLines {
    sink: Mutex<Sink>,
    path: Option<PathBuf>,
}

enum Sink {
    Stdout,
    Stderr,
    File(File),
}

impl AuditLines {
    /// Standard output.
    pub(crate) const fn stdout() -> Self {
        Self { sink: Mutex::new(Sink::Stdout), path: None }
    }

    /// Standard error, where standard output is a command's.
    pub(crate) const fn stderr() -> Self {
        Self { sink: Mutex::new(Sink::Stderr), path: None }
    }

    /// The end of the file at `path`.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be opened or made.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let sink = Mutex::new(Sink::File(open(path)?));
        Ok(Self { sink, path: Some(path.to_path_buf()) })
    }

    /// Opens the file again: whoever moves it away expects another one in its place.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be opened or made; lines go on to the file that is open.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = open(path)?;
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = Sink::File(file);
        Ok(())
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> String {
        self.path.as_deref().map_or_else(String::new, |path| path.display().to_string())
    }

    fn write(&self, lines: &[u8]) -> io::Result<()> {
        match &mut *self.sink.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Sink::Stderr => io::stderr().lock().write_all(lines),
            Sink::File(file) => file.write_all(lines),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The task that writes the records of one site.
pub(crate) struct Audit {
    stopping: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Audit {
    /// Starts to record what happens at `issuer`; `None` if nothing is to be recorded.
    pub(crate) fn start(issuer: &Issuer, plan: &AuditPlan) -> Option<Self> {
        let writer = Writer::of(issuer, plan)?;
        let (stopping, stop) = watch::channel(false);
        Some(Self { stopping, work: tokio::spawn(writer.run(stop)) })
    }

    /// Writes what is left of all of `audits`, within a bound for all of them.
    pub(crate) async fn close_all(audits: Vec<Self>) {
        let deadline = Instant::now() + LAST + PAUSE;
        for audit in &audits {
            audit.stopping.send_replace(true);
        }
        for audit in audits {
            if tokio::time::timeout_at(deadline, audit.work).await.is_err() {
                tracing::error!("audit records were not written before the server stopped");
            }
        }
    }

    /// Does `work`, a command, and records what it did at `issuer`.
    pub(crate) async fn of_command<T>(
        issuer: &Issuer,
        plan: &AuditPlan,
        work: impl Future<Output = T>,
    ) -> T {
        let uid = rustix::process::getuid().as_raw();
        Origin::of_command(uid)
            .within(async {
                let writer = Writer::of(issuer, plan);
                let done = work.await;
                if let Some(mut writer) = writer {
                    writer.close().await;
                }
                done
            })
            .await
    }
}

struct Writer {
    events: Events,
    plan: AuditPlan,
    chain: Option<Chain>,
    /// Events that are no records yet.
    pending: Vec<Event>,
    /// Records that are not stored yet.
    unstored: Vec<Entry>,
    known: Budget,
    /// For what callers do all day: none of it displaces what administrators do.
    routine: Budget,
    strangers: Budget,
    dropped: u64,
    /// When a record last said how many were dropped.
    told: Timestamp,
    /// The data source did not take the last ones.
    fails: bool,
}

impl Writer {
    fn of(issuer: &Issuer, plan: &AuditPlan) -> Option<Self> {
        if plan.keep.is_none() && plan.output.is_none() {
            return None;
        }
        let now = issuer.now();
        let budget = |daily: u64| Budget::new(daily, daily, now);
        Some(Self {
            events: issuer.take_audit()?,
            plan: plan.clone(),
            chain: None,
            pending: Vec::new(),
            unstored: Vec::new(),
            known: budget((plan.daily / ADMINISTRATION).max(1)),
            routine: budget((plan.daily - plan.daily / ADMINISTRATION).max(1)),
            strangers: budget((plan.daily / STRANGERS).max(1)),
            dropped: 0,
            told: Timestamp(0),
            fails: false,
        })
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // At once: that a process began is a record as well.
        self.write(&mut stop).await;
        while !*stop.borrow() {
            tokio::select! {
                () = self.events.wait(&mut self.pending, MOST) => {}
                _ = stop.wait_for(|is_over| *is_over) => break,
            }
            let _ = timeout(GATHER, stop.wait_for(|is_over| *is_over)).await;
            self.events.take(&mut self.pending, MOST);
            self.write(&mut stop).await;
        }
        self.close().await;
    }

    /// Makes records of what is pending and writes them; tries again until they are stored or `stop`
    /// says so.
    async fn write(&mut self, stop: &mut watch::Receiver<bool>) {
        loop {
            let written = self.try_write().await;
            let is_stored = self.note(written);
            if is_stored || *stop.borrow() {
                return;
            }
            let _ = timeout(PAUSE, stop.wait_for(|is_over| *is_over)).await;
        }
    }

    /// One try.
    async fn try_write(&mut self) -> Result<(), StoreError> {
        let mut lines = String::new();
        let mut chain = if let Some(chain) = self.chain.take() {
            chain
        } else {
            let issuer = self.events.issuer().clone();
            let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let (chain, first) = Chain::begin(&issuer, &node, self.plan.keep).await?;
            self.add_line(&mut lines, &first);
            chain
        };
        let now = self.events.issuer().now();
        for event in std::mem::take(&mut self.pending) {
            let budget = match (event.is_a_strangers(), event.is_routine()) {
                (true, _) => &mut self.strangers,
                (false, true) => &mut self.routine,
                (false, false) => &mut self.known,
            };
            if budget.take(1, now) {
                let record = chain.link(&event);
                self.add_line(&mut lines, &record);
                self.unstored.push(record);
            } else {
                self.dropped += 1;
            }
        }
        self.dropped += self.events.dropped();
        if self.dropped > 0 && now.since(self.told).as_secs() >= TELL {
            tracing::warn!(dropped = self.dropped, "events were not recorded: they are too many");
            let record = chain.dropped(std::mem::take(&mut self.dropped));
            self.told = now;
            self.add_line(&mut lines, &record);
            self.unstored.push(record);
        }
        self.print(lines).await;
        let kept = if self.plan.keep.is_some() {
            chain.keep(&mut self.unstored).await
        } else {
            self.unstored.clear();
            Ok(())
        };
        self.chain = Some(chain);
        kept
    }

    /// Adds `record` to `lines`, if lines are written.
    fn add_line(&self, lines: &mut String, record: &Entry) {
        if self.plan.output.is_some() {
            lines.extend([record.text(), "\n"]);
        }
    }

    /// Writes `lines`; not on the runtime, as a disk may be slow.
    async fn print(&self, lines: String) {
        let Some(output) = self.plan.output.clone().filter(|_| !lines.is_empty()) else { return };
        let written = tokio::task::spawn_blocking(move || output.write(lines.as_bytes())).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "audit records could not be written as lines");
        }
    }

    /// Notes whether the data source took them.
    fn note(&mut self, written: Result<(), StoreError>) -> bool {
        match written {
            Ok(()) => {
                if std::mem::take(&mut self.fails) {
                    tracing::info!("audit records are stored again");
                }
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.fails, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "audit records could not be stored; trying again");
                }
                false
            }
        }
    }

    /// Writes what is left, and that this is the end; nothing if nothing ever happened.
    async fn close(&mut self) {
        let deadline = Instant::now() + LAST;
        loop {
            self.events.take(&mut self.pending, MOST);
            self.dropped += self.events.dropped();
            if self.pending.is_empty() && self.unstored.is_empty() && self.dropped == 0 {
                break;
            }
            // What was dropped is said now, or never.
            self.told = Timestamp(0);
            let written = self.try_write().await;
            if !self.note(written) {
                if Instant::now() > deadline {
                    let left = self.unstored.len() + self.pending.len();
                    return tracing::error!(left, "audit records were lost: they were not stored");
                }
                sleep(PAUSE).await;
            }
        }
        let Some(mut chain) = self.chain.take() else { return };
        let last = chain.stop();
        let mut line = String::new();
        self.add_line(&mut line, &last);
        self.print(line).await;
        if self.plan.keep.is_some()
            && let Err(error) = chain.keep(&mut vec![last]).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the last audit record could not be stored");
        }
    }
}
