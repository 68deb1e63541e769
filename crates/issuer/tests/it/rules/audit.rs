//! Audit records (`docs/audit.md`): what is recorded, that nothing waits for it, and that whoever
//! changes, removes or moves a record is found out, on every data source.

use std::{sync::Arc, time::Duration};

use castellan_issuer::{
    Issuer,
    audit::{
        Event, Events,
        chain::{Chain, MOST},
        entry::Entry,
        origin::{Origin, RequestIds},
        verify::{Report, Verification},
    },
    records::AuditBlock,
    resources::ResourceKind,
    resources::search::Search,
    store::{Draft, Inserted, Kind, Notice, Record, Replaced, Store},
};
use serde_json::{Value, json};

use crate::{
    harness::{Harness, START, all},
    rules::liveness::poll,
};

const KEPT: Duration = Duration::from_hours(24);

/// A process that records what happens at an issuer.
struct Recorder {
    issuer: Issuer,
    events: Events,
    chain: Chain,
    lines: Vec<String>,
}

impl Recorder {
    async fn start(issuer: &Issuer) -> Self {
        let events = issuer.take_audit().unwrap();
        let (chain, first) = Chain::begin(issuer, "node-1", Some(KEPT)).await.unwrap();
        Self { issuer: issuer.clone(), events, chain, lines: vec![line(&first)] }
    }

    /// Records what has happened since, a block at a time.
    async fn write(&mut self) -> Vec<Entry> {
        let mut batch: Vec<Event> = Vec::new();
        self.events.take(&mut batch, MOST);
        let records: Vec<_> = batch.iter().map(|event| self.chain.link(event)).collect();
        self.lines.extend(records.iter().map(line));
        self.chain.keep(&mut records.clone()).await.unwrap();
        records
    }

    async fn stop(mut self) -> Vec<String> {
        let last = self.chain.stop();
        self.lines.push(line(&last));
        self.chain.keep(&mut vec![last]).await.unwrap();
        self.lines
    }
}

fn line(record: &Entry) -> String {
    record.text().to_owned()
}

/// Issues a token to `robot`, which is one event.
async fn happen(harness: &Harness) {
    harness.ask("robot", &[("grant_type", "client_credentials")]).await.unwrap();
}

/// Four blocks of one process and two of the one after it.
async fn history() -> (Harness, Vec<String>) {
    let harness = Harness::new().await;
    let mut recorder = Recorder::start(&harness.issuer).await;
    for _ in 0..3 {
        for _ in 0..3 {
            happen(&harness).await;
        }
        assert_eq!(recorder.write().await.len(), 3);
        harness.later(10);
    }
    let mut lines = recorder.stop().await;
    harness.later(1);
    let next = harness.again().await;
    let mut recorder = Recorder::start(&next.issuer).await;
    happen(&next).await;
    recorder.write().await;
    lines.extend(recorder.lines);
    (harness, lines)
}

async fn blocks(harness: &Harness) -> Vec<Record> {
    let mut blocks = all(&harness.issuer, Kind::Audit).await;
    blocks.retain(|record| record.key.id.starts_with("block/"));
    blocks
}

/// Writes `body` over the block `record`, as somebody does who can write to the data source.
async fn overwrite(harness: &Harness, record: &Record, body: &Value) {
    let Record { key, unique, expires_at, version, .. } = record.clone();
    let draft = Draft { key, body: body.to_string().into_bytes(), unique, expires_at };
    let store: &Arc<_> = &harness.store;
    let done = store.replace(draft, version, Notice::Silent, harness.issuer.now()).await.unwrap();
    assert!(matches!(done, Replaced::Done(_)));
}

async fn remove(harness: &Harness, record: &Record) {
    let now = harness.issuer.now();
    assert!(harness.store.delete(&record.key, None, Notice::Silent, now).await.unwrap());
}

async fn verified(harness: &Harness) -> Report {
    harness.issuer.verify_audit().await.unwrap()
}

/// Asserts that something is wrong, and that the first thing said of it has `part` in it.
fn assert_fault(report: &Report, part: &str) {
    let first = report.faults.first().unwrap_or_else(|| panic!("no fault; {part} was expected"));
    assert!(first.contains(part), "{part}: {:?}", report.faults);
}

fn in_files(harness: &Harness, lines: &[String]) -> Report {
    let mut verification = Verification::new(&harness.issuer);
    for (at, line) in lines.iter().enumerate() {
        verification.line(&format!("audit.log:{}", at + 1), line);
    }
    verification.of_files()
}

