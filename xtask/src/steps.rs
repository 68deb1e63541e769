//! What is run, in which order, and what is reported at the end.

use std::{
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use crate::{dependencies, links, logs::Logs, node, python, servers::Servers};

/// How a step ended.
pub enum Outcome {
    /// The check succeeded.
    Passed,
    /// The check failed.
    Failed(String),
    /// It could not be run on this machine: reported prominently, never counted as passed.
    NotRun(String),
}

/// What has been run.
#[derive(Default)]
pub struct Report {
    lines: Vec<(String, Outcome, Duration)>,
}

/// Runs everything.
pub fn test() -> Report {
    let mut report = Report::default();
    quick(&mut report);
    report.run("docs", docs);
    let servers = Servers::start();
    let logs = Logs::collected();
    report.run("tests", || {
        let mut tests = Command::new("cargo");
        tests.args(["test", "--workspace", "--features", FEATURES, "--no-fail-fast", "--"]);
        servers.describe(&mut tests);
        logs.describe(&mut tests);
        run(&mut tests)
    });
    report.run("logs of these tests", || logs.check());
    checks(&mut report, &servers);
    for (name, why) in &servers.missing {
        let why = format!("{} tests: {why}", count(name));
        report.run(&format!("tests on {name}"), || Outcome::NotRun(why));
    }
    drop(servers);
    report.run("third-party clients in Node.js", node::test);
    report.run("third-party clients in Python", python::test);
    report
}

/// Runs the checks of `docs/contracts/curity.md` on each data source but SQLite.
pub fn engines() -> Report {
    let mut report = Report::default();
    let servers = Servers::start();
    checks(&mut report, &servers);
    report
}

/// Of what a data source cannot do, tests of their own say how it is refused.
fn checks(report: &mut Report, servers: &Servers) {
    // Lists without a filter, and those in an order.
    const REFUSED: &[(&str, &[&str])] = &[("dynamodb", &["curity_05_", "curity_20_to_23_"])];
    for (name, url) in servers.data_sources() {
        let refused = REFUSED.iter().find(|(engine, _)| *engine == name);
        report.run(&format!("checks of curity.md on {name}"), || {
            let mut tests = Command::new("cargo");
            tests.args(["test", "-p", "castellan-server", "--features", FEATURES]);
            tests.args(["--test", "it", "--", "::curity_", "--skip", "mongodb"]);
            tests.args(["--skip", "dynamodb"]);
            for test in refused.into_iter().flat_map(|(_, tests)| *tests) {
                tests.args(["--skip", test]);
            }
            run(tests.env("CASTELLAN_TEST_DATA", url))
        });
    }
}

/// Runs the quick checks.
pub fn check() -> Report {
    let mut report = Report::default();
    quick(&mut report);
    report
}

/// Runs only one step.
pub fn only(name: &str, step: impl FnOnce() -> Outcome) -> Report {
    let mut report = Report::default();
    report.run(name, step);
    report
}

/// The clock that tests can move is on in every test build, and every data source is in it.
pub const FEATURES: &str = "castellan-server/test-clock,castellan-server/full";

fn quick(report: &mut Report) {
    report.run("format", || cargo(&["fmt", "--all", "--check"]));
    report.run("dependencies", dependencies::check);
    report.run("links", links::check);
    report.run("lints", || {
        let lints = ["clippy", "--workspace", "--all-targets", "--features", FEATURES];
        cargo(&[&lints[..], &["--", "-D", "warnings"]].concat())
    });
}

/// How many tests have `name` in theirs.
fn count(name: &str) -> usize {
    let mut list = Command::new("cargo");
    list.args(["test", "--quiet", "--workspace", "--features", FEATURES, "--", "--list", name]);
    let listed = list.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&listed).lines().filter(|line| line.ends_with(": test")).count()
}

fn docs() -> Outcome {
    let mut command = Command::new("cargo");
    command.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn cargo(arguments: &[&str]) -> Outcome {
    run(Command::new("cargo").args(arguments))
}

/// Runs `command` with its output on the terminal.
pub fn run(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("ended with {status}")),
        Err(error) => Outcome::Failed(format!("did not start: {error}")),
    }
}

impl Report {
    /// Runs one step and notes how it ended.
    pub fn run(&mut self, name: &str, step: impl FnOnce() -> Outcome) {
        println!("\n== {name} ==");
        let began = Instant::now();
        let outcome = step();
        self.lines.push((name.to_owned(), outcome, began.elapsed()));
    }

    /// Prints the closing summary.
    pub fn close(self) -> ExitCode {
        println!("\n== summary ==");
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for (name, outcome, took) in &self.lines {
            let seconds = took.as_secs();
            match outcome {
                Outcome::Passed => {
                    passed += 1;
                    println!("passed   {name} ({seconds} s)");
                }
                Outcome::Failed(why) => {
                    failed += 1;
                    println!("FAILED   {name} ({seconds} s): {why}");
                }
                Outcome::NotRun(why) => {
                    skipped += 1;
                    println!("NOT RUN  {name}: {why}");
                }
            }
        }
        println!("steps: {passed} passed, {failed} failed, {skipped} skipped");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
