//! `castellan migrate`, `export` and `import`: tables made and upgraded, records moved.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use castellan_issuer::{
    Repository,
    resources::members,
    store::{Kind, Store},
    transfer::{Arrived, LineSeal, Moved, Walk, begin_orders},
};
use castellan_proto::Timestamp;
use castellan_stores::{FormatState, Migrate, Opened};
use serde_json::json;
use zeroize::Zeroizing;

use super::Failure;
use crate::{
    config::Loaded,
    startup::data_source::{self, Access, Data},
};

/// Create and upgrade tables, or copy all records from one data source to another.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Data source to copy from. Without it, the tables of `data.url` are created and upgraded.
    #[arg(long, value_name = "URL", requires = "to")]
    from: Option<String>,
    /// Data source to copy to. The master key stays the same.
    #[arg(long, value_name = "URL", requires = "from")]
    to: Option<String>,
    /// Finish the migration: older versions can no longer use this data source afterwards.
    #[arg(long, conflicts_with = "from")]
    finish: bool,
    /// Compare the counts and contents of both at the end. Exits with 1 if they differ.
    #[arg(long, requires = "to")]
    verify: bool,
}

/// Export all records to a file, one per line. It contains secret hashes and sealed keys.
#[derive(clap::Args)]
pub(super) struct ExportArguments {
    /// File to write (default: standard output). Only the current user can read it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Encrypt the export with the master key, which `import` then needs as well.
    #[arg(long)]
    seal: bool,
}

/// Import records that `export` wrote. Records that differ are overwritten; all others stay.
#[derive(clap::Args)]
pub(super) struct ImportArguments {
    /// File to read (default: standard input).
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Reject an export that is not encrypted with the master key.
    #[arg(long)]
    seal: bool,
    /// Replace the signing keys of the data source by others from the export. Everything that was
    /// issued with the present keys becomes invalid.
    #[arg(long)]
    replace_keys: bool,
}

impl Arguments {
    /// Whether records go from one data source to another, and `data.url` is not asked.
    pub(super) const fn is_copy(&self) -> bool {
        self.from.is_some()
    }
}

/// The first line of an export.
const HEAD: &str = "castellan-export";
/// In the first line of a sealed one: what names it.
const SEALED: &str = "sealed";
/// Records between two words about how far it is.
const EVERY: usize = 1_000;

