//! `castellan apply`: documents into the database.

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use castellan_issuer::{
    Issuer,
    apply::{Applied, Mode},
};

use super::{Failure, documents};

/// Create or update resources from YAML or JSON documents.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A file of documents; `-` reads the standard input.
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(issuer: &Issuer, arguments: Arguments) -> Result<ExitCode, Failure> {
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Write };
    let mut all = Vec::new();
    // Every file is read before anything is written.
    for path in &arguments.files {
        let text = if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        } else {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
        };
        let read =
            documents::read(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        all.extend(read.into_iter().enumerate().map(|(at, document)| (path, at + 1, document)));
    }
    for (path, at, document) in all {
        let applied = issuer
            .apply(document, mode)
            .await
            .map_err(|error| format!("{}: document {at}: {error}", path.display()))?;
        report(&applied, mode)?;
    }
    Ok(ExitCode::SUCCESS)
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
        let before = applied.before.as_ref().map(documents::write).transpose()?.unwrap_or_default();
        for line in documents::difference(&before, &documents::write(&applied.after)?) {
            println!("    {line}");
        }
        if applied.secret_changed {
            println!("    + (a new secret)");
        }
    }
    Ok(())
}
