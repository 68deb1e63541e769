//! `castellan apply`: documents into the database.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use castellan_issuer::{
    Issuer,
    resources::{Applied, Mode, Roster},
};
use castellan_proto::{Secret, is_identifier, strict_json};
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::Failure;
use crate::{http_client::HttpClient, yaml};

/// Create or update resources from YAML or JSON documents.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// File with documents; `-` reads standard input. May be repeated.
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Show what would change without changing anything.
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

pub(super) async fn run(issuer: &Issuer, arguments: Arguments) -> Result<ExitCode, Failure> {
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Write };
    for Read { place, document } in read(&arguments.files)? {
        let applied =
            issuer.apply(document, mode).await.map_err(|error| format!("{place}: {error}"))?;
        report(&applied, mode)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends the documents to a running server, one request each. Its certificate is checked against what
/// the configuration at `config` and the environment trust, and against the public authorities.
pub(super) async fn run_remotely(
    config: Option<&Path>,
    arguments: Arguments,
) -> Result<ExitCode, Failure> {
    let server = arguments.server.ok_or("--server is required")?;
    let token = Secret::new(arguments.token.ok_or("--token is required")?);
    let roots = super::load(config, None)?.roots;
    let egress = HttpClient::to(&roots, [&server]);
    for Read { place, document } in read(&arguments.files)? {
        let text = |member: &str| document[member].as_str().unwrap_or_default().to_owned();
        let (kind, id) = (text("resourceType"), text("id"));
        if Roster::default().named(&kind).is_none() || !is_identifier(&id) {
            return Err(format!("{place}: resourceType or id is missing").into());
        }
        let url = server.join(&format!("/{kind}/{id}"))?;
        let sent = egress.send(Method::PUT, &url, Some(&token), document.to_string()).await;
        let (status, body) = sent.map_err(|error| format!("{place}: {server}: {error}"))?;
        match status {
            StatusCode::CREATED => println!("created {kind}/{id}"),
            StatusCode::OK => println!("put {kind}/{id}"),
            _ => {
                let outcome: Value = serde_json::from_slice(&body).unwrap_or_default();
                let why = outcome["issue"][0]["diagnostics"].as_str().unwrap_or_default();
                return Err(format!("{place}: {kind}/{id}: {status} {why}").into());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A document and where it was written.
pub(super) struct Read {
    pub(super) place: String,
    pub(super) document: Value,
}

/// Every file is read before anything is written.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Read>, Failure> {
    let mut all = Vec::new();
    for path in files {
        let name =
            if path.as_os_str() == "-" { Path::new("standard input") } else { path }.display();
        let mut bytes = Vec::new();
        let done = if path.as_os_str() == "-" {
            std::io::stdin().read_to_end(&mut bytes)
        } else {
            File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
        };
        done.map_err(|error| format!("{name}: cannot be read: {error}"))?;
        let text = strict_json::text(bytes).map_err(|problem| format!("{name}: {problem}"))?;
        let read = yaml::read(&text).map_err(|problem| format!("{name}: {problem}"))?;
        all.extend(read.into_iter().enumerate().map(|(at, document)| Read {
            place: format!("{name}, document {}", at + 1),
            document,
        }));
    }
    Ok(all)
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
    for warning in &applied.warnings {
        eprintln!("warning: {}: {warning}", applied.resource);
    }
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
