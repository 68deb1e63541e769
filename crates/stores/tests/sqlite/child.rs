//! This test program as a second process.
//!
//! A child runs one part, over the file named in its environment, and speaks with its parent in
//! lines that begin with a mark, since the test harness writes to the same place.

use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

use castellan_issuer::store::{Draft, Notice, Store};

use crate::{NOW, crash, draft, failing, key, open};

const PART: &str = "CASTELLAN_TEST_PART";
const FILE: &str = "CASTELLAN_TEST_FILE";
const MARK: &str = "child: ";
/// Records that two processes race for.
pub const PRIZES: usize = 300;

/// Where a child begins.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other tests run it, in processes of its own"]
async fn child() {
    let Ok(part) = std::env::var(PART) else { return };
    let file = PathBuf::from(std::env::var_os(FILE).unwrap());
    match part.as_str() {
        "taker" => race(&file, async |store, n| store.take(&key(&n), NOW).await.unwrap()).await,
        "inserter" => race(&file, insert).await,
        "namer" => race(&file, claim).await,
        "busy writer" => crash::write_for_ever(&file).await,
        "stuck writer" => crash::get_stuck(&file).await,
        "filler" => failing::fill(&file).await,
        "opener" => failing::try_to_open(&file),
        other => panic!("no part {other:?}"),
    }
}

async fn insert(store: Arc<dyn Store>, n: String) -> impl std::fmt::Debug {
    store.insert(draft(&n), Notice::Tell, NOW).await.unwrap()
}

/// Inserts under a key of its own a name that the other process wants too.
async fn claim(store: Arc<dyn Store>, n: String) -> impl std::fmt::Debug {
    let own = draft(&format!("{n} of {}", std::process::id()));
    let draft = Draft { unique: vec![format!("name {n}")], ..own };
    store.insert(draft, Notice::Silent, NOW).await.unwrap()
}

/// Goes for every prize in turn, once the parent says so, and says what it got.
async fn race<T: std::fmt::Debug, F: Future<Output = T>>(
    file: &Path,
    go_for: impl Fn(Arc<dyn Store>, String) -> F,
) {
    let store = open(file);
    say("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for n in 0..PRIZES {
        let got = format!("{:?}", go_for(Arc::clone(&store), n.to_string()).await);
        // The first word says it.
        let got = got.split('(').next().unwrap_or_default();
        say(&format!("{n} {got}"));
    }
}

/// Says `line` to the parent.
pub fn say(line: &str) {
    println!("{MARK}{line}");
}

/// A running child.
pub struct Running {
    process: Child,
    lines: BufReader<ChildStdout>,
}

/// How a process is to be started that plays `part` over `file`.
pub fn command(part: &str, file: &Path) -> Command {
    wrapped(Command::new(std::env::current_exe().unwrap()), part, file)
}

/// The same, where `command` is what leads to this program.
pub fn wrapped(mut command: Command, part: &str, file: &Path) -> Command {
    command
        .args(["--exact", "child::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(FILE, file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// What the child says next. `None` when it has ended, also in the middle of a line.
    pub fn heard(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            let line = line.strip_suffix('\n')?;
            // The harness leaves its own first line open.
            if let Some((_, said)) = line.split_once(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    /// Lets a child go on that waits.
    pub fn go(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Ends it as the system would in need of memory: at once and without a word (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    /// Everything it still says, and how it ended.
    pub fn end(mut self) -> (Vec<String>, ExitStatus) {
        let rest = std::iter::from_fn(|| self.heard()).collect();
        (rest, self.process.wait().unwrap())
    }
}

impl Drop for Running {
    /// A test that fails leaves nobody behind.
    fn drop(&mut self) {
        // Both fail only if it has ended and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What two children got who went for the same prizes at once: one list per prize, sorted.
pub fn race_of_two(part: &str, file: &Path) -> Vec<Vec<String>> {
    let mut racers = [(); 2].map(|()| Running::start(command(part, file)));
    for racer in &mut racers {
        assert_eq!(racer.heard().as_deref(), Some("ready"));
    }
    racers.iter_mut().for_each(Running::go);
    let mut got = vec![Vec::new(); PRIZES];
    for racer in racers {
        let (lines, status) = racer.end();
        assert!(status.success());
        for line in lines {
            let (n, what) = line.split_once(' ').unwrap();
            got[n.parse::<usize>().unwrap()].push(what.to_owned());
        }
    }
    for got in &mut got {
        got.sort();
    }
    got
}