pub(super) async fn run(loaded: &Loaded, arguments: Arguments) -> Result<ExitCode, Failure> {
    let (Some(from), Some(to)) = (&arguments.from, &arguments.to) else {
        return upgrade(loaded, arguments.finish).await;
    };
    let from = data_source::open_store(loaded, from, Migrate::Look).await?.store;
    let to = data_source::open_store(loaded, to, Migrate::Widen).await?.store;
    let (sites, now) = (sites(loaded), crate::clock::clock().now());
    let mut tally = Tally::default();
    begin_orders(&*to, &sites, now).await?;
    let mut walk = Walk::new(&*from, &sites, now);
    while let Some(page) = walk.next().await? {
        for record in &page {
            tally.count(Moved::leaving(record)?.arrive(&*to, now).await?);
        }
    }
    tally.close("moved");
    if arguments.verify {
        return compare(&*from, &*to, &sites, now).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes what is missing and brings along what is old; says how far the data source is.
async fn upgrade(loaded: &Loaded, finish: bool) -> Result<ExitCode, Failure> {
    let migrate = if finish { Migrate::Finish } else { Migrate::Fill };
    data_source::make_missing_key(loaded)?;
    let opened = open_told(loaded, migrate).await?;
    let FormatState { format, newest } = opened.format_state;
    index_members(loaded, opened.store).await?;
    if format == newest {
        println!("the data source is up to date (format {format})");
    } else {
        println!(
            "the data source is ready for format {newest}; versions that use format {format} can \
             still use it. When no such version is running, run `castellan migrate --finish`"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the data source of the configuration, and says if it was created.
async fn open_told(loaded: &Loaded, migrate: Migrate) -> Result<Opened, Failure> {
    let opened = data_source::open_store(loaded, &loaded.config.data.url, migrate).await?;
    if opened.is_new {
        println!("created a new, empty data source at {}", opened.place);
    }
    Ok(opened)
}

/// Lists accounts by their groups. What older versions wrote meanwhile is not, so all are looked at.
async fn index_members(loaded: &Loaded, store: Arc<dyn Store>) -> Result<(), Failure> {
    let now = crate::clock::clock().now();
    for site in sites(loaded) {
        let repository = Repository::new(Arc::clone(&store), Arc::clone(&site));
        let written = members::index_members(&repository, now, usize::MAX).await?;
        if written > 0 {
            println!("{} of {site} listed by their groups", super::counted(written, "account"));
        }
    }
    Ok(())
}

/// Looks at both once more. What is in one alone, or another there, is named.
async fn compare(
    from: &dyn Store,
    to: &dyn Store,
    sites: &[Arc<str>],
    now: Timestamp,
) -> Result<ExitCode, Failure> {
    let (mut counts, mut odd) = ([0_usize; 2], 0_usize);
    for (side, (here, there)) in [(from, to), (to, from)].into_iter().enumerate() {
        let mut walk = Walk::new(here, sites, now);
        while let Some(page) = walk.next().await? {
            counts[side] += page.len();
            for record in &page {
                if !Moved::leaving(record)?.is_at(there, now).await? {
                    odd += 1;
                    let place = if side == 0 { "source" } else { "destination" };
                    println!("differs: {} at the {place}", record.key.text());
                }
            }
        }
    }
    println!(
        "{} at the source, {} at the destination, {}",
        super::counted(counts[0], "record"),
        counts[1],
        super::counted(odd, "difference")
    );
    Ok(if odd == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) async fn export(
    loaded: &Loaded,
    arguments: ExportArguments,
) -> Result<ExitCode, Failure> {
    let Data { store, master, .. } = data_source::open(loaded, Access::Look).await?;
    let now = crate::clock::clock().now();
    let out: Box<dyn Write> = match &arguments.file {
        Some(path) => Box::new(BufWriter::new(secret_file(path)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let seal = if arguments.seal {
        Some(
            LineSeal::generate(&master)
                .ok_or("the operating system gave no random numbers to seal the export with")?,
        )
    } else {
        None
    };
    let mut lines = Lines::begin(out, seal)?;
    let (mut walk, mut count) = (Walk::new(&*store, &sites(loaded), now), 0_usize);
    while let Some(page) = walk.next().await? {
        for record in &page {
            lines.write(&serde_json::to_string(&Moved::leaving(record)?)?)?;
        }
        count += page.len();
        super::progress(&format!("{count} records so far"));
    }
    // Without its last line an export is broken off.
    lines.write(&json!({"records": count}).to_string())?;
    lines.out.flush()?;
    eprintln!("{}", super::counted(count, "record"));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn import(
    loaded: &Loaded,
    arguments: ImportArguments,
) -> Result<ExitCode, Failure> {
    let lines: Box<dyn BufRead> = match &arguments.file {
        Some(path) => Box::new(BufReader::new(
            File::open(path).map_err(|error| format!("{}: {error}", path.display()))?,
        )),
        None => Box::new(BufReader::new(std::io::stdin())),
    };
    data_source::check_presence(loaded, Access::Begin)?;
    // None is made: the signing keys in an export open with the one that they were sealed with.
    let master = data_source::master(loaded, true).map_err(|error| {
        format!("{error}. An import needs the master key of the data source that was exported")
    })?;
    let store = open_told(loaded, Access::Begin.migrate(loaded)).await?.store;
    let now = crate::clock::clock().now();
    begin_orders(&*store, &sites(loaded), now).await?;
    let (mut whole, mut seal) = (false, None);
    let mut arrivals = Arrivals { store, now, tally: Tally::default(), waiting: Vec::new() };
    for (at, line) in lines.lines().enumerate() {
        let (line, number) = (line?, at + 1);
        let wrong = |problem: String| format!("line {number}: {problem}");
        if at == 0 {
            if let Some(stream) = head(&line).map_err(|problem| wrong(problem.to_owned()))? {
                seal = Some(LineSeal::of(&master, &stream).ok_or(NOT_THIS_KEY)?);
            }
            if arguments.seal && seal.is_none() {
                return Err(wrong(
                    "this export is not sealed, and --seal accepts sealed exports only".to_owned(),
                )
                .into());
            }
            continue;
        }
        let line = match &mut seal {
            Some(seal) => seal.open(&line).ok_or_else(|| wrong(NOT_THIS_KEY.to_owned()))?,
            None => Zeroizing::new(line),
        };
        if let Ok(End { records }) = serde_json::from_str(&line) {
            arrivals.write().await?;
            let read = arrivals.tally.total();
            if records != read {
                let text = format!("the export contains {records} records, but {read} were read");
                return Err(wrong(text).into());
            }
            whole = true;
            break;
        }
        let moved: Moved = serde_json::from_str(&line)
            // The cause could repeat what it holds.
            .map_err(|error| wrong(format!("not a valid record (column {})", error.column())))?;
        moved.check_secrets().map_err(|error| wrong(error.to_string()))?;
        let fits = moved.fits(&*arrivals.store, &master, arguments.replace_keys, now).await;
        fits.map_err(|error| wrong(error.to_string()))?;
        arrivals.add(number, moved).await?;
    }
    if !whole {
        arrivals.write().await?;
        return Err("the export is incomplete; the records before its end were imported".into());
    }
    arrivals.tally.close("imported");
    Ok(ExitCode::SUCCESS)
}

/// Records that are written at the same time: each by itself, but data sources commit together what
/// comes together.
const TOGETHER: usize = 64;

/// The records of an import, on their way to the data source.
struct Arrivals {
    store: Arc<dyn Store>,
    now: Timestamp,
    tally: Tally,
    /// Those that are not written yet, with their lines.
    waiting: Vec<(usize, Moved)>,
}

impl Arrivals {
    /// Takes the record of a line. Signing keys are there before anything else is.
    async fn add(&mut self, line: usize, moved: Moved) -> Result<(), Failure> {
        let are_keys = moved.kind == Kind::Keyring.as_str();
        self.waiting.push((line, moved));
        if are_keys || self.waiting.len() == TOGETHER { self.write().await } else { Ok(()) }
    }

    /// Writes what waits.
    async fn write(&mut self) -> Result<(), Failure> {
        let write = |(line, moved): (usize, Moved)| {
            let (store, now) = (Arc::clone(&self.store), self.now);
            (line, tokio::spawn(async move { moved.arrive(&*store, now).await }))
        };
        let writing: Vec<_> = self.waiting.drain(..).map(write).collect();
        let mut failed = None;
        for (line, written) in writing {
            match written.await? {
                Ok(arrived) => self.tally.count(arrived),
                Err(error) => failed = failed.or(Some(format!("line {line}: {error}"))),
            }
        }
        failed.map_or(Ok(()), |problem| Err(problem.into()))
    }
}

const NOT_THIS_KEY: &str = "the export cannot be decrypted: the master key differs from the one \
                            it was sealed with, or lines were changed, removed or reordered";

/// Reads the first line of an export: what names it if it is sealed.
fn head(line: &str) -> Result<Option<String>, &'static str> {
    let head: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    if head[HEAD] != 1 {
        return Err("not an export, or an export of an unsupported version");
    }
    Ok(head[SEALED].as_str().map(ToOwned::to_owned))
}

/// The lines of an export, sealed or not.
struct Lines {
    out: Box<dyn Write>,
    seal: Option<LineSeal>,
}

impl Lines {
    fn begin(mut out: Box<dyn Write>, seal: Option<LineSeal>) -> Result<Self, Failure> {
        let head = match &seal {
            None => json!({HEAD: 1}),
            Some(seal) => json!({HEAD: 1, SEALED: seal.stream()}),
        };
        writeln!(out, "{head}")?;
        Ok(Self { out, seal })
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        match &mut self.seal {
            None => writeln!(self.out, "{line}")?,
            Some(seal) => {
                let sealed = seal.seal(line).ok_or("a line could not be sealed")?;
                writeln!(self.out, "{sealed}")?;
            }
        }
        Ok(())
    }
}

/// The last line of an export.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    records: usize,
}

/// What became of all of them.
#[derive(Default)]
struct Tally {
    new: usize,
    same: usize,
    changed: usize,
}

impl Tally {
    fn count(&mut self, arrived: Arrived) {
        match arrived {
            Arrived::New => self.new += 1,
            Arrived::Same => self.same += 1,
            Arrived::Changed => self.changed += 1,
        }
        if self.total().is_multiple_of(EVERY) {
            super::progress(&format!("{} records so far", self.total()));
        }
    }

    const fn total(&self) -> usize {
        self.new + self.same + self.changed
    }

    fn close(&self, done: &str) {
        println!(
            "{done} {}: {} new, {} unchanged, {} overwritten",
            super::counted(self.total(), "record"),
            self.new,
            self.same,
            self.changed
        );
    }
}

fn sites(loaded: &Loaded) -> Vec<Arc<str>> {
    loaded.sites.iter().map(|site| Arc::from(&*site.name)).collect()
}

/// A new file that nobody else reads.
fn secret_file(path: &Path) -> Result<File, Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;

    super::new_file(path, std::fs::OpenOptions::new().mode(0o600))
}
