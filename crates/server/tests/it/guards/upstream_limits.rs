//! An API that does not answer is its own guard's trouble, and nobody else's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{
    castellan::{Castellan, Plan, free_port},
    fixtures::DOCUMENTS,
    wire::{Answer, Ask},
};

/// How many are sent to an API that does not answer.
const FLOOD: usize = 2_000;
/// As many at a time.
const AT_A_TIME: usize = 50;
/// File handles of the server.
const HANDLES: u32 = 400;
/// How soon everything else answers meanwhile.
const SOON: Duration = Duration::from_secs(2);

const SCHEMA: &str = "type Query { a: String }";

/// An API that takes every connection, and answers only while it is told to.
struct Api {
    port: u16,
    answers: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (told, count) = (Arc::clone(&answers), Arc::clone(&taken));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(socket, Arc::clone(&told)));
            }
        });
        Self { port, answers, taken }
    }
}

/// Says nothing, or the same to everything. Whoever hangs up is done with.
async fn converse(mut socket: TcpStream, answers: Arc<AtomicBool>) {
    let mut bytes = [0; 16_384];
    while let Ok(1..) = socket.read(&mut bytes).await {
        if answers.load(Ordering::SeqCst) {
            let body = r#"{"data":{"a":"yes"}}"#;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
            let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    }
}

async fn guarded(port: u16, more: &str) -> Castellan {
    Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"slow\"\npath = \"/slow\"\nupstream = \"http://127.0.0.1:{port}/\"\n\
             schema = \"slow.graphql\"\npublic = [\"Query:*\"]\n{more}"
        ),
        documents: DOCUMENTS.to_owned(),
        files: vec![("slow.graphql", SCHEMA.to_owned())],
        file_handles: Some(HANDLES),
        ..Plan::default()
    })
    .await
}

fn ask(castellan: &Castellan) -> Ask {
    Ask::post(&castellan.at("/slow")).json(&json!({"query": "{ a }"}))
}

fn is_left_alone(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{answer:?}");
    let error = &answer.json()["errors"][0];
    assert_eq!(error["extensions"]["code"], "UPSTREAM_UNAVAILABLE", "{answer:?}");
}

/// Sign-in, and the process itself.
async fn the_rest_answers(castellan: &Castellan) {
    let began = Instant::now();
    let service = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    assert_eq!(castellan.token(&service).await.status, 200);
    assert_eq!(Ask::get(&castellan.at("/healthz")).send().await.status, 200);
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
}

fn upstreams(readiness: &Answer) -> Value {
    assert_eq!(readiness.status, 200, "sign-in does not need it: {readiness:?}");
    readiness.json()["upstreams"].clone()
}

/// Thousands of requests to an API that takes connections and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_never_answers_takes_nothing_else_with_it() {
    let api = Api::start().await;
    let castellan = guarded(api.port, "").await;
    let idle = castellan.open_handles();
    // A quarter of what is left after the reserve.
    let share = usize::try_from((HANDLES - HANDLES / 4) / 4).unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..share {
        waiting.spawn(ask(&castellan).try_send());
    }
    let began = Instant::now();
    while api.taken.load(Ordering::SeqCst) < share {
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", api.taken);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut sent = 0;
    while sent < FLOOD {
        let mut flood = JoinSet::new();
        for _ in 0..AT_A_TIME {
            flood.spawn(ask(&castellan).send());
        }
        the_rest_answers(&castellan).await;
        sent += flood.len();
        flood.join_all().await.iter().for_each(is_left_alone);
    }
    assert_eq!(api.taken.load(Ordering::SeqCst), share, "nobody else got through");
    // Each of them has one at either side.
    let (open, most) = (castellan.open_handles(), idle + 2 * share + AT_A_TIME + 20);
    assert!(open <= most, "{open} handles, where {most} were to be enough");

    // Callers who have waited for long go away: they were not answered.
    tokio::time::sleep(Duration::from_secs(11).saturating_sub(began.elapsed())).await;
    waiting.shutdown().await;
    let began = Instant::now();
    while upstreams(&castellan.readiness().await)["slow"] == true {
        assert!(began.elapsed() < SOON, "nobody says that the API is unwell");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    the_rest_answers(&castellan).await;

    api.answers.store(true, Ordering::SeqCst);
    let began = Instant::now();
    loop {
        let answer = ask(&castellan).send().await;
        if answer.status == 200 {
            assert_eq!(answer.json(), json!({"data": {"a": "yes"}}));
            break;
        }
        is_left_alone(&answer);
        assert!(began.elapsed() < Duration::from_secs(10), "it is left alone for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(upstreams(&castellan.readiness().await)["slow"], true, "well again");
    for _ in 0..AT_A_TIME {
        assert_eq!(ask(&castellan).send().await.status, 200);
    }
}

/// Nobody listens: found out five times, and then not tried for each request any more.
#[tokio::test]
async fn an_api_that_is_away_is_left_alone_for_a_moment_and_found_again() {
    let port = free_port();
    let castellan = guarded(port, "upstream_max_requests = 4\n").await;
    assert_eq!(upstreams(&castellan.readiness().await), json!({"slow": true}));
    for _ in 0..5 {
        let answer = ask(&castellan).send().await;
        assert_eq!(answer.status, 502, "{answer:?}");
    }
    is_left_alone(&ask(&castellan).send().await);
    assert_eq!(upstreams(&castellan.readiness().await), json!({"slow": false}));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let answers = Arc::new(AtomicBool::new(true));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(converse(socket, Arc::clone(&answers)));
        }
    });
    let began = Instant::now();
    while ask(&castellan).send().await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "it is left alone for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(upstreams(&castellan.readiness().await), json!({"slow": true}));
}

/// A limit that there are no file handles for is refused, not promised.
#[tokio::test]
async fn a_limit_beyond_the_file_handles_stops_the_start() {
    let said = Castellan::refuses(Plan {
        config:
            "[[guard]]\nname = \"slow\"\npath = \"/slow\"\nupstream = \"http://127.0.0.1:9/\"\n\
                 schema = \"slow.graphql\"\nupstream_max_requests = 300\n"
                .to_owned(),
        files: vec![("slow.graphql", SCHEMA.to_owned())],
        file_handles: Some(HANDLES),
        ..Plan::default()
    })
    .await;
    assert!(said.contains("upstream_max_requests") && said.contains("ulimit -n"), "{said}");
}

/// An API that sends the head of an answer, and then a byte a second, for ever.
async fn trickling() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 16_384]).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                            transfer-encoding: chunked\r\n\r\n";
                let mut sent = socket.write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    sent = socket.write_all(b"1\r\n \r\n").await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
    });
    port
}

/// Its head is not yet an answer: only a whole one counts, and each has its time.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_trickles_for_ever_is_cut_off_and_left_alone() {
    let port = trickling().await;
    let castellan = guarded(port, "upstream_max_requests = 4\nupstream_timeout = \"3s\"\n").await;
    for _ in 0..2 {
        let began = Instant::now();
        let mut trickles = JoinSet::new();
        for _ in 0..4 {
            trickles.spawn(ask(&castellan).try_send());
        }
        let answers = trickles.join_all().await;
        assert!(answers.iter().all(Option::is_none), "they are cut off: {answers:?}");
        let took = began.elapsed();
        assert!((2..8).contains(&took.as_secs()), "{took:?}");
    }
    is_left_alone(&ask(&castellan).send().await);
    assert_eq!(upstreams(&castellan.readiness().await), json!({"slow": false}));
    the_rest_answers(&castellan).await;
}
