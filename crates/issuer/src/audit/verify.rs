//! Finds out whether audit records are as they were written, and all of them there.

use std::collections::{BTreeMap, BTreeSet};

use castellan_proto::{Timestamp, constant_time_eq, strict_json};
use serde_json::Value;

use super::{
    AuditKind,
    chain::{Record, block_prefix, code, hash, head_code, number_of, time_of},
};
use crate::{
    Issuer,
    records::{
        AuditBlock, AuditHead,
        audit::{BLOCK, HEAD},
    },
    store::StoreError,
};

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// How many records there are.
    pub records: u64,
    /// How many processes wrote them.
    pub chains: usize,
    /// What is wrong: a record was changed, removed or moved.
    pub faults: Vec<String>,
    /// What need not be wrong.
    pub notes: Vec<String>,
}

/// The number of faults that are reported one by one; further ones are only counted.
const MOST: usize = 100;
/// Blocks that are read at a time.
const STEP: usize = 50;

/// How the chain of a process ends, as far as it is known.
#[derive(Clone, Copy)]
struct End {
    number: u64,
    /// Whether it says that the process stopped.
    is_stop: bool,
}

/// What is known of the chain of one process.
struct Seen {
    /// The record that was looked at last.
    last: Link,
    /// The one with the least number.
    first: Link,
    /// The record with the greatest number.
    end: End,
}

#[derive(Clone)]
struct Link {
    place: String,
    number: u64,
    hash: String,
    previous: Option<String>,
    previous_until: Option<Timestamp>,
}

/// Looks at records one by one: the chain of each process from either end, and those of several
/// processes in any mixture.
pub struct Verification<'a> {
    issuer: &'a Issuer,
    report: Report,
    chains: BTreeMap<String, Seen>,
    starts: BTreeSet<String>,
    untold: u64,
}

impl<'a> Verification<'a> {
    /// Of records that `issuer` wrote.
    #[must_use]
    pub fn new(issuer: &'a Issuer) -> Self {
        Self {
            issuer,
            report: Report::default(),
            chains: BTreeMap::new(),
            starts: BTreeSet::new(),
            untold: 0,
        }
    }

    /// Looks at a line of a file. One of another site is left out.
    pub fn line(&mut self, place: &str, line: &str) {
        // As it was written, byte by byte: what another reader may read otherwise is a change.
        let read = strict_json::read(line.as_bytes()).ok();
        let record =
            read.filter(|value| serde_json::to_string(value).is_ok_and(|written| written == line));
        let Some(Value::Object(record)) = record else {
            return self.fault(format!("{place}: not a record as it was written"));
        };
        let site = record.get("site").and_then(Value::as_str);
        if site.is_some_and(|site| site != &**self.issuer.repository().site()) {
            return;
        }
        self.record(place, &record);
    }

    /// Looks at a record.
    fn record(&mut self, place: &str, record: &Record) {
        self.report.records += 1;
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let number = number_of(record).filter(|number| *number > 0);
        let (Some(boot), Some(number), Some(stated)) = (text("boot"), number, text("code")) else {
            return self.fault(format!("{place}: not a record of Castellan"));
        };
        let place = format!("{place} (record {number} of {boot}, {})", text("at").unwrap_or("?"));
        if !constant_time_eq(stated.as_bytes(), code(self.issuer, record).as_bytes()) {
            self.fault(format!("{place}: changed, or written by somebody else"));
        }
        let until = record.get("previous_until").and_then(Value::as_u64);
        let link = Link {
            number,
            hash: hash(record),
            previous: text("previous").map(ToOwned::to_owned),
            previous_until: until.map(Timestamp),
            place,
        };
        if number == 1 {
            self.starts.insert(link.hash.clone());
        }
        let is_stop = text("kind") == Some(AuditKind::Stopped.as_str());
        let Some(mut seen) = self.chains.remove(boot) else {
            let seen = Seen { last: link.clone(), first: link, end: End { number, is_stop } };
            self.chains.insert(boot.to_owned(), seen);
            return;
        };
        self.compare(&seen.last, &link);
        if number < seen.first.number {
            seen.first = link.clone();
        }
        if number > seen.end.number {
            seen.end = End { number, is_stop };
        }
        seen.last = link;
        self.chains.insert(boot.to_owned(), seen);
    }

    /// Whether `next`, which comes after `last`, is its neighbour in their chain.
    fn compare(&mut self, last: &Link, next: &Link) {
        let (earlier, later) = if next.number > last.number { (last, next) } else { (next, last) };
        if later.number == earlier.number {
            self.fault(format!("{}: the same number as {}", next.place, last.place));
        } else if later.number - earlier.number > 1 {
            let (from, to) = (earlier.number + 1, later.number - 1);
            let missing = if from == to { format!("{from}") } else { format!("{from} to {to}") };
            self.fault(format!("{}: record {missing} is missing before it", later.place));
        } else if later.previous.as_ref() != Some(&earlier.hash) {
            self.fault(format!("{}: does not follow the record before it", later.place));
        }
    }

