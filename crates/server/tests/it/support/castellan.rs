//! The real binary, started for a test and ended with it.

use std::{
    fs::Permissions,
    io::Write as _,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::operations::nodes;
use crate::support::{
    logs,
    wire::{Answer, Ask},
};

/// A running server with a folder of its own.
pub struct Castellan {
    server: Child,
    pub url: String,
    pub folder: TempDir,
    environment: Vec<(String, String)>,
    how: Started,
}

/// How a server is started, besides what its environment says.
#[derive(Clone, Copy)]
struct Started {
    file_handles: Option<u32>,
    /// What it is told about its log, where that is collected.
    log: &'static [(&'static str, &'static str)],
}

impl Started {
    fn collect(self, folder: &TempDir) {
        if !self.log.is_empty() {
            logs::collect(folder.path());
        }
    }
}

/// The sample API, alone.
pub struct Archive {
    server: Child,
    pub url: String,
}

const BINARY: &str = env!("CARGO_BIN_EXE_castellan");

/// A port that was free a moment ago and that no other test of this run was given.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut given = GIVEN.lock().unwrap();
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

/// The binary, with `environment` and nothing else around it.
pub fn command(environment: &[(String, String)]) -> Command {
    let mut command = Command::new(BINARY);
    // Nothing of the machine's own settings gets in.
    command
        .env_clear()
        .env("CASTELLAN_LOG", "warn")
        .env("CASTELLAN_TEST_HASHES", "cheap")
        .envs(environment.iter().cloned());
    command
}

/// A database with signing keys and its master key, made once: an RSA key takes longer to make than most
/// tests take.
fn prepared() -> &'static [(&'static str, Vec<u8>)] {
    static MADE: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let config = "issuer = \"http://localhost\"\n";
        std::fs::write(folder.path().join("castellan.toml"), config).unwrap();
        let made = run(&[], &folder, &["apply", "-f", "-"], "");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let read = |name| (name, std::fs::read(folder.path().join(name)).unwrap());
        ["castellan.db", "castellan.key"].map(read).into()
    })
}

/// The data source of servers of which the test names none, if it is not SQLite: the checks of
/// `docs/contracts/curity.md` are run on each (`cargo xtask engines`).
fn other_data() -> Option<String> {
    std::env::var("CASTELLAN_TEST_DATA").ok()
}

