//! The chain of records that one process writes at one site.
//!
//! A record has the node's name, an id that is new for every start of a process, and a number that
//! begins with 1. It also has the SHA-256 hash of the record before it, and a code: an HMAC under a
//! key that branches off the root key, which is in the store only under the master key. A hash alone
//! could be made again by whoever can write to the database; the code cannot, without the master key.
//! The hash of the one before is what shows that a record is missing.
//!
//! The first record of a process refers to the first one of the process before it at that site, so
//! that all records of a process cannot vanish unseen either. It also says until when the record
//! before it is kept: that is how a record that has expired differs from one that was removed.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Digest, Timestamp, random};
use serde_json::{Map, Value};

use super::{
    AuditKind, Event,
    entry::{CODE, Entry},
};
use crate::{
    Issuer,
    keys::Branch,
    records::{
        AuditBlock, AuditHead,
        audit::{BLOCK, HEAD},
        repository::{Versioned, Written, contention},
    },
    store::{Kind, Notice, StoreError},
};

/// A record as it is read, member by member.
pub type Record = Map<String, Value>;

/// Bytes of one block at most: what every data source takes as one record.
const BYTES: usize = 128 * 1024;
/// Records of one block at most, and the seconds that they may be apart: whoever looks for a time
/// knows how far to look.
pub const MOST: usize = 256;
pub(crate) const APART: u64 = 60;
/// What times in ids of blocks count down from: 40 bits.
const LAST_SECOND: u64 = (1 << 40) - 1;
/// Bytes of the id of a process.
const BOOT: usize = 9;
const TRIES: usize = 16;

/// What the next record refers to.
#[derive(Clone, Debug)]
struct Previous {
    hash: String,
    until: Option<Timestamp>,
}

/// The chain of one process at one site.
pub struct Chain {
    issuer: Issuer,
    node: String,
    boot: String,
    /// How long records are kept in the store; `None` if they are not.
    keep: Option<Duration>,
    number: u64,
    previous: Option<Previous>,
    /// The latest time in the id of a block, which does not go back with the clock.
    newest: Timestamp,
}

impl Chain {
    /// Begins a chain on `node`, whose records are kept in the store for as long as `keep` says, and
    /// not at all without it. Its first record comes with it, and is stored already.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails. A first record may be there then, of a chain that has no
    /// other.
    pub async fn begin(
        issuer: &Issuer,
        node: &str,
        keep: Option<Duration>,
    ) -> Result<(Self, Entry), StoreError> {
        for _ in 0..TRIES {
            let mut chain = Self {
                issuer: issuer.clone(),
                node: node.to_owned(),
                boot: URL_SAFE_NO_PAD.encode(random::<BOOT>()),
                keep,
                number: 0,
                previous: None,
                newest: Timestamp(0),
            };
            let (repository, now) = (issuer.repository(), issuer.now());
            let head = match keep {
                Some(_) => repository.get::<AuditHead>(HEAD, now).await?,
                None => None,
            };
            chain.previous = head.as_ref().map(|head| Previous {
                hash: head.body.hash.clone(),
                until: Some(head.body.until),
            });
            let event = Event { at: now, ..Event::of(AuditKind::Started) };
            let first = chain.link(&super::origin::complete(event));
            let Some(keep) = keep else { return Ok((chain, first)) };
            // First the record, then what refers to it: the other way round, a crash in between
            // would look as if the record had been removed.
            let id = chain.store(std::slice::from_ref(&first)).await?;
            let hash = chain.previous.as_ref().map(|first| first.hash.clone());
            let (hash, until) = (hash.unwrap_or_default(), now + keep);
            let body = AuditHead { code: head_code(issuer, &hash, until), hash, until };
            let written = match head {
                None => repository.insert(HEAD, &body, now).await?,
                Some(head) => {
                    let head = Versioned { id: HEAD.to_owned(), version: head.version, body };
                    repository.replace(&head, Notice::Silent, now).await?
                }
            };
            if written == Written::Done {
                return Ok((chain, first));
            }
            // Another process began at the same moment; this one comes after it.
            let key = repository.key(Kind::Audit, &id);
            repository.store().delete(&key, None, Notice::Silent, now).await?;
        }
        Err(contention(Kind::Audit))
    }