fn body(record: &Record) -> Value {
    serde_json::from_slice(&record.body).unwrap()
}

#[tokio::test]
async fn what_was_not_touched_is_found_so() {
    let (harness, lines) = history().await;
    for report in [verified(&harness).await, in_files(&harness, &lines)] {
        assert_eq!((report.records, report.chains), (13, 2));
        assert_eq!(report.faults, [""; 0]);
        // The second process runs.
        assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
        assert!(report.notes[0].contains("without a record that it stopped"));
    }
}

#[tokio::test]
async fn a_record_that_is_changed_in_the_store_is_named() {
    for (member, value) in [
        ("client", json!("somebody-else")),
        ("at", json!("2027-01-15T08:00:00Z")),
        ("outcome", json!("failure")),
        ("node", json!("node-2")),
        ("previous_until", json!(0)),
        ("more", json!("of it")),
    ] {
        let (harness, _) = history().await;
        // The second block, the latest first: its second record is the ninth.
        let block = &blocks(&harness).await[3];
        let mut changed = body(block);
        let number = changed["records"][1]["number"].as_u64().unwrap();
        changed["records"][1][member] = value;
        overwrite(&harness, block, &changed).await;
        let report = verified(&harness).await;
        assert_fault(&report, "");
        let is_named = |fault: &String| {
            fault.contains(&format!("record {number} of")) && fault.contains("changed")
        };
        assert!(report.faults.iter().any(is_named), "{member}: {:?}", report.faults);
    }
}

#[tokio::test]
async fn whoever_makes_hashes_again_lacks_the_key() {
    let (harness, _) = history().await;
    let block = &blocks(&harness).await[3];
    let mut changed = body(block);
    changed["records"][1]["client"] = json!("somebody-else");
    // The hash of the changed record in the one after it, as anybody can compute it; what is after
    // that would have to follow as well.
    let of = |record: &Value| {
        let sorted: std::collections::BTreeMap<String, Value> =
            serde_json::from_value(record.clone()).unwrap();
        castellan_proto::Digest::of(&serde_json::to_vec(&sorted).unwrap()).text()
    };
    let was = body(block)["records"][1].clone();
    assert_eq!(changed["records"][2]["previous"], of(&was), "the hash is as it is documented");
    changed["records"][2]["previous"] = json!(of(&changed["records"][1]));
    overwrite(&harness, block, &changed).await;
    let report = verified(&harness).await;
    let forged = report.faults.iter().filter(|fault| fault.contains("written by somebody else"));
    assert_eq!(forged.count(), 2, "{:?}", report.faults);
}

#[tokio::test]
async fn a_record_that_is_removed_from_the_store_is_missed() {
    // One of a block.
    let (harness, _) = history().await;
    let block = &blocks(&harness).await[3];
    let mut changed = body(block);
    changed["records"].as_array_mut().unwrap().remove(1);
    overwrite(&harness, block, &changed).await;
    assert_fault(&verified(&harness).await, "is missing before it");

    // The order of two.
    let (harness, _) = history().await;
    let block = &blocks(&harness).await[3];
    let mut changed = body(block);
    changed["records"].as_array_mut().unwrap().swap(0, 1);
    overwrite(&harness, block, &changed).await;
    assert_fault(&verified(&harness).await, "is missing before it");

    // Every block, one at a time; the last one of a process that runs leaves no trace.
    let count = blocks(&history().await.0).await.len();
    assert_eq!(count, 7);
    for at in 1..count {
        let (harness, _) = history().await;
        remove(&harness, &blocks(&harness).await[at]).await;
        let report = verified(&harness).await;
        // That of its orderly end is noted.
        let is_end = report.notes.len() == 2;
        assert!(!report.faults.is_empty() || is_end, "{at}: {report:?}");
        assert_eq!(is_end, at == 2, "{at}: {report:?}");
    }

    // All that one process wrote.
    for (process, fault) in [
        (0..2, "the first record of the last process is missing"),
        (2..7, "the first record of the process before it is missing"),
    ] {
        let (harness, _) = history().await;
        for block in &blocks(&harness).await[process] {
            remove(&harness, block).await;
        }
        assert_fault(&verified(&harness).await, fault);
    }

    // What says which was the last one.
    let (harness, _) = history().await;
    let records = all(&harness.issuer, Kind::Audit).await;
    remove(&harness, records.iter().find(|record| record.key.id == "head").unwrap()).await;
    assert_fault(&verified(&harness).await, "which process was the last");
    Recorder::start(&harness.again().await.issuer).await;
    assert_fault(&verified(&harness).await, "no process recorded before it");
}

