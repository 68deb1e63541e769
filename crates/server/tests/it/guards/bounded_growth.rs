//! What strangers can make grow on disk: denials, which are kept for a day.

use std::fmt::Write as _;

use crate::support::{
    castellan::{Castellan, Plan},
    upstream::Recorder,
    wire::Ask,
};

/// The largest denial that is let through, anew each time.
fn denied(at: usize) -> String {
    let secrets = (0..63).fold(String::new(), |mut text, number| {
        let _ = write!(text, "a{number}: secret ");
        text
    });
    format!("{{ {}{at}: self {{ {secrets} }} }}", "x".repeat(230))
}

async fn stage() -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/graphql\"\nschema = \"api.graphql\"\n\
             upstream = \"{}\"\npublic = [\"Query:Query:*\"]\n",
            recorder.url
        ),
        files: vec![("api.graphql", "type Query { self: Query secret: String }".to_owned())],
        reads_log: true,
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

/// Bytes of the database, its log included.
fn on_disk(castellan: &Castellan) -> u64 {
    let size = |name: &str| std::fs::metadata(castellan.path(name)).map_or(0, |file| file.len());
    size("castellan.db") + size("castellan.db-wal")
}

fn resident(castellan: &Castellan) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/statm", castellan.id())).unwrap();
    text.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

const MIB: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn denials_of_strangers_fill_neither_disk_nor_memory() {
    let (_recorder, castellan) = stage().await;
    let first = castellan.graphql("/graphql", None, &denied(0)).await;
    let decision = first.header("castellan-decision").unwrap().to_owned();
    castellan.until_said(&["explain", &decision]).await;
    let (disk, memory) = (on_disk(&castellan), resident(&castellan));
    let mut answers = 0;
    for at in 1..=1_500 {
        let answer = castellan.graphql("/graphql", None, &denied(at)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answers = answers.max(answer.body.len());
    }
    assert!(answers < 64 * 1024, "an answer of {answers} bytes");
    let disk = on_disk(&castellan).saturating_sub(disk);
    assert!(disk < 24 * MIB, "{disk} bytes on disk for 1,500 denials");
    let memory = resident(&castellan).saturating_sub(memory);
    assert!(memory < 96 * MIB, "{memory} bytes of memory for 1,500 denials");
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    assert!(log.contains("denials are not stored"), "{log}");
    assert!(log.lines().count() < 30, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_aliases_every_denial_repeats_is_refused() {
    let (_recorder, castellan) = stage().await;
    let secrets = "secret ".repeat(60);
    let document = format!("{{ {}: self {{ {secrets} }} }}", "x".repeat(22_000));
    let answer = Ask::post(&castellan.at("/graphql"))
        .json(&serde_json::json!({"query": document}))
        .send()
        .await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED", "{answer:?}");
    assert!(answer.body.len() < 500, "{}", answer.body.len());
}
