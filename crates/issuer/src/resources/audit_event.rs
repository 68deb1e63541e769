//! Audit records as documents: read by administrators, written by nobody (`docs/audit.md`).
//!
//! They are stored in blocks, later ones first, and listed in that order. What is looked for by time
//! is found without reading what is later.

use castellan_proto::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Applied, ApplyError, Choice, Described, Facts, How, Parameter, Precondition, Problem,
    ReadDocument, Resource, Version, WriteOptions,
    search::{Cause, ListError, Listed, Listing, Place, Sort},
};
use crate::{
    Issuer,
    audit::chain::{APART, Record, block_prefix, time_of},
    records::{AuditBlock, audit::BLOCK, repository::Versioned},
    store::StoreError,
};

/// An audit record, which nobody writes.
#[derive(Deserialize)]
pub struct AuditEventDocument {}

const READ_ONLY: &str = "an AuditEvent can only be read";
/// Blocks that are read at a time, and records that one search looks at most.
const STEP: usize = 20;
const MOST_EXAMINED: usize = 20_000;

impl Resource for AuditEventDocument {
    type Record = AuditBlock;

    const NAME: &'static str = "AuditEvent";
    const PREFIX: &'static str = BLOCK;
    const READ_ONLY: Option<&'static str> = Some(READ_ONLY);
    const IS_LOG: bool = true;
    const HAS_HISTORY: bool = false;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "date", paths: &["recorded"], how: How::Date },
        Parameter { name: "type", paths: &["type"], how: How::Token },
        Parameter { name: "outcome", paths: &["outcome"], how: How::Token },
        Parameter { name: "user", paths: &["user", "subject"], how: How::Reference },
        Parameter { name: "client", paths: &["client"], how: How::Reference },
        Parameter { name: "agent", paths: &["user", "client", "credential"], how: How::Reference },
        Parameter { name: "entity", paths: &["target"], how: How::Reference },
        Parameter { name: "site", paths: &["site"], how: How::Token },
        Parameter { name: "source", paths: &["source"], how: How::Token },
        Parameter { name: "decision", paths: &["decision"], how: How::Exact },
    ];

    async fn read(
        self,
        _: &Issuer,
        _: Option<&AuditBlock>,
    ) -> Result<ReadDocument<AuditBlock>, Problem> {
        Err(Problem::Text(READ_ONLY.to_owned()))
    }

    /// A block has no document of its own: the first of its records.
    fn show(id: &str, block: &AuditBlock) -> Value {
        block.records.first().map_or(Value::Null, |record| document(&format!("{id}.0"), record))
    }

    fn facts(id: &str, block: &AuditBlock) -> Facts {
        Facts { name: id.to_owned(), created: block.begins, modified: block.begins }
    }

    async fn described(issuer: &Issuer, id: &str) -> Result<Option<Described>, StoreError> {
        let Some((block, index)) = split(id) else { return Ok(None) };
        let stored = issuer.repository().get::<AuditBlock>(&block, issuer.now()).await?;
        Ok(stored.and_then(|stored| described(&stored, index)))
    }

    async fn write(
        _: &Issuer,
        _: &str,
        _: Value,
        _: WriteOptions<'_>,
    ) -> Result<Applied, ApplyError> {
        Err(ApplyError::Kind(READ_ONLY.to_owned()))
    }

    async fn remove(
        _: &Issuer,
        _: &str,
        _: &[Precondition],
    ) -> Result<Option<Described>, ApplyError> {
        Err(ApplyError::Kind(READ_ONLY.to_owned()))
    }

    async fn search(
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        if sort.is_some() {
            return Err(ListError::Unsupported(Cause::Sorting));
        }
        issuer.audit_events(listing).await
    }

    async fn chosen(
        issuer: &Issuer,
        listing: &Listing,
        choices: &[Choice],
    ) -> Result<Vec<Value>, ListError> {
        issuer.those_described::<Self>(listing, choices).await
    }

    async fn count(issuer: &Issuer, listing: &Listing) -> Result<Option<u64>, ListError> {
        let mut walk = Walk::new(issuer, listing, None)?;
        let mut count = 0;
        loop {
            match walk.next().await? {
                Step::One(document) => count += u64::from(listing.admits_document(&document)),
                Step::End => return Ok(Some(count)),
                Step::Enough => return Ok(None),
            }
        }
    }
}

impl Issuer {
    /// The page of records that `listing` asks for, later ones first.
    async fn audit_events(&self, listing: &Listing) -> Result<Listed, ListError> {
        let begin = match self.begin_after::<AuditEventDocument>(listing)? {
            None => None,
            Some(Place::Id(id)) => Some(id),
            Some(_) => return Err(ListError::Cursor),
        };
        let cursor = |id: String| self.cursor::<AuditEventDocument>(listing, &Place::Id(id));
        let mut walk = Walk::new(self, listing, begin.as_deref())?;
        let (mut documents, mut skip) = (Vec::new(), listing.skip);
        loop {
            let document = match walk.next().await? {
                Step::One(document) => document,
                Step::End => return Ok(Listed { documents, end_cursor: None }),
                Step::Enough if skip > 0 => {
                    let text = "_page: too many resources would be read; follow the link next";
                    return Err(ListError::Parameter(text.to_owned()));
                }
                Step::Enough => {
                    return Ok(Listed { documents, end_cursor: walk.place.and_then(cursor) });
                }
            };
            if !listing.admits_document(&document) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if documents.len() == listing.first {
                let last = documents.last().and_then(id_of);
                return Ok(Listed { documents, end_cursor: last.and_then(cursor) });
            }
            documents.push(document);
        }
    }
}

