//! What Linux says of a process tree: processor time and memory.

use std::{fs, time::Duration};

use crate::fault::Fault;

/// Ticks of processor time per second as `/proc` counts them (`USER_HZ`): 100 on every
/// architecture that Castellan is built for.
const TICKS: u64 = 100;

/// A process and all its descendants, as they were when it was looked up.
pub struct Tree {
    pids: Vec<u32>,
}

/// What one line of `/proc/…/stat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The process or thread.
    pub pid: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// The id of the parent process.
    pub parent: u32,
    /// The process's own user and system time.
    pub own: u64,
    /// User and system time of its children that have ended.
    pub children: u64,
}

/// Memory of a process tree, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident: pages that several processes share count in each.
    pub resident: u64,
    /// Proportional: pages that several processes share are divided among them.
    pub proportional: u64,
}

impl Tree {
    /// The process `root` and everything below it.
    ///
    /// # Errors
    /// [`Fault::Failed`] if `/proc` cannot be read.
    pub fn of(root: u32) -> Result<Self, Fault> {
        let entries =
            fs::read_dir("/proc").map_err(|error| Fault::failed(format!("/proc: {error}")))?;
        let stats: Vec<Stat> = entries
            .flatten()
            .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
            .filter_map(|entry| stat(&fs::read_to_string(entry.path().join("stat")).ok()?))
            .collect();
        Ok(Self { pids: below(root, &stats) })
    }

    /// The processes; the root comes first.
    #[must_use]
    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// User and system time of all of them so far.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let read = |pid| stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
        time(self.pids.iter().filter_map(read).map(|stat| stat.own + stat.children).sum())
    }

    /// User and system time so far of their threads that are called `name`.
    #[must_use]
    pub fn cpu_of_threads(&self, name: &str) -> Duration {
        let threads = |pid: &u32| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        let stats = self
            .pids
            .iter()
            .flat_map(threads)
            .flatten()
            .filter_map(|task| stat(&fs::read_to_string(task.path().join("stat")).ok()?));
        time(stats.filter(|stat| stat.name == name).map(|stat| stat.own).sum())
    }

    /// What they keep in memory now.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let read = |pid: &u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
            memory(&text.unwrap_or_default())
        };
        self.pids.iter().map(read).fold(Memory::default(), |sum, one| Memory {
            resident: sum.resident + one.resident,
            proportional: sum.proportional + one.proportional,
        })
    }
}

/// `root` and those of `stats` that descend from it.
fn below(root: u32, stats: &[Stat]) -> Vec<u32> {
    let mut pids = vec![root];
    let mut at = 0;
    while let Some(parent) = pids.get(at).copied() {
        pids.extend(stats.iter().filter(|stat| stat.parent == parent).map(|stat| stat.pid));
        at += 1;
    }
    pids
}

/// Reads `/proc/…/stat` (proc(5)). The name may contain anything, including brackets.
fn stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        // utime, stime, cutime and cstime are fields 14 to 17, and field 3 is the first one here.
        own: number(11)? + number(12)?,
        children: number(13)? + number(14)?,
    })
}

/// User and system time of this process so far, without what it has started.
#[must_use]
pub fn own_cpu() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    time(stat(&text).map_or(0, |stat| stat.own))
}

/// Reads `/proc/…/smaps_rollup`.
fn memory(text: &str) -> Memory {
    let kibibytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"));
        line.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    Memory { resident: kibibytes("Rss:") * 1_024, proportional: kibibytes("Pss:") * 1_024 }
}

const fn time(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let text = "812 (tokio) x (1) S 1 812 812 0 -1 4194560 1503 9 0 0 31 14 2 1 20 0 4 0 88";
        let known =
            Stat { pid: 812, name: "tokio) x (1".to_owned(), parent: 1, own: 45, children: 3 };
        assert_eq!(stat(text), Some(known));
        assert_eq!(stat("812 (short) S 1 2"), None);
        assert_eq!(stat(""), None);
    }

    #[test]
    fn a_tree_is_everything_below_its_root() {
        let process = |pid, parent| Stat { pid, name: String::new(), parent, own: 0, children: 0 };
        let all = [process(1, 0), process(9, 7), process(7, 1), process(8, 7), process(10, 9)];
        assert_eq!(below(7, &all), [7, 9, 8, 10]);
        assert_eq!(below(10, &all), [10]);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let text = "55d0-7ffc ---p 00000000 00:00 0   [rollup]\nRss:   20480 kB\nPss:    512 kB\n\
                    Pss_Dirty:   1 kB\n";
        let known = Memory { resident: 20_480 * 1_024, proportional: 512 * 1_024 };
        assert_eq!(memory(text), known);
        assert_eq!(memory(""), Memory::default());
    }

    #[test]
    fn this_process_is_there_and_has_used_time() {
        let tree = Tree::of(std::process::id()).unwrap();
        assert_eq!(tree.pids()[0], std::process::id());
        let began = std::time::Instant::now();
        while tree.cpu() == Duration::ZERO || own_cpu() == Duration::ZERO {
            assert!(began.elapsed() < Duration::from_secs(20), "no processor time is counted");
        }
        assert!(tree.memory().resident > 100_000);
        assert_eq!(tree.cpu_of_threads("no such thread"), Duration::ZERO);
    }
}