    /// Makes `event` the next record.
    pub fn link(&mut self, event: &Event) -> Entry {
        self.number += 1;
        let mut members = event.members(self.issuer.repository().site());
        members.add("node", &self.node);
        members.add("boot", &self.boot);
        members.add("number", self.number);
        if let Some(previous) = &self.previous {
            members.add("previous", &previous.hash);
            if let Some(until) = previous.until {
                members.add("previous_until", until);
            }
        }
        let root = self.issuer.root();
        let (entry, hash) = members.close(event.at, self.number, root.hmac(Branch::Audit));
        self.previous = Some(Previous { hash, until: self.keep.map(|keep| event.at + keep) });
        entry
    }

    /// The record that says how many events were dropped.
    pub fn dropped(&mut self, count: u64) -> Entry {
        self.own(Event::of(AuditKind::Dropped).count(count))
    }

    /// The record that the process ends in order.
    pub fn stop(&mut self) -> Entry {
        self.own(Event::of(AuditKind::Stopped))
    }

    fn own(&mut self, event: Event) -> Entry {
        let event = Event { at: self.issuer.now(), ..event };
        self.link(&super::origin::complete(event))
    }

    /// Stores `records`, which are the next ones, in as few blocks as there may be, and takes those
    /// out that are stored. If that fails, it can be called again with what is left.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; those that are left may be stored or not.
    pub async fn keep(&mut self, records: &mut Vec<Entry>) -> Result<(), StoreError> {
        while let Some(first) = records.first() {
            let (begins, mut bytes) = (first.at.0, 0);
            let fits = |record: &&Entry| {
                bytes += record.text().len();
                bytes <= BYTES && record.at.0.abs_diff(begins) <= APART
            };
            // One record alone always fits.
            let length = records.iter().take(MOST).take_while(fits).count().max(1);
            self.store(&records[..length]).await?;
            records.drain(..length);
        }
        Ok(())
    }

    /// Stores `records` as one block, and returns its id.
    async fn store(&mut self, records: &[Entry]) -> Result<String, StoreError> {
        let Some((keep, first)) = self.keep.zip(records.first()) else { return Ok(String::new()) };
        let begins = first.at;
        let last = records.iter().map(|record| record.at).max().unwrap_or(begins);
        let place = self.newest.max(begins);
        let id = block_id(place, &self.boot, first.number);
        let records = records.iter().map(Entry::raw).collect();
        let block = AuditBlock { until: last + keep, begins: place, records };
        let (repository, now) = (self.issuer.repository(), self.issuer.now());
        // If it exists, an earlier try stored it although it failed: nobody else has this id.
        repository.insert(&id, &block, now).await?;
        self.newest = place;
        Ok(id)
    }
}

/// The id of a block whose place in time is `place`, and whose first record has `number`.
fn block_id(place: Timestamp, boot: &str, number: u64) -> String {
    format!("{}{boot}{:010x}", block_prefix(place), LAST_SECOND.saturating_sub(number))
}

/// What the id of a block begins with whose place in time is `place`: later ones come first.
pub(crate) fn block_prefix(place: Timestamp) -> String {
    format!("{BLOCK}{:010x}", LAST_SECOND.saturating_sub(place.0))
}

/// When a record happened.
pub(crate) fn time_of(record: &Record) -> Timestamp {
    let at = record.get("at").and_then(Value::as_str);
    at.and_then(Timestamp::span).map(|(from, _)| from).unwrap_or_default()
}

pub(super) fn number_of(record: &Record) -> Option<u64> {
    record.get("number").and_then(Value::as_u64)
}

/// A record as its hash and its code are made: members in the order of their names, without spaces.
fn canonical<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> Vec<u8> {
    let sorted: BTreeMap<&String, &Value> = members.collect();
    // Texts and whole numbers, which are written in one way.
    serde_json::to_vec(&sorted).unwrap_or_default()
}

/// The SHA-256 hash of a record, its code included.
pub(super) fn hash(record: &Record) -> String {
    Digest::of(&canonical(record.iter())).text()
}

/// The code of what says which process was the last: without it, whoever removes the records of that
/// process could name the one before it.
pub(super) fn head_code(issuer: &Issuer, hash: &str, until: Timestamp) -> String {
    let members = [("head", hash.into()), ("until", until.0.into())];
    code(issuer, &members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
}

/// The code of a record: the HMAC of all its other members.
pub(super) fn code(issuer: &Issuer, record: &Record) -> String {
    let bytes = canonical(record.iter().filter(|(name, _)| *name != CODE));
    URL_SAFE_NO_PAD.encode(issuer.root().hmac(Branch::Audit).code(&bytes))
}
