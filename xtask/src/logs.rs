//! What servers log while the black-box suite runs: every line is JSON, and none holds a secret that a
//! test has sent, received or configured (`docs/logs.md`).

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::steps::{FEATURES, Outcome, Report, run};

/// The variable that tells tests of the server where logs are collected.
const FOLDER: &str = "CASTELLAN_TEST_LOGS";
/// By how many bytes at its beginning a secret is looked up. No shorter one is collected.
const BEGINNING: usize = 10;
/// The target of lines that hold messages, which `log = true` asks for.
const MESSAGES: &str = "castellan::message";
/// How many problems are shown.
const SHOWN: usize = 20;

/// The logs that tests of the server collect.
pub struct Logs(Result<PathBuf, String>);

impl Logs {
    /// What is collected from now on, in an empty folder.
    pub fn collected() -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-logs");
        let _ = fs::remove_dir_all(&target);
        let made = fs::create_dir_all(&target).and_then(|()| target.canonicalize());
        Self(made.map_err(|error| format!("{}: {error}", target.display())))
    }

    /// Tells `tests` where to collect them.
    pub fn describe(&self, tests: &mut Command) {
        if let Ok(folder) = &self.0 {
            tests.env(FOLDER, folder);
        }
    }

    /// Looks through what was collected.
    pub fn check(&self) -> Outcome {
        let folder = match &self.0 {
            Ok(folder) => folder,
            Err(why) => return Outcome::Failed(why.clone()),
        };
        let (mut lines, mut secrets) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let text = fs::read(entry.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let is_log = entry.path().extension().is_some_and(|kind| kind == "jsonl");
            let to = if is_log { &mut lines } else { &mut secrets };
            to.extend(text.lines().map(ToOwned::to_owned));
        }
        let problems = problems(&lines, &secrets);
        for problem in problems.iter().take(SHOWN) {
            println!("{problem}");
        }
        println!("{} lines, {} secrets", lines.len(), secrets.len());
        match (lines.is_empty() || secrets.is_empty(), problems.len()) {
            (true, _) => Outcome::Failed("nothing was collected".to_owned()),
            (false, 0) => Outcome::Passed,
            (false, count) => {
                Outcome::Failed(format!("{count} lines are no JSON, or hold a secret"))
            }
        }
    }
}

/// Runs the black-box suite with logs on, or those of its tests whose names contain `name`, and looks
/// through them.
pub fn test(name: Option<&str>) -> Report {
    let mut report = Report::default();
    let logs = Logs::collected();
    report.run("tests with logs", || {
        let mut tests = Command::new("cargo");
        tests.args([
            "test",
            "-p",
            "castellan-server",
            "--features",
            FEATURES,
            "--test",
            "it",
            "--",
        ]);
        tests.args(["--skip", "postgres", "--skip", "mongodb", "--skip", "dynamodb"]);
        logs.describe(&mut tests);
        run(tests.args(name))
    });
    report.run("logs of these tests", || logs.check());
    report
}

fn problems(lines: &[String], secrets: &[String]) -> Vec<String> {
    let mut by_beginning: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
    for secret in secrets.iter().map(String::as_bytes) {
        if let Some(beginning) = secret.get(..BEGINNING) {
            let known = by_beginning.entry(beginning).or_default();
            if !known.contains(&secret) {
                known.push(secret);
            }
        }
    }
    let held = |line: &str| {
        (0..line.len()).find_map(|at| {
            let rest = &line.as_bytes()[at..];
            let known = by_beginning.get(rest.get(..BEGINNING)?)?;
            known.iter().find(|secret| rest.starts_with(secret)).copied()
        })
    };
    let problem = |line: &String| {
        let Ok(Value::Object(members)) = serde_json::from_str(line) else {
            return Some(format!("no JSON: {line}"));
        };
        if members.get("target").is_some_and(|target| target == MESSAGES) {
            return None;
        }
        let secret = held(line)?;
        Some(format!("holds {:?}: {line}", String::from_utf8_lossy(secret)))
    };
    lines.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_json_or_hold_a_secret_are_found() {
        let secrets = ["a-secret-of-some-length".to_owned()];
        for (line, is_bad) in [
            (r#"{"target":"a","message":"all is well"}"#, false),
            (r#"{"target":"a","message":"x=a-secret-of-some-length"}"#, true),
            (r#"{"target":"a","message":"a-secret-of-some"}"#, false),
            (r#"{"target":"castellan::message","text":"a-secret-of-some-length"}"#, false),
            ("thread 'main' panicked", true),
            (r#""a text""#, true),
        ] {
            assert_eq!(problems(&[line.to_owned()], &secrets).len(), usize::from(is_bad), "{line}");
        }
    }
}