#[tokio::test]
async fn what_is_done_to_a_file_is_found_with_its_line() {
    let (harness, lines) = history().await;
    let changed = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        edit(&mut lines);
        in_files(&harness, &lines)
    };
    let edited = |from: &'static str, to: &'static str| {
        move |lines: &mut Vec<String>| lines[4] = lines[4].replace(from, to)
    };
    for (report, fault) in [
        (changed(&edited("robot", "rabot")), "audit.log:5 (record 5 of"),
        // The same for one reader, something else for another.
        (changed(&edited("{\"at\"", "{\"client\":\"x\",\"at\"")), "audit.log:5: not a record as"),
        (changed(&edited(",", ", ")), "audit.log:5: not a record as it was written"),
        (changed(&edited("robot", "r\\u006fbot")), "audit.log:5: not a record as it was"),
        (changed(&|lines| drop(lines.remove(4))), "audit.log:5 (record 6 of"),
        (changed(&|lines| lines.swap(4, 5)), "audit.log:5 (record 6 of"),
        (changed(&|lines| lines[4] = lines[3].clone()), "the same number as audit.log:4"),
        (changed(&|lines| lines[4].truncate(40)), "audit.log:5: not a record"),
    ] {
        assert_fault(&report, fault);
    }
    // A file that begins later was rotated away; a chain that is mixed with another one is whole.
    let rest = in_files(&harness, &lines[4..]);
    assert_eq!(rest.faults, [""; 0]);
    assert!(rest.notes.iter().any(|note| note.contains("audit.log:1 (record 5 of")), "{rest:?}");
    let mut mixed = lines.clone();
    mixed.swap(10, 11);
    assert_eq!(in_files(&harness, &mixed).faults, [""; 0]);
}

#[tokio::test]
async fn what_expires_is_not_missed() {
    let (harness, _) = history().await;
    let seconds = KEPT.as_secs();
    // 31 seconds between the first blocks and the last ones.
    let mut counts = Vec::new();
    for at in [seconds - 32, 1, 10, 10, 100] {
        harness.later(at);
        while harness.store.sweep(harness.issuer.now(), 100).await.unwrap() > 0 {}
        let report = verified(&harness).await;
        assert_eq!(report.faults, [""; 0], "{at}");
        counts.push(report.records);
    }
    assert_eq!(counts, [13, 9, 6, 3, 0]);
    // Somebody who lets a block expire early is found out.
    let (harness, _) = history().await;
    let block = blocks(&harness).await[3].clone();
    let Record { key, body, unique, version, .. } = block;
    let draft = Draft { key, body, unique, expires_at: Some(harness.issuer.now()) };
    harness.store.replace(draft, version, Notice::Silent, harness.issuer.now()).await.unwrap();
    assert_fault(&verified(&harness).await, "missing before it");
}

#[tokio::test]
async fn a_token_costs_no_more_round_trips_with_records_than_without() {
    let harness = Harness::new().await;
    poll(&harness, None).await;
    let mut recorder = Recorder::start(&harness.issuer).await;
    happen(&harness).await;
    harness.store.arm(None);
    happen(&harness).await;
    assert_eq!(harness.store.verbs(), ["insert"], "the token's own");
    let failed = harness.ask("robot", &[("grant_type", "authorization_code")]).await;
    assert!(failed.is_err());
    assert_eq!(harness.store.verbs().len(), 1);
    // Any number of them is one more, afterwards.
    for _ in 0..100 {
        happen(&harness).await;
    }
    harness.store.arm(None);
    assert_eq!(recorder.write().await.len(), 103);
    assert_eq!(harness.store.verbs(), ["insert"]);
}

#[tokio::test]
async fn too_many_events_are_dropped_and_counted_those_of_strangers_first() {
    let harness = Harness::new().await;
    let mut recorder = Recorder::start(&harness.issuer).await;
    for _ in 0..5_000 {
        let refused = harness.ask("robot", &[("grant_type", "refresh_token")]).await;
        assert!(refused.is_err());
    }
    let dropped = recorder.events.dropped();
    assert!((2_000..5_000).contains(&dropped), "{dropped}");
    happen(&harness).await;
    assert_eq!(recorder.events.dropped(), 0, "what is known has room");
    let record = recorder.chain.dropped(dropped);
    let record: Value = serde_json::from_str(record.text()).unwrap();
    assert_eq!((&record["kind"], &record["count"]), (&json!("dropped"), &json!(dropped)));
}

