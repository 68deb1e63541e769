//! `castellan migrate`, `export` and `import`: tables made and upgraded, records moved.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use castellan_issuer::{
    moving::{Arrived, Moved, Walk},
    store::Store,
};
use castellan_proto::Timestamp;
use castellan_stores::Migrate;
use serde_json::json;

use super::Failure;
use crate::{config::Loaded, data};

/// Make and upgrade tables, or move everything from one data source to another.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where everything comes from; without it, the tables of `data.url` are made and upgraded.
    #[arg(long, value_name = "URL", requires = "to")]
    from: Option<String>,
    /// Where everything goes. The master key stays the same.
    #[arg(long, value_name = "URL", requires = "from")]
    to: Option<String>,
    /// Compare both at the end, counts and contents. Ends with 1 if they differ.
    #[arg(long, requires = "to")]
    verify: bool,
}

/// Write everything to a file, one record a line; hashes of secrets and sealed keys are in it.
#[derive(clap::Args)]
pub(super) struct ExportArguments {
    /// The file; the standard output without it. Made readable by this user alone.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Read what `export` wrote. What is there already stays; what is another there is written over.
#[derive(clap::Args)]
pub(super) struct ImportArguments {
    /// The file; the standard input without it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The first line of an export.
const HEAD: &str = "castellan-export";
/// Records between two words about how far it is.
const EVERY: usize = 1_000;

pub(super) async fn run(loaded: &Loaded, arguments: Arguments) -> Result<ExitCode, Failure> {
    let (Some(from), Some(to)) = (&arguments.from, &arguments.to) else {
        data::open_store(loaded, &loaded.config.data.url, Migrate::Yes).await?;
        println!("the data source is up to date");
        return Ok(ExitCode::SUCCESS);
    };
    let from = data::open_store(loaded, from, Migrate::No).await?;
    let to = data::open_store(loaded, to, Migrate::Yes).await?;
    let (sites, now) = (sites(loaded), crate::clock::clock().now());
    let mut tally = Tally::default();
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
                    println!("differs: {} of the {place}", record.key.text());
                }
            }
        }
    }
    println!(
        "{} records at the source, {} at the destination, {odd} differences",
        counts[0], counts[1]
    );
    Ok(if odd == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) async fn export(
    loaded: &Loaded,
    arguments: ExportArguments,
) -> Result<ExitCode, Failure> {
    let store = data::open_store(loaded, &loaded.config.data.url, Migrate::No).await?;
    let now = crate::clock::clock().now();
    let mut out: Box<dyn Write> = match &arguments.file {
        Some(path) => Box::new(BufWriter::new(secret_file(path)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    writeln!(out, "{}", json!({HEAD: 1}))?;
    let (mut walk, mut count) = (Walk::new(&*store, &sites(loaded), now), 0_usize);
    while let Some(page) = walk.next().await? {
        for record in &page {
            writeln!(out, "{}", serde_json::to_string(&Moved::leaving(record)?)?)?;
        }
        count += page.len();
    }
    // Without its last line an export is broken off.
    writeln!(out, "{}", json!({"records": count}))?;
    out.flush()?;
    eprintln!("{count} records");
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
    let store = data::open_store(loaded, &loaded.config.data.url, Migrate::Yes).await?;
    let now = crate::clock::clock().now();
    let (mut tally, mut whole) = (Tally::default(), false);
    for (at, line) in lines.lines().enumerate() {
        let (line, number) = (line?, at + 1);
        let wrong = |problem: String| format!("line {number}: {problem}");
        if at == 0 {
            let head: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if head[HEAD] != 1 {
                return Err(wrong("this is no export of a version that is known".to_owned()).into());
            }
            continue;
        }
        if let Ok(End { records }) = serde_json::from_str(&line) {
            if records != tally.total() {
                return Err(
                    wrong(format!("{records} were written, and {} read", tally.total())).into()
                );
            }
            whole = true;
            break;
        }
        let moved: Moved = serde_json::from_str(&line)
            // The cause could repeat what it holds.
            .map_err(|error| wrong(format!("no record (column {})", error.column())))?;
        tally.count(moved.arrive(&*store, now).await.map_err(|error| wrong(error.to_string()))?);
    }
    if !whole {
        return Err("the export breaks off; what came before is written".into());
    }
    tally.close("imported");
    Ok(ExitCode::SUCCESS)
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
            eprintln!("{} records so far", self.total());
        }
    }

    const fn total(&self) -> usize {
        self.new + self.same + self.changed
    }

    fn close(&self, done: &str) {
        println!(
            "{done} {} records: {} new, {} the same already, {} written over",
            self.total(),
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

    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| format!("{}: {error}", path.display()).into())
}
