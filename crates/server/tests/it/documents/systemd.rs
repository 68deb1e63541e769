//! `packaging/castellan.service`: what systemd's own linter says of it, and the server under it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::json;

use super::{
    fences::{self, Fence},
    shell,
};
use crate::support::{
    castellan::{Archive, end, free_port},
    wire::Ask,
};

/// The folder of what is installed.
fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

/// `unit`, with our own binary for the installed one, in a folder of its own.
fn at_hand(more: &[&str]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(packaging().join(name)).unwrap();
    let binary = env!("CARGO_BIN_EXE_castellan");
    let unit = read("castellan.service");
    assert!(unit.contains("ExecStart=/usr/local/bin/castellan "), "{unit}");
    let unit = unit.replace("ExecStart=/usr/local/bin/castellan ", &format!("ExecStart={binary} "));
    let more: String = more.iter().map(|name| read(name)).collect();
    let path = folder.path().join("castellan.service");
    let (service, install) = unit.split_once("[Install]").unwrap();
    fs::write(&path, format!("{service}{more}\n[Install]{install}")).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

fn analyze(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .env("SYSTEMD_COLORS", "0")
        .output()
        .expect("this test needs systemd-analyze");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_unit_has_nothing_that_systemd_warns_of() {
    for more in [&[][..], &["castellan-tls.conf"]] {
        let (_folder, unit) = at_hand(more);
        let (good, said) = analyze(&["verify", "--man=no", &unit]);
        assert!(good, "{said}");
        let about_us: Vec<&str> =
            said.lines().filter(|line| line.contains("castellan.service")).collect();
        assert!(about_us.is_empty(), "{said}");
    }
}

#[test]
fn the_exposure_of_the_unit_is_low() {
    // In tenths, from 0 to 100. The rest is the network, and the file system that it only reads.
    for (more, threshold) in [(&[][..], "15"), (&["castellan-tls.conf"], "20")] {
        let (_folder, unit) = at_hand(more);
        let threshold = format!("--threshold={threshold}");
        let (good, said) = analyze(&["security", "--offline=true", &threshold, &unit]);
        assert!(good, "{said}");
    }
}

#[test]
fn the_linter_would_notice_a_unit_without_its_restrictions() {
    let (folder, unit) = at_hand(&[]);
    let text = fs::read_to_string(&unit).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("SystemCallFilter"))
        .fold(String::new(), |all, line| all + line + "\n");
    fs::write(&unit, without).unwrap();
    assert!(!analyze(&["security", "--offline=true", "--threshold=15", &unit]).0);
    fs::write(&unit, format!("{text}\nProtectEverything=yes\n")).unwrap();
    assert!(analyze(&["verify", "--man=no", &unit]).1.contains("ProtectEverything"));
    drop(folder);
}

/// systemd in namespaces of its own, with the unit running.
struct Machine {
    /// Ends all the others with it.
    unshare: Child,
    /// What it is in there, as the machine outside numbers it.
    systemd: String,
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.unshare);
    }
}

/// Why no systemd can be started here, if it cannot.
fn unable() -> Option<String> {
    let try_out =
        "test -d /run/systemd/system && { echo 'this machine runs systemd itself'; exit 1; }
        test -x /lib/systemd/systemd || { echo 'systemd is not installed'; exit 1; }
        mount -t tmpfs tmpfs /sys/fs/cgroup && mkdir /sys/fs/cgroup/systemd &&
        mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd";
    let tried = Command::new("unshare").args(["--mount", "sh", "-c", try_out]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into())
        }
        Err(error) => Some(format!("unshare: {error}")),
    }
}