#[tokio::test]
async fn records_are_searched_the_latest_first() {
    let harness = Harness::new().await;
    let mut recorder = Recorder::start(&harness.issuer).await;
    for hour in 0..4 {
        for _ in 0..3 {
            let ids = RequestIds::new(&format!("decision-{hour}"), "", "");
            Origin::of_request(ids, None).within(happen(&harness)).await;
        }
        recorder.write().await;
        harness.later(3_600);
    }
    let at = |second: u64| castellan_proto::Timestamp(START + 100 + second).rfc3339();
    let search = |pairs: Vec<(&'static str, String)>| {
        let issuer = recorder.issuer.clone();
        async move {
            let named = pairs.iter().map(|(name, value)| (*name, &**value));
            let search = Search::read(ResourceKind::AUDIT_EVENT, named).unwrap();
            issuer.search(&search).await.unwrap()
        }
    };
    let numbers = |documents: &[Value]| -> Vec<u64> {
        documents.iter().map(|one| one["number"].as_u64().unwrap()).collect()
    };
    let everything = search(vec![]).await;
    assert_eq!(numbers(&everything.documents), (1..=13).rev().collect::<Vec<_>>());
    for (pairs, found) in [
        (vec![("decision", "decision-2".to_owned())], vec![10, 9, 8]),
        (
            vec![("date", format!("ge{}", at(3_600))), ("date", format!("lt{}", at(10_800)))],
            vec![10, 9, 8, 7, 6, 5],
        ),
        (vec![("date", format!("gt{}", at(10_799)))], vec![13, 12, 11]),
        (vec![("date", format!("lt{}", at(1)))], vec![4, 3, 2, 1]),
        (vec![("type", "started".to_owned())], vec![1]),
        (vec![("client", "robot".to_owned()), ("_count", "2".to_owned())], vec![13, 12]),
        (vec![("client", "nobody".to_owned())], vec![]),
    ] {
        let text = format!("{pairs:?}");
        assert_eq!(numbers(&search(pairs).await.documents), found, "{text}");
    }
    // Page by page.
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut pairs = vec![("_count", "5".to_owned())];
        pairs.extend(after.take().map(|cursor| ("_after", cursor)));
        let page = search(pairs).await;
        all.extend(numbers(&page.documents));
        match page.next {
            Some(castellan_issuer::resources::search::Next::After(cursor)) => after = Some(cursor),
            _ => break,
        }
    }
    assert_eq!(all, (1..=13).rev().collect::<Vec<_>>());
    // Each by its id, which is its own.
    for document in &everything.documents {
        let id = document["id"].as_str().unwrap();
        let found = recorder.issuer.describe(ResourceKind::AUDIT_EVENT, id).await.unwrap().unwrap();
        assert_eq!(found["number"], document["number"]);
        assert!(found.get("code").is_none() && found.get("previous").is_none(), "{found}");
        let zero = format!("{}.0{}", id.rsplit_once('.').unwrap().0, &id[id.len() - 1..]);
        let found = recorder.issuer.describe(ResourceKind::AUDIT_EVENT, &zero).await.unwrap();
        assert_eq!(found, None, "{zero}");
    }
}

#[tokio::test]
async fn two_processes_that_begin_at_once_come_one_after_the_other() {
    let harness = Harness::new().await;
    let nodes = [harness.again().await, harness.again().await, harness.again().await];
    for node in &nodes {
        Recorder::start(&node.issuer).await;
    }
    let report = verified(&harness).await;
    assert_eq!((report.chains, report.faults), (3, Vec::new()));
    // One that ended between its first record and what refers to it.
    let blocks = blocks(&harness).await;
    let mut orphan = body(&blocks[0]);
    orphan["records"] = json!([]);
    let key = castellan_issuer::store::Key::new(&Arc::from("main"), Kind::Audit, "block/z");
    let draft = Draft {
        key,
        body: orphan.to_string().into_bytes(),
        unique: Vec::new(),
        expires_at: blocks[0].expires_at,
    };
    let now = harness.issuer.now();
    let inserted = harness.store.insert(draft, Notice::Silent, now).await.unwrap();
    assert_eq!(inserted, Inserted::Done);
    assert_eq!(verified(&harness).await.faults, [""; 0], "an empty block says nothing");
    let _ = serde_json::from_value::<AuditBlock>(orphan).unwrap();
}
