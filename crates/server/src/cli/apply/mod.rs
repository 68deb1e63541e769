//! `castellan apply`: documents into the database.

mod documents;
mod remote;
mod scopes;

use std::{collections::HashMap, path::PathBuf, process::ExitCode};

use castellan_issuer::{
    Issuer,
    resources::{Applied, ApplyError, Mode, Plan},
};
use serde_json::Value;
use url::Url;

use self::{
    documents::{Place, Source},
    scopes::KnownScopes,
};
use super::{Failure, counted};
use crate::{config::Loaded, yaml};

pub(super) use remote::run as run_remotely;

/// Create or update resources from YAML or JSON documents.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// File with documents; `-` reads standard input. May be repeated.
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Show what would change, and everything that is wrong, without changing anything.
    #[arg(long)]
    dry_run: bool,
    /// URL of a running server to send the documents to, instead of writing to the data source.
    #[arg(long, value_name = "URL", requires = "token", conflicts_with = "dry_run")]
    server: Option<Url>,
    /// Access token with the scope Castellan:*.
    #[arg(long, env = "CASTELLAN_TOKEN", hide_env_values = true, value_parser = super::text)]
    token: Option<String>,
}

impl Arguments {
    /// Whether the documents go to a server rather than to the database.
    pub(super) fn is_remote(&self) -> bool {
        self.server.is_some()
    }
}

/// Checks every document, and writes them if all are good.
pub(super) async fn run(
    loaded: &Loaded,
    issuer: &Issuer,
    arguments: Arguments,
) -> Result<ExitCode, Failure> {
    let sources = documents::sources(&arguments.files)?;
    let mut known = KnownScopes::of(loaded);
    let dry = if arguments.dry_run { Some(&mut known) } else { None };
    check(issuer, &sources, dry).await?;
    if arguments.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    for (written, (place, document)) in documents::all(&sources).enumerate() {
        let applied = issuer.apply(document?, Mode::Write).await;
        let applied = applied.map_err(|error| interrupted(place, &error.to_string(), written))?;
        report(&applied, Mode::Write)?;
        warn(&applied, &known.warnings(issuer, &applied).await);
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks the documents of `sources` as if they were written one after the other; says what would
/// become of each if `dry` is given.
async fn check(
    issuer: &Issuer,
    sources: &[Source],
    mut dry: Option<&mut KnownScopes<'_>>,
) -> Result<(), Failure> {
    let (mut plan, mut problems) = (Plan::default(), Problems::default());
    for (place, document) in documents::all(sources) {
        let document = match document {
            Ok(document) => document,
            Err(problem) => {
                problems.add(place, &problem.to_string());
                continue;
            }
        };
        match issuer.check(document, &mut plan).await {
            Ok(applied) => {
                problems.note(place, &applied.resource);
                if let Some(known) = dry.as_deref_mut() {
                    report(&applied, Mode::DryRun)?;
                    warn(&applied, &known.warnings(issuer, &applied).await);
                }
            }
            // The next document would meet the same.
            Err(error @ (ApplyError::Store(_) | ApplyError::Busy(_))) => return Err(error.into()),
            Err(error) => problems.add(place, &error.to_string()),
        }
    }
    problems.none("nothing was written")
}

/// What is wrong with documents, said as it is found.
#[derive(Default)]
struct Problems<'a> {
    found: usize,
    checked: usize,
    /// Where the document about each resource was written.
    seen: HashMap<String, Place<'a>>,
}

impl<'a> Problems<'a> {
    fn add(&mut self, place: Place<'a>, problem: &str) {
        self.checked += 1;
        self.found += 1;
        eprintln!("castellan: {place}: {problem}");
    }

    /// Notes that the document at `place` is about `resource`. Of two about one resource the first
    /// would be lost, or each would be checked without the other.
    fn note(&mut self, place: Place<'a>, resource: &str) {
        if let Some(earlier) = self.seen.get(resource).copied() {
            let text = format!("{resource}: is in {earlier} as well; keep one of them");
            self.add(place, &text);
        } else {
            self.checked += 1;
            self.seen.insert(resource.to_owned(), place);
        }
    }

    /// That there are none; if there are, `outcome` says what became of the documents.
    fn none(&self, outcome: &str) -> Result<(), Failure> {
        if self.found == 0 {
            return Ok(());
        }
        let has = if self.found == 1 { "has a problem" } else { "have problems" };
        let all = counted(self.checked, "document");
        Err(format!("{} of {all} {has}; {outcome}", self.found).into())
    }
}

/// Writing stopped at `place`, after `done` documents.
fn interrupted(place: Place<'_>, problem: &str, done: usize) -> Failure {
    let before = match done {
        0 => "nothing was written".to_owned(),
        1 => "the document before it was written, those after it were not".to_owned(),
        _ => format!("the {done} documents before it were written, those after it were not"),
    };
    format!("{place}: {problem}; {before}").into()
}

/// A document and where it was written.
pub(super) struct Read {
    pub(super) place: String,
    pub(super) document: Value,
}

/// The documents of `files`, each of which can be read.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Read>, Failure> {
    let sources = documents::sources(files)?;
    let read = documents::all(&sources).map(|(place, document)| {
        let document = document.map_err(|problem| format!("{place}: {problem}"))?;
        Ok(Read { place: place.to_string(), document })
    });
    read.collect()
}

fn warn(applied: &Applied, more: &[String]) {
    for warning in applied.warnings.iter().chain(more) {
        eprintln!("warning: {}: {warning}", applied.resource);
    }
}

fn report(applied: &Applied, mode: Mode) -> Result<(), Failure> {
    let done = match (&applied.before, applied.changed(), mode) {
        (_, false, _) => "unchanged",
        (None, true, Mode::Write) => "created",
        (Some(_), true, Mode::Write) => "updated",
        (None, true, Mode::DryRun) => "would create",
        (Some(_), true, Mode::DryRun) => "would update",
    };
    println!("{done} {}", applied.resource);
    if mode == Mode::DryRun && applied.changed() {
        let before = applied.before.as_ref().map(yaml::write).transpose()?.unwrap_or_default();
        for line in yaml::difference(&before, &yaml::write(&applied.after)?) {
            println!("    {line}");
        }
        if applied.secret_changed {
            println!("    + (a new secret)");
        }
    }
    Ok(())
}
