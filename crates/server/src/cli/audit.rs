//! `castellan audit`: reads audit records, and finds out whether they are as they were written.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use castellan_issuer::{
    Issuer,
    audit::{
        AuditKind, Outcome,
        verify::{Report, Verification},
    },
    resources::{
        ResourceKind,
        search::{Next, Search},
    },
};
use castellan_proto::{Lifetime, Timestamp};
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use super::{Failure, counted};

/// Read audit records, the latest first, or verify them.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only from this time on: `2027-01-15`, `2027-01-15T08:00:00Z`, or how long ago: `2h`, `7d`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only this kind of record. May be repeated.
    #[arg(long, value_parser = PossibleValuesParser::new(AuditKind::ALL.map(AuditKind::as_str)))]
    kind: Vec<String>,
    /// Only what this person did, or what concerned them.
    #[arg(long, value_name = "ID")]
    person: Option<String>,
    /// Only what was done through this app, or by it.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only what was done to this, such as `Client/portal`.
    #[arg(long, value_name = "KIND/ID")]
    target: Option<String>,
    /// Only from this address.
    #[arg(long, value_name = "ADDRESS")]
    source: Option<String>,
    /// Only with this outcome.
    #[arg(long, value_parser = PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str)))]
    outcome: Option<String>,
    /// Only of the request whose answer had this in the header Castellan-Decision.
    #[arg(long, value_name = "ID")]
    decision: Option<String>,
    /// Maximum number of records.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print JSON, one record per line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Find out whether records were changed, removed or moved. Exits with 1 if so.
    Verify {
        /// Files that `audit.output` names, the oldest first (default: the data source).
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Records that are read at a time.
const PAGE: &str = "200";

pub(super) async fn run(issuer: &Issuer, arguments: Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Some(Command::Verify { files }) if files.is_empty() => {
            Ok(report(&issuer.verify_audit().await?))
        }
        Some(Command::Verify { files }) => Ok(report(&verify_files(issuer, files)?)),
        None => list(issuer, &arguments).await,
    }
}

async fn list(issuer: &Issuer, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let now = issuer.now();
    let mut pairs: Vec<(&str, String)> = vec![("_count", PAGE.to_owned())];
    for (name, prefix, given) in
        [("--since", "ge", &arguments.since), ("--until", "lt", &arguments.until)]
    {
        if let Some(text) = given {
            pairs.push(("date", format!("{prefix}{}", time(name, text, now)?)));
        }
    }
    if !arguments.kind.is_empty() {
        pairs.push(("type", arguments.kind.join(",")));
    }
    for (name, given) in [
        ("user", &arguments.person),
        ("client", &arguments.client),
        ("entity", &arguments.target),
        ("source", &arguments.source),
        ("outcome", &arguments.outcome),
        ("decision", &arguments.decision),
    ] {
        if let Some(text) = given {
            // One value, whatever is in it.
            pairs.push((name, text.replace('\\', "\\\\").replace(',', "\\,")));
        }
    }
    let (mut left, mut after) = (arguments.limit.unwrap_or(usize::MAX), None::<String>);
    while left > 0 {
        let named = pairs.iter().map(|(name, value)| (*name, &**value));
        let place = after.as_deref().map(|cursor| ("_after", cursor));
        let search = Search::read(ResourceKind::AUDIT_EVENT, named.chain(place))?;
        let found = issuer.search(&search).await?;
        for document in found.documents.iter().take(left) {
            if arguments.json {
                println!("{document}");
            } else {
                println!("{}", in_words(document));
            }
        }
        left = left.saturating_sub(found.documents.len());
        match found.next {
            Some(Next::After(cursor)) => after = Some(cursor),
            Some(Next::Page) | None => break,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The time that `text` names for the option `name`, at `now`.
fn time(name: &str, text: &str, now: Timestamp) -> Result<String, Failure> {
    if Timestamp::span(text).is_some() {
        return Ok(text.to_owned());
    }
    let ago = Lifetime::try_from(text.to_owned()).map_err(|_| {
        format!(
            "{name}: {text:?} must be a time in UTC such as 2027-01-15 or \
                 2027-01-15T08:00:00Z, or how long ago, such as 2h or 7d"
        )
    })?;
    Ok(Timestamp(now.0.saturating_sub(ago.get().as_secs())).rfc3339())
}

/// A record in one line.
fn in_words(document: &Value) -> String {
    let text = |name: &str| document[name].as_str().map(ToOwned::to_owned);
    let reference = |name: &str| {
        let at = |member: &str| document[name][member].as_str();
        Some(format!("{}/{}", at("resourceType")?, at("id")?))
    };
    let said = |label: &str, value: Option<String>| value.map(|value| format!("{label} {value}"));
    let parts = [
        text("recorded"),
        text("type"),
        text("outcome"),
        said("by", reference("user")),
        said("through", reference("client")),
        said("with", reference("credential")),
        said("of", reference("subject")),
        said("to", reference("target")),
        text("detail").map(|detail| format!("({detail})")),
        document["count"].as_u64().map(|count| format!("({count})")),
        said("from", text("source")),
        said("decision", text("decision")),
    ];
    // What callers chose is among it, and must not steer a terminal.
    let line = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
    line.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn verify_files(issuer: &Issuer, files: &[PathBuf]) -> Result<Report, Failure> {
    let mut verification = Verification::new(issuer);
    for path in files {
        let name = path.display();
        let wrong = |error| format!("{name}: cannot be read: {error}");
        let file = BufReader::new(File::open(path).map_err(wrong)?);
        let mut has_records = false;
        for (at, line) in file.split(b'\n').enumerate() {
            let line = line.map_err(wrong)?;
            // What else a server says on standard output is no record.
            if line.first() == Some(&b'{') {
                has_records = true;
                let place = format!("{}:{}", short(path), at + 1);
                verification.line(&place, &String::from_utf8_lossy(&line));
            }
        }
        if !has_records {
            return Err(
                format!("{name} has no records; if it is compressed, unpack it first").into()
            );
        }
    }
    Ok(verification.of_files())
}

fn short(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn report(report: &Report) -> ExitCode {
    for fault in &report.faults {
        println!("FAULT  {fault}");
    }
    for note in &report.notes {
        println!("note   {note}");
    }
    if report.records == 0 {
        println!("There are no records: if some were kept (audit.keep), all of them were removed.");
        return ExitCode::FAILURE;
    }
    let records = counted(report.records, "record");
    let chains = report.chains;
    let of = if chains == 1 { "1 process".to_owned() } else { format!("{chains} processes") };
    if report.faults.is_empty() {
        println!("{records} of {of}: none was changed, removed or moved");
        ExitCode::SUCCESS
    } else {
        println!("{records} of {of}: {}", counted(report.faults.len(), "fault"));
        ExitCode::FAILURE
    }
}
