//! Servers that run under callgrind, and the instructions that they have executed in user space.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    fault::Fault,
    packages,
    process::{said, tied},
};

/// What the files of counts are called in the folder of the server that they are of.
const OUT: &str = "callgrind.out";

/// How many times as long as usual servers take for their first answer here, at most.
pub const SLOWED: u32 = 20;

/// `program` under callgrind. Its counts are written into `folder`.
///
/// # Errors
/// [`Fault::Missing`] if this machine has no valgrind.
pub fn counted(program: &Path, folder: &Path) -> Result<Command, Fault> {
    packages::debian(("valgrind", "--version"), "valgrind")?;
    let mut command = tied("/usr/bin/valgrind");
    let out = folder.join(OUT);
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(pipes(folder));
    // Threads take turns by themselves too rarely for servers that pass work between them.
    command.args(["--fair-sched=yes", "--quiet"]).arg(program);
    Ok(command)
}

/// Writes what the process `pid` has executed since the last time into a file, and reads it.
///
/// # Errors
/// [`Fault::Failed`] if it is not under callgrind.
pub fn since_last(pid: u32, folder: &Path) -> Result<(u64, PathBuf), Fault> {
    let before = files(folder)?;
    said(Command::new("vgdb").arg(pipes(folder)).arg(format!("--pid={pid}")).arg("dump"))?;
    let new = files(folder)?.into_iter().find(|file| !before.contains(file));
    let file = new.ok_or_else(|| Fault::failed("callgrind wrote no counts"))?;
    let instructions = total(&fs::read_to_string(&file)?)
        .ok_or_else(|| Fault::failed("a file of callgrind without a total"))?;
    Ok((instructions, file))
}

/// Where a process under callgrind is spoken to.
fn pipes(folder: &Path) -> String {
    format!("--vgdb-prefix={}", folder.join("vgdb").display())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let names = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(OUT);
    let paths = fs::read_dir(folder)?.flatten();
    Ok(paths
        .filter_map(|entry| {
            let path = entry.path();
            names(entry).then_some(path)
        })
        .collect())
}

/// The instructions that a file of counts is about (its line `totals:`).
fn total(text: &str) -> Option<u64> {
    let line = text.lines().rev().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_read_from_the_end() {
        let text =
            "# callgrind format\nevents: Ir\nsummary: 7\n\nfn=(1) main\n1 5\n\ntotals: 1250\n";
        assert_eq!(total(text), Some(1_250));
        assert_eq!(total("events: Ir\nfn=(1) main\n"), None);
    }
}