impl Machine {
    fn start(folder: &Path, configuration: &str) -> Self {
        let (config, more) = (folder.join("castellan.toml"), folder.join("more.conf"));
        fs::write(&config, configuration).unwrap();
        fs::write(
            &more,
            "[Unit]\nDefaultDependencies=no\n[Service]\n\
             StandardOutput=append:/run/castellan.out\nStandardError=append:/run/castellan.err\n",
        )
        .unwrap();
        let unshare = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--uts", "--ipc", "--mount-proc", "--kill-child"])
            .args(["sh", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/documents/systemd.sh")])
            .args([&packaging(), Path::new(env!("CARGO_BIN_EXE_castellan")), &config, &more])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let id = unshare.id();
        let mut machine = Self { unshare, systemd: String::new() };
        for _ in 0..200 {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
            children.trim().clone_into(&mut machine.systemd);
            let said = fs::read_to_string(folder.join("stderr")).unwrap();
            assert!(machine.unshare.try_wait().unwrap().is_none(), "{said}");
            if !machine.systemd.is_empty() && machine.shows("castellan", "MainPID").is_some() {
                return machine;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("systemd does not start: {}", fs::read_to_string(folder.join("stderr")).unwrap());
    }

    /// Runs a command in there, as root.
    fn root(&self, arguments: &[&str]) -> Output {
        let place = ["--target", &self.systemd, "--mount", "--pid", "--"];
        Command::new("nsenter").args(place).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs our command line in there as the documents do, with `input`.
    fn castellan(&self, arguments: &[&str], input: &str) -> String {
        let place = ["--target", &self.systemd, "--mount", "--pid", "--"];
        let user = ["runuser", "-u", "castellan", "--", "castellan"];
        let mut child = Command::new("nsenter")
            .args(place)
            .args(user)
            .args(["--config", "/var/lib/castellan/castellan.toml"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the commands of a block of `docs/production.md`, as its reader.
    fn follow(&self, block: &Fence) {
        for command in shell::commands(block) {
            let done = self.root(&["sh", "-c", &format!("cd /run/reader && {command}")]);
            assert!(done.status.success(), "{command}: {done:?}");
        }
    }

    /// A property of a unit; nothing as long as systemd does not answer.
    fn shows(&self, unit: &str, property: &str) -> Option<String> {
        let output = self.root(&["systemctl", "show", "--value", "--property", property, unit]);
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.trim().to_owned())
    }

    fn reads(&self, path: &str) -> String {
        String::from_utf8_lossy(&self.root(&["cat", path]).stdout).into_owned()
    }

    async fn until_ready(&self, url: &str) {
        let port = url.rsplit_once(':').unwrap().1;
        for _ in 0..800 {
            if tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.is_ok() {
                let ready = Ask::get(&format!("{url}/readyz")).send().await;
                if ready.status == 200 && !ready.body.contains("false") {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let err = self.reads("/run/castellan.err");
        panic!("not ready: {err}\n{:?}", self.root(&["systemctl", "status", "castellan"]));
    }
}

const DOCUMENTS: &str = "
resourceType: User
id: ada
userName: ada
password: correct horse battery staple
---
resourceType: Client
id: writer
secret: a-secret-of-the-writer-for-this-test
first_party: true
grant_types: [password, client_credentials]
scope: [openid, 'Mutation:Person:*']
";

/// The whole of it: sign-in with a real password hash, a guard, a reload, a restart, a stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_works_within_the_restrictions_of_the_unit() {
    if let Some(why) = unable() {
        // Past the capture of the test: a run without it is to be seen.
        let _ = writeln!(std::io::stderr(), "NOT RUN: the unit under systemd: {why}");
        return;
    }
    let (archive, port) = (Archive::start().await, free_port());
    let url = format!("http://localhost:{port}");
    let configuration = format!(
        "issuer = \"{url}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n[data]\nmaster_key = {{ file = \"/etc/castellan/master-key\" }}\n\
         [audit]\noutput = {{ file = \"audit.jsonl\" }}\n\
         [[guard]]\nname = \"archive\"\npath = \"/graphql\"\nupstream = \"{}\"\n",
        archive.url
    );
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start(folder.path(), &configuration);
    let mut blocks = fences::of("docs/production.md", "sh");
    blocks.retain(|block| block.heading == "As a systemd service");
    let [install, look] = &blocks[..] else { panic!("two blocks: {blocks:?}") };
    machine.follow(install);
    machine.until_ready(&url).await;
    machine.follow(look);
    check_the_process(&machine);

    machine.castellan(&["apply", "-f", "-"], DOCUMENTS);
    let form = [("grant_type", "password"), ("username", "ada"), ("client_id", "writer")];
    let form = [
        &form[..],
        &[
            ("client_secret", "a-secret-of-the-writer-for-this-test"),
            ("password", "correct horse battery staple"),
            ("scope", "openid Mutation:Person:Create"),
        ],
    ]
    .concat();
    let answer = Ask::post(&format!("{url}/auth/token")).form(&form).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let create = json!({"query": "mutation { CreatePerson(name: \"Ada\") { name } }"});
    let answer = Ask::post(&format!("{url}/graphql")).json(&create).bearer(&token).send().await;
    assert_eq!(answer.json()["data"]["CreatePerson"]["name"], "Ada", "{answer:?}");
    assert!(machine.reads("/var/lib/castellan/audit.jsonl").lines().count() > 0);
    assert!(machine.castellan(&["doctor"], "").contains("decrypted with the master key"));
    assert!(machine.castellan(&["reload"], "").starts_with("reloaded"));

    // By systemd: a reload, a start after a crash, a stop.
    assert!(machine.root(&["systemctl", "reload", "castellan"]).status.success());
    let first = machine.shows("castellan", "MainPID").unwrap();
    assert!(machine.root(&["kill", "-KILL", &first]).status.success());
    for _ in 0..200 {
        let second = machine.shows("castellan", "MainPID").unwrap();
        if second != "0" && second != first {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    machine.until_ready(&url).await;
    let answer = Ask::post(&format!("{url}/graphql")).json(&create).bearer(&token).send().await;
    assert_eq!(answer.json()["data"]["CreatePerson"]["name"], "Ada", "{answer:?}");
    assert!(machine.root(&["systemctl", "stop", "castellan"]).status.success());
    assert_eq!(machine.shows("castellan", "Result").as_deref(), Some("success"));
    assert_eq!(machine.shows("castellan", "ExecMainStatus").as_deref(), Some("0"));
}

/// What the kernel says of the server's process.
fn check_the_process(machine: &Machine) {
    let id = machine.shows("castellan", "MainPID").unwrap();
    let status = machine.reads(&format!("/proc/{id}/status"));
    let value = |name: &str| {
        let line = status.lines().find(|line| line.split(':').next() == Some(name));
        line.unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(value("Seccomp"), "2", "{status}");
    assert_eq!(value("NoNewPrivs"), "1", "{status}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(value(set), "0000000000000000", "{status}");
    }
    assert_ne!(value("Uid"), "0", "{status}");
    let limits = machine.reads(&format!("/proc/{id}/limits"));
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    // What the unit says, or as many as this machine lets anybody have.
    let most = Command::new("sh").args(["-c", "ulimit -Hn"]).output().unwrap().stdout;
    let most: u64 = String::from_utf8(most).unwrap().trim().parse().unwrap_or(u64::MAX);
    assert_eq!(files.split_whitespace().nth(3), Some(&*most.min(65_536).to_string()), "{files}");
    // In its own view of the files, where even root could not write.
    let within = |arguments: &[&str]| {
        machine.root(&[&["nsenter", "--target", &id, "--mount", "--"], arguments].concat())
    };
    for place in ["/usr/local/bin/x", "/etc/x", "/var/x", "/home/x"] {
        assert!(!within(&["touch", place]).status.success(), "{place}");
    }
    assert!(!within(&["cat", "/home/letter"]).status.success());
    assert!(within(&["touch", "/var/lib/castellan/x"]).status.success());
    assert!(!within(&["ls", "/dev/kmsg"]).status.success());
    let folder = machine.root(&[
        "stat",
        "--format",
        "%a %U",
        "/var/lib/castellan",
        "/var/lib/castellan/castellan.db",
    ]);
    assert_eq!(String::from_utf8_lossy(&folder.stdout), "700 castellan\n600 castellan\n");
}
