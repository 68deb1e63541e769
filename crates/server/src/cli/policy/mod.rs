//! `castellan policy`: whether policies, roles and scopes decide as they are meant to.

mod cases;
mod setup;
mod untouched;

use std::{path::PathBuf, process::ExitCode};

use serde_json::{Value, json};

use self::{
    cases::{Expected, File},
    setup::{Decided, Setup},
    untouched::Touched,
};
use super::{Failure, counted};
use crate::config::Loaded;

/// Policies.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Decide the requests of test cases, and compare with what is expected of them.
    ///
    /// Needs neither a server nor a data source: the documents that a file of cases names are applied
    /// to an empty one, which is deleted afterwards. Prints what differs, and which policies, roles
    /// and scopes of these documents no case needed. Exits with 0 if all cases pass, with 1 if one
    /// does not, and with 2 if a file could not be read.
    Test(TestArguments),
}

/// What to test.
#[derive(clap::Args)]
pub(super) struct TestArguments {
    /// File of cases, by custom `NAME.authz.yaml`.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Exit with 1 also if a policy, role or scope of the documents was needed by no case.
    #[arg(long)]
    deny_untouched: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How it ends if it could not look.
const COULD_NOT: u8 = 2;

pub(super) async fn run(loaded: &Loaded, command: Command) -> ExitCode {
    let Command::Test(arguments) = command;
    match test(loaded, &arguments).await {
        Ok(code) => code,
        Err(error) => {
            super::fail(&*error);
            ExitCode::from(COULD_NOT)
        }
    }
}

/// What came of one case.
struct Outcome {
    file: String,
    name: String,
    /// What differs from what is expected; nothing if it passes.
    differences: Vec<String>,
    decided: Vec<Decided>,
}

async fn test(loaded: &Loaded, arguments: &TestArguments) -> Result<ExitCode, Failure> {
    let mut files = Vec::new();
    for path in &arguments.files {
        files.push((path.display().to_string(), File::read(path)?));
    }
    let (mut outcomes, mut touched) = (Vec::new(), Touched::default());
    for (name, file) in &files {
        let setup = Setup::of(loaded, file, &mut touched).await;
        let mut setup = setup.map_err(|error| format!("{name}: {error}"))?;
        for case in &file.cases {
            let (decided, differences) = match setup.decide(case, &mut touched).await {
                Ok(decided) => {
                    let differences = differences(&case.expect, &decided);
                    (decided, differences)
                }
                Err(error) => (Vec::new(), vec![error.to_string()]),
            };
            let (file, name) = (name.clone(), case.name.clone());
            outcomes.push(Outcome { file, name, differences, decided });
        }
    }
    let untouched = touched.rest();
    let failed = outcomes.iter().filter(|one| !one.differences.is_empty()).count();
    if arguments.json {
        println!("{:#}", to_json(&outcomes, &untouched, failed));
    } else {
        print(&outcomes, &untouched, failed);
    }
    let good = failed == 0 && (untouched.is_empty() || !arguments.deny_untouched);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is decided otherwise than expected.
fn differences(expect: &Expected, decided: &[Decided]) -> Vec<String> {
    let Expected::Fields(fields) = expect else {
        let Expected::All(expected) = expect else { return Vec::new() };
        if decided.is_empty() {
            return vec!["the request selects no field".to_owned()];
        }
        return decided.iter().filter_map(|one| one.difference(expected)).collect();
    };
    let mut all = Vec::new();
    for (path, expected) in fields {
        match decided.iter().find(|one| one.path == *path) {
            Some(one) => all.extend(one.difference(expected)),
            None => all.push(format!("{path}: the request does not select it")),
        }
    }
    let unexpected = decided.iter().filter(|one| !fields.contains_key(&one.path));
    all.extend(
        unexpected.map(|one| format!("{}: {}, which no line expects", one.path, one.verdict)),
    );
    all
}

fn print(outcomes: &[Outcome], untouched: &[String], failed: usize) {
    for Outcome { file, name, differences, decided } in outcomes {
        if differences.is_empty() {
            continue;
        }
        println!("FAILED {file}: {name}");
        for difference in differences {
            println!("  {difference}");
        }
        for said in decided.iter().flat_map(|one| &one.said) {
            let because =
                said.because.as_ref().map_or_else(String::new, |text| format!(": {text}"));
            println!("    {} {}{because}", said.policy, said.says.as_str());
        }
    }
    for rule in untouched {
        println!("no case needs {rule}");
    }
    println!("{}, {failed} failed, {} untouched", counted(outcomes.len(), "case"), untouched.len());
}

fn to_json(outcomes: &[Outcome], untouched: &[String], failed: usize) -> Value {
    let cases = outcomes.iter().map(|one| {
        let fields = one.decided.iter().map(
            |field| json!({"path": field.path, "verdict": field.verdict, "policies": field.said}),
        );
        json!({
            "file": one.file,
            "case": one.name,
            "passed": one.differences.is_empty(),
            "differences": one.differences,
            "fields": fields.collect::<Vec<_>>(),
        })
    });
    let cases: Vec<_> = cases.collect();
    json!({"cases": cases, "failed": failed, "untouched": untouched})
}