/// What a server is started with.
#[derive(Default)]
pub struct Plan {
    /// Tables for `castellan.toml`, after the ones that every test has.
    pub config: String,
    /// Settings for `[server]`, besides the address.
    pub server: &'static str,
    /// Documents to apply before the start.
    pub documents: String,
    /// Variables of the environment.
    pub environment: Vec<(&'static str, String)>,
    /// Files beside the configuration.
    pub files: Vec<(&'static str, String)>,
    /// Where the world reaches it; its own address without it.
    pub issuer: Option<String>,
    /// It makes its database and its signing keys itself, where others get a copy of prepared ones.
    pub fresh: bool,
    /// How many file handles it may have; as many as this process without it.
    pub file_handles: Option<u32>,
    /// The test reads what it logs, which is in the form and at the level that the test asks for.
    pub reads_log: bool,
}

impl Castellan {
    /// A server with nothing but the defaults and `documents`.
    pub async fn with_documents(documents: &str) -> Self {
        Self::start(Plan { documents: documents.to_owned(), ..Plan::default() }).await
    }

    pub async fn start(plan: Plan) -> Self {
        let castellan = Self::begin(plan);
        castellan.until_ready().await;
        castellan
    }

    /// A server that listens, whether its guards are ready or not.
    pub async fn start_unready(plan: Plan) -> Self {
        let castellan = Self::begin(plan);
        castellan.until(|body| body.contains("\"store\":true")).await;
        castellan
    }

    /// A server that does not start: its command line is there all the same.
    pub fn refused(plan: Plan) -> Self {
        let mut castellan = Self::begin(Plan { reads_log: true, ..plan });
        assert!(!castellan.server.wait().unwrap().success());
        castellan
    }

    /// What a server says that does not start.
    pub async fn refuses(plan: Plan) -> String {
        let mut castellan = Self::begin(Plan { reads_log: true, ..plan });
        for _ in 0..400 {
            if let Some(status) = castellan.server.try_wait().unwrap() {
                assert!(!status.success(), "it ended as if all were well");
                return std::fs::read_to_string(castellan.path("stderr")).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server started");
    }

    fn begin(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let url = format!("http://localhost:{port}");
        let issuer = plan.issuer.as_deref().unwrap_or(&url);
        let config = format!(
            "issuer = \"{issuer}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n{}[security]\ninsecure = true\npassword_min_length = 2\n{}",
            plan.server, plan.config
        );
        let own_data = |text: &str| text.contains("[data]") || text.contains("master_key");
        let is_set = |name: &str| name.starts_with("CASTELLAN_");
        let names_data = own_data(&config) || plan.environment.iter().any(|(name, _)| is_set(name));
        let elsewhere = other_data().filter(|_| !names_data && !plan.fresh);
        let is_elsewhere = elsewhere.is_some();
        let config = match elsewhere {
            Some(url) => format!("{config}\n{}", nodes::config(&url)),
            None => config,
        };
        if !plan.fresh && !own_data(&config) && !names_data {
            for (name, bytes) in prepared() {
                let path = folder.path().join(name);
                std::fs::write(&path, bytes).unwrap();
                std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            }
        }
        logs::note_text(&config);
        logs::note_text(&plan.documents);
        for (name, value) in &plan.environment {
            if ["SECRET", "TOKEN", "PASSWORD"].iter().any(|word| name.contains(word)) {
                logs::note(value);
            }
        }
        std::fs::write(folder.path().join("castellan.toml"), config).unwrap();
        for (name, text) in plan.files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let clock = folder.path().join("clock").display().to_string();
        let environment: Vec<_> = plan
            .environment
            .into_iter()
            .chain([("CASTELLAN_TEST_CLOCK", clock)])
            .chain(is_elsewhere.then(|| ("CASTELLAN_KEY", "Q".repeat(43))))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if !plan.documents.is_empty() {
            let applied = run(&environment, &folder, &["apply", "-f", "-"], &plan.documents);
            assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        }
        let how = Started {
            file_handles: plan.file_handles,
            log: if plan.reads_log { &[] } else { logs::variables() },
        };
        let server = serve(&environment, &folder, how);
        Self { server, url, folder, environment, how }
    }

    /// Sets a variable of the environment for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Ends the process as a power cut would, and starts it again on the same data.
    pub async fn restart(&mut self) {
        end(&mut self.server);
        self.server = serve(&self.environment, &self.folder, self.how);
        self.until_ready().await;
    }

    /// The id of the server's process.
    pub fn process(&self) -> u32 {
        self.server.id()
    }

    /// The same, and waits only until it answers, ready or not.
    pub async fn restart_unready(&mut self) {
        end(&mut self.server);
        self.server = serve(&self.environment, &self.folder, self.how);
        for _ in 0..1_600 {
            if Ask::get(&self.at("/healthz")).try_send().await.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server does not respond");
    }

    /// Asks the process to stop, as a service manager does, and waits until it has.
    pub fn stop(&mut self) {
        let id = self.server.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.server.wait().unwrap().success());
    }

    pub async fn until_ready(&self) {
        self.until(|body| !body.contains("false")).await;
    }

    /// Waits until `/readyz` answers 200 with what `is_enough`.
    async fn until(&self, is_enough: impl Fn(&str) -> bool) {
        for _ in 0..1_600 {
            let socket = self.url.replace("http://localhost", "127.0.0.1");
            if tokio::net::TcpStream::connect(&socket).await.is_ok() {
                let ready = Ask::get(&format!("{}/readyz", self.url)).send().await;
                if ready.status == 200 && is_enough(&ready.body) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server did not become ready");
    }

    /// Runs the command line on this server's configuration.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        run(&self.environment, &self.folder, arguments, "")
    }

    /// Runs the command line with `input` on its standard input.
    pub fn cli_with(&self, arguments: &[&str], input: &str) -> Output {
        run(&self.environment, &self.folder, arguments, input)
    }

    /// What the command line prints; it must succeed.
    pub fn said(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, once it succeeds: what is written in the background may take a moment.
    pub async fn until_said(&self, arguments: &[&str]) -> String {
        for _ in 0..100 {
            let output = self.cli(arguments);
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{arguments:?} does not succeed");
    }

    /// Lets time pass for the server and its data source, until `seconds` after the present.
    pub fn advance_to(&self, seconds: u64) {
        std::fs::write(self.folder.path().join("clock"), seconds.to_string()).unwrap();
    }

    /// Sets the server's clock wrong by `seconds`, and nobody else's.
    pub fn set_clock_off(&self, seconds: i64) {
        std::fs::write(self.folder.path().join("clock"), format!("{seconds} alone")).unwrap();
    }

    /// What `/readyz` answers.
    pub async fn readiness(&self) -> Answer {
        Ask::get(&self.at("/readyz")).send().await
    }

    /// Waits until `/readyz` answers with `status` and `part` of a body; for so long at most.
    pub async fn until_readiness(&self, status: u16, part: &str, bound: Duration) -> Duration {
        let began = Instant::now();
        loop {
            let ready = self.readiness().await;
            if ready.status == status && ready.body.contains(part) {
                return began.elapsed();
            }
            assert!(began.elapsed() < bound, "not {status} with {part} in {bound:?}: {ready:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// How many files and connections the process has open.
    pub fn open_handles(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.server.id())).unwrap().count()
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Sends a GraphQL document to `path`.
    pub async fn graphql(&self, path: &str, token: Option<&str>, query: &str) -> Answer {
        let ask = Ask::post(&self.at(path)).json(&json!({"query": query}));
        match token {
            Some(token) => ask.bearer(token).send().await,
            None => ask.send().await,
        }
    }

    /// Whether the token `token` is active, as a client with its secret is told (RFC 7662).
    pub async fn is_active(&self, token: &str, (client, secret): (&str, &str)) -> bool {
        let pairs = [("token", token), ("client_id", client), ("client_secret", secret)];
        let answer = Ask::post(&self.at("/auth/introspect")).form(&pairs).send().await;
        answer.json()["active"] == true
    }

    /// Sends a form to the token endpoint.
    pub async fn token(&self, pairs: &[(&str, &str)]) -> Answer {
        Ask::post(&self.at("/auth/token")).form(pairs).send().await
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// A file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Castellan {
    fn drop(&mut self) {
        end(&mut self.server);
        self.how.collect(&self.folder);
    }
}

impl Archive {
    pub async fn start() -> Self {
        Self::start_at(free_port()).await
    }

    pub async fn start_at(port: u16) -> Self {
        let address = format!("127.0.0.1:{port}");
        let server = command(&[])
            .args(["archive", "--listen", &address])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let archive = Self { server, url: format!("http://{address}/") };
        for _ in 0..400 {
            if tokio::net::TcpStream::connect(&address).await.is_ok() {
                return archive;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the archive did not start");
    }

    /// Asks the archive itself, past the gate.
    pub async fn ask(&self, query: &str) -> Value {
        Ask::post(&self.url).json(&json!({"query": query})).send().await.json()
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

/// Kills a process, if it is there, and waits for its end.
pub fn end(server: &mut Child) {
    let _ = server.kill();
    let _ = server.wait();
}

fn serve(environment: &[(String, String)], folder: &TempDir, how: Started) -> Child {
    how.collect(folder);
    let [stdout, stderr] =
        ["stdout", "stderr"].map(|name| std::fs::File::create(folder.path().join(name)).unwrap());
    // What a test asks for goes before what is asked for all of them.
    let all = how.log.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let environment: Vec<(String, String)> = all.chain(environment.iter().cloned()).collect();
    let mut command = command(&environment);
    if let Some(handles) = how.file_handles {
        // The shell sets its own limit, which is the server's once it has made way for it.
        command = Command::new("/bin/sh");
        command.env_clear().env("CASTELLAN_LOG", "warn").envs(environment);
        command.args(["-c", &format!("ulimit -n {handles}; exec \"$0\" \"$@\""), BINARY]);
    }
    command
        .args(["serve", "--config"])
        .arg(folder.path().join("castellan.toml"))
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap()
}

fn run(
    environment: &[(String, String)],
    folder: &TempDir,
    arguments: &[&str],
    input: &str,
) -> Output {
    let mut child = command(environment)
        .arg("--config")
        .arg(folder.path().join("castellan.toml"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
