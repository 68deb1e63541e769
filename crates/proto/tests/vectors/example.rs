//! Runs the example, as anybody would: cases in, answers out.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};

/// One line for the example, and what it must answer.
pub struct Case {
    pub what: String,
    pub line: String,
    pub expect: String,
}

impl Case {
    pub fn new(what: impl Into<String>, line: &Value, expect: &str) -> Self {
        Self { what: what.into(), line: line.to_string(), expect: expect.to_owned() }
    }

    /// Whether `jws` holds for `jwk`, used with `alg`.
    pub fn jws(
        what: impl Into<String>,
        (jwk, alg): (&Value, &str),
        jws: &str,
        holds: bool,
    ) -> Self {
        Self::new(what, &json!({"jwk": jwk, "alg": alg, "jws": jws}), said(holds))
    }
}

pub fn said(holds: bool) -> &'static str {
    if holds { "valid" } else { "invalid" }
}

/// Cargo builds the examples of a package next to its tests, but not for `--test vectors` alone;
/// then it is asked to.
fn command() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name(format!("examples/jose{}", std::env::consts::EXE_SUFFIX));
    if path.exists() {
        return Command::new(path);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--package", env!("CARGO_PKG_NAME"), "--example", "jose"]);
    cargo
}

/// What the example says to `lines`.
pub fn answers(lines: Vec<String>) -> Vec<String> {
    let mut running = command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = running.stdin.take().unwrap();
    // From a thread of its own: it answers before it has read everything.
    let writing = thread::spawn(move || input.write_all((lines.join("\n") + "\n").as_bytes()));
    let output = running.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "a line was no case");
    String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// Fails with every case that is answered otherwise. Among them must be some of each answer, for
/// a check that only ever refuses, or only ever accepts, holds nothing.
pub fn hold(cases: &[Case]) {
    for answer in ["valid", "invalid"] {
        assert!(cases.iter().any(|case| case.expect == answer), "no case is {answer}");
    }
    hold_all(cases);
}

/// The same, for answers of one kind.
pub fn hold_all(cases: &[Case]) {
    assert!(!cases.is_empty());
    let answers = answers(cases.iter().map(|case| case.line.clone()).collect());
    assert_eq!(answers.len(), cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .zip(&answers)
        .filter(|(case, answer)| case.expect != **answer)
        .map(|(case, answer)| {
            format!("{} is {answer}, not {}: {}", case.what, case.expect, case.line)
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