    fn fault(&mut self, text: String) {
        if self.report.faults.len() < MOST {
            self.report.faults.push(text);
        } else {
            self.untold += 1;
        }
    }

    /// What was found in files: where they begin, earlier ones may end.
    #[must_use]
    pub fn of_files(mut self) -> Report {
        for (boot, seen) in std::mem::take(&mut self.chains) {
            if seen.first.number > 1 {
                let text = "the records before it are not in these files";
                self.report.notes.push(format!("{}: {text}", seen.first.place));
            }
            self.note_end(&boot, &seen);
        }
        self.finish()
    }

    /// What was found in the store, where every record has to be that has not expired at `now`.
    fn of_store(mut self, head: Option<&AuditHead>, now: Timestamp) -> Report {
        let is_kept = |until: Option<Timestamp>| until.is_none_or(|until| until > now);
        let mut beginnings = Vec::new();
        for (boot, seen) in std::mem::take(&mut self.chains) {
            let first = &seen.first;
            let before = match (&first.previous, first.number) {
                (None, 1) => {
                    beginnings.push(first.place.clone());
                    None
                }
                (Some(start), 1) if self.starts.contains(start) => None,
                (Some(_), 1) => Some("the first record of the process before it is missing"),
                _ => Some("the records before it are missing, and have not expired"),
            };
            if let Some(text) = before.filter(|_| is_kept(first.previous_until)) {
                self.fault(format!("{}: {text}", first.place));
            }
            self.note_end(&boot, &seen);
        }
        if let [_, others @ ..] = &*beginnings {
            for place in others {
                self.fault(format!("{place}: says that no process recorded before it"));
            }
        }
        match head {
            Some(head) if !self.is_ours(head) => {
                self.fault("what says which process was the last was changed".to_owned());
            }
            Some(head) if head.until > now && !self.starts.contains(&head.hash) => {
                self.fault("the first record of the last process is missing".to_owned());
            }
            None if self.report.records > 0 => {
                self.fault("what says which process was the last is missing".to_owned());
            }
            _ => {}
        }
        self.finish()
    }

    fn is_ours(&self, head: &AuditHead) -> bool {
        let ours = head_code(self.issuer, &head.hash, head.until);
        constant_time_eq(head.code.as_bytes(), ours.as_bytes())
    }

    fn note_end(&mut self, boot: &str, seen: &Seen) {
        let End { number, is_stop } = seen.end;
        if !is_stop {
            self.report.notes.push(format!(
                "{boot} ends with record {number} without a record that it stopped: it is running, \
                 or was killed, or its last records were removed"
            ));
        }
        self.report.chains += 1;
    }

    fn finish(mut self) -> Report {
        if self.untold > 0 {
            self.report.faults.push(format!("and {} more", self.untold));
        }
        self.report
    }
}

impl Issuer {
    /// Looks at all audit records in the store.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn verify_audit(&self) -> Result<Report, StoreError> {
        let (mut verification, mut after) = (Verification::new(self), None);
        let now = self.now();
        // First: a process that begins meanwhile is not missed.
        let head = self.repository().get::<AuditHead>(HEAD, now).await?;
        loop {
            let step = self.repository().page::<AuditBlock>(BLOCK, after, STEP, now).await?;
            for block in &step {
                let id = block.id.strip_prefix(BLOCK).unwrap_or(&block.id);
                if !is_in_place(&block.id, &block.body) && !block.body.records.is_empty() {
                    verification
                        .fault(format!("AuditEvent/{id}: these records were moved in time"));
                }
                for (index, record) in block.body.records.iter().enumerate().rev() {
                    verification.record(&format!("AuditEvent/{id}.{index}"), record);
                }
            }
            match step.last().filter(|_| step.len() == STEP) {
                Some(last) => after = Some(last.id.clone()),
                None => break,
            }
        }
        Ok(verification.of_store(head.as_ref().map(|head| &head.body), now))
    }
}

/// Whether `block` is where its records belong in time: they have a code, and the id of a block, by
/// which it is found, has none.
fn is_in_place(id: &str, block: &AuditBlock) -> bool {
    // A clock that was set back leaves a block later than its records.
    let first = block.records.first();
    id.starts_with(&block_prefix(block.begins))
        && first.is_none_or(|first| block.begins >= time_of(first))
}