/// One record of a walk.
enum Step {
    One(Value),
    /// There is none.
    End,
    /// There may be more, and enough have been looked at.
    Enough,
}

/// Records from the latest one that a listing admits to the earliest one.
struct Walk<'a> {
    issuer: &'a Issuer,
    /// The block after which the next ones are read.
    after: Option<String>,
    /// The block at which it begins, and the record in it after which it does.
    begin: Option<(String, usize)>,
    /// What was read and not handed out, in reverse.
    read: Vec<Described>,
    /// No record before this is wanted.
    since: Timestamp,
    is_last: bool,
    examined: usize,
    /// The record that was handed out last.
    place: Option<String>,
}

impl<'a> Walk<'a> {
    fn new(issuer: &'a Issuer, listing: &Listing, begin: Option<&str>) -> Result<Self, ListError> {
        let times = listing.conditions.iter().map(super::Condition::times);
        let all = (Timestamp(0), Timestamp(u64::MAX));
        let (since, until) =
            times.fold(all, |(since, until), (from, before)| (since.max(from), until.min(before)));
        // Blocks of that second and those before it sort behind this.
        let after = (until < Timestamp(u64::MAX)).then(|| block_prefix(until));
        let begin = begin.map(|id| split(id).ok_or(ListError::Cursor)).transpose()?;
        Ok(Self {
            issuer,
            after,
            begin,
            read: Vec::new(),
            since,
            is_last: false,
            examined: 0,
            place: None,
        })
    }

    async fn next(&mut self) -> Result<Step, StoreError> {
        loop {
            if let Some(described) = self.read.pop() {
                self.examined += 1;
                let document = described.with_meta();
                self.place = id_of(&document);
                return Ok(Step::One(document));
            }
            if self.is_last {
                return Ok(Step::End);
            }
            if self.examined >= MOST_EXAMINED {
                return Ok(Step::Enough);
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        let (repository, now) = (self.issuer.repository(), self.issuer.now());
        if let Some((id, index)) = self.begin.take() {
            let block = repository.get::<AuditBlock>(&id, now).await?;
            self.read = block
                .iter()
                .flat_map(|one| (0..index).filter_map(|at| described(one, at)))
                .collect();
            self.after = Some(id);
            return Ok(());
        }
        let after = self.after.take();
        let step = repository.page::<AuditBlock>(BLOCK, after, STEP, now).await?;
        self.is_last = step.len() < STEP;
        self.after = step.last().map(|block| block.id.clone());
        // A block may begin before what is wanted, and end after that.
        let is_early = |block: &Versioned<AuditBlock>| block.body.begins.0 + APART < self.since.0;
        self.is_last |= step.last().is_some_and(is_early);
        for block in step.iter().rev() {
            let records = 0..block.body.records.len();
            self.read.extend(records.filter_map(|index| described(block, index)));
        }
        Ok(())
    }
}

fn id_of(document: &Value) -> Option<String> {
    document["id"].as_str().map(ToOwned::to_owned)
}

/// The id of the block of the record `id`, and its place there.
fn split(id: &str) -> Option<(String, usize)> {
    let (block, index) = id.rsplit_once('.')?;
    // As it is written, so that a record has one id.
    let index = index.parse().ok().filter(|number: &usize| number.to_string() == index)?;
    Some((format!("{BLOCK}{block}"), index))
}

/// The record at `index` of a block as it is shown, and its version.
fn described(block: &Versioned<AuditBlock>, index: usize) -> Option<Described> {
    let record = block.body.records.get(index)?;
    let id = format!("{}.{index}", block.id.strip_prefix(BLOCK)?);
    let at = time_of(record);
    let version =
        Version { incarnation: format!("{:x}", at.0), number: 1, created: at, modified: at };
    Some(Described { document: document(&id, record), version })
}

/// A record as a document: references as elsewhere, and all else as it was written, except for what
/// proves it.
fn document(id: &str, record: &Record) -> Value {
    let mut shown = Map::new();
    shown.insert("resourceType".to_owned(), json!(AuditEventDocument::NAME));
    shown.insert("id".to_owned(), json!(id));
    for (name, value) in record {
        let text = value.as_str().unwrap_or_default();
        let reference = |kind: &str, id: &str| json!({"resourceType": kind, "id": id});
        let (name, value) = match &**name {
            "previous" | "previous_until" | "code" => continue,
            "at" => ("recorded", value.clone()),
            "kind" => ("type", value.clone()),
            "user" | "subject" => (&**name, reference("User", text)),
            "client" => ("client", reference("Client", text)),
            "credential" | "target" => match text.split_once('/') {
                Some((kind, id)) => (&**name, reference(kind, id)),
                None => (&**name, value.clone()),
            },
            other => (other, value.clone()),
        };
        shown.insert(name.to_owned(), value);
    }
    Value::Object(shown)
}
