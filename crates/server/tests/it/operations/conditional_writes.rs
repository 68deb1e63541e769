//! `If-Match` decided by each data source itself (`docs/contracts/aidbox.md` §1.2): the store's own
//! compare and swap, not a look beforehand. On SQLite, `aidbox_resources` has the same race.

use http::Method;
use serde_json::{Value, json};

use crate::{
    operations::nodes::{address, config},
    support::{
        castellan::{Castellan, Plan},
        fixtures::text,
        wire::{Answer, Ask},
    },
};

const ADMIN: &str = r#"
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
"#;

/// Writers at a time.
const WRITERS: usize = 12;
const ROUNDS: usize = 6;

async fn writers_race(url: &str) {
    let castellan = Castellan::start(Plan {
        config: config(url),
        documents: ADMIN.to_owned(),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    })
    .await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let token = text(&castellan.token(&pairs).await.json(), "access_token").to_owned();
    let ask = |method: Method| Ask::new(method, &castellan.at("/User/raced")).bearer(&token);
    let version = |answer: &Answer| text(&answer.json()["meta"], "versionId").to_owned();

    // Of many who create, one does.
    let created = all((0..WRITERS).map(|at| {
        ask(Method::PUT).header("if-none-match", "*").json(&person(&format!("first-{at}")))
    }))
    .await;
    let mut current = version(only(&created, 201));
    for round in 0..ROUNDS {
        let written = all((0..WRITERS).map(|at| {
            let method = if at % 2 == 0 { Method::PUT } else { Method::PATCH };
            let ask = ask(method).header("if-match", &current);
            ask.json(&person(&format!("{round}-{at}")))
        }))
        .await;
        let won = only(&written, 200);
        let read = ask(Method::GET).send().await;
        assert_eq!(read.json(), won.json(), "what was acknowledged is what is there");
        current = version(won);
    }
    // A deletion and a change: one of them.
    let ended = all([
        ask(Method::DELETE).header("if-match", &current),
        ask(Method::PUT).header("if-match", &current).json(&person("last")),
    ])
    .await;
    only(&ended, 200);
}

async fn all(asks: impl IntoIterator<Item = Ask>) -> Vec<Answer> {
    let sent: Vec<_> = asks.into_iter().map(|ask| tokio::spawn(ask.send())).collect();
    let mut answers = Vec::new();
    for one in sent {
        answers.push(one.await.unwrap());
    }
    answers
}

/// The one answer that has `status`; all others are refusals because of the condition.
fn only(answers: &[Answer], status: u16) -> &Answer {
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == status);
    assert!(lost.iter().all(|answer| answer.status == 412), "{lost:?}");
    assert_eq!(won.len(), 1, "{answers:?}");
    won[0]
}

fn person(nickname: &str) -> Value {
    json!({"userName": "raced", "nickname": nickname})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_decides_between_concurrent_writers() {
    writers_race(&address("CASTELLAN_TEST_POSTGRES")).await;
}

#[cfg(feature = "full")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mongodb_decides_between_concurrent_writers() {
    let server = address("CASTELLAN_TEST_MONGODB");
    let url = format!("{}/writes_{}", server.trim_end_matches('/'), std::process::id());
    writers_race(&url).await;
}

#[cfg(feature = "full")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dynamodb_decides_between_concurrent_writers() {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    let table = format!("writes_{}", std::process::id());
    writers_race(&format!("dynamodb://local?table={table}&endpoint={server}")).await;
}
