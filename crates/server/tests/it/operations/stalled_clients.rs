//! Clients of HTTP/2 who ask and take nothing of the answers, though they answer every ping.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::castellan::{Castellan, Plan};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()[..]].concat();
    [&head, payload].concat()
}

/// A header block, without compression.
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let mut out = vec![u8::try_from(text.len()).unwrap()];
        out.extend_from_slice(text.as_bytes());
        out
    };
    headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The kind of a frame, its stream and its payload.
type Frame = (u8, u32, Vec<u8>);

/// A client whose windows are shut.
#[derive(Clone)]
struct Client {
    socket: Arc<Mutex<TcpStream>>,
    /// What came.
    came: Arc<Mutex<Vec<Frame>>>,
}

impl Client {
    /// Connects, with a window of so many bytes for each stream.
    fn connect(castellan: &Castellan, window: u32) -> Self {
        let address = castellan.url.replace("http://localhost", "127.0.0.1");
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        socket.write_all(&frame(SETTINGS, 0, 0, &settings)).unwrap();
        let reading = socket.try_clone().unwrap();
        let socket = Arc::new(Mutex::new(socket));
        let client = Self { socket, came: Arc::default() };
        let reads = client.clone();
        std::thread::spawn(move || reads.read(reading));
        client
    }

    /// Reads frames, and answers what must be answered.
    fn read(&self, mut socket: TcpStream) {
        loop {
            let mut head = [0; 9];
            if socket.read_exact(&mut head).is_err() {
                return;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if socket.read_exact(&mut payload).is_err() {
                return;
            }
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
            if matches!(kind, PING | SETTINGS) && flags & 1 == 0 {
                let echo = if kind == PING { &*payload } else { &[] };
                let _ = self.send(&frame(kind, 1, 0, echo));
            }
            self.came.lock().unwrap().push((kind, stream, payload));
        }
    }

    fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.lock().unwrap().write_all(bytes)
    }

    /// Asks for `document` on `stream`.
    fn ask(&self, stream: u32, document: &str) {
        let headers = block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/graphql"),
            (":authority", "localhost"),
            ("content-type", "application/json"),
        ]);
        let body = format!("{{\"query\":\"{document}\"}}");
        let request =
            [frame(HEADERS, 4, stream, &headers), frame(DATA, 1, stream, body.as_bytes())];
        self.send(&request.concat()).unwrap();
    }

    /// How many frames of `kind` have come on streams.
    fn count(&self, kind: u8) -> usize {
        self.came.lock().unwrap().iter().filter(|one| one.0 == kind && one.1 > 0).count()
    }
}

/// An API whose answers are of seven megabytes; and how many it was asked for.
async fn api() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut read = vec![0; 16_384];
                while socket.read(&mut read).await.is_ok_and(|count| count > 0) {
                    count.fetch_add(1, Ordering::SeqCst);
                    let body = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(7_000_000));
                    let head =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
                    let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
                    if socket.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (port, asked)
}

async fn guarding(port: u16, places: usize) -> Castellan {
    Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/graphql\"\nschema = \"api.graphql\"\n\
             upstream = \"http://127.0.0.1:{port}/\"\npublic = [\"Query:a:*\"]\n\
             upstream_max_requests = {places}\n"
        ),
        files: vec![("api.graphql", "type Query { a: String b: String }".to_owned())],
        ..Plan::default()
    })
    .await
}

async fn status(castellan: &Castellan) -> u16 {
    castellan.graphql("/graphql", None, "{ a }").await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn places_at_an_api_come_back_from_whoever_takes_nothing_for_a_minute() {
    let (port, asked) = api().await;
    let castellan = guarding(port, 6).await;
    let (began, shut) = (Instant::now(), Client::connect(&castellan, 0));
    // One byte is not nothing, but no more than it either.
    let ajar = Client::connect(&castellan, 1);
    for stream in [1, 3, 5] {
        shut.ask(stream, "{ a }");
        ajar.ask(stream, "{ a }");
    }
    while asked.load(Ordering::SeqCst) < 6 {
        assert!(began.elapsed() < Duration::from_secs(10), "{asked:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(status(&castellan).await, 503, "they hold all places");
    while status(&castellan).await != 200 {
        assert!(began.elapsed() < Duration::from_secs(90), "they hold them for ever");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let seconds = began.elapsed().as_secs();
    assert!((55..90).contains(&seconds), "{seconds} s");
    tokio::time::sleep(Duration::from_secs(2)).await;
    for client in [&shut, &ajar] {
        assert_eq!(client.count(RESET), 3, "each stream is told");
    }
    assert_eq!(castellan.readiness().await.json()["upstreams"]["api"], true, "the API is well");
    // The connection itself is still good for who takes what it asked for.
    shut.ask(7, "{ __typename }");
    shut.send(&frame(WINDOW_UPDATE, 0, 7, &1_000_u32.to_be_bytes())).unwrap();
    let began = Instant::now();
    while shut.count(DATA) == 0 {
        assert!(began.elapsed() < Duration::from_secs(5), "no answer any more");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn megabytes(castellan: &Castellan) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", castellan.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_are_held_up_to_a_bound() {
    let (port, _) = api().await;
    let castellan = guarding(port, 100).await;
    let before = megabytes(&castellan);
    let client = Client::connect(&castellan, 0);
    // A denied field: the answer has to be held to be merged.
    for stream in 0..60 {
        client.ask(2 * stream + 1, "{ a b }");
    }
    let began = Instant::now();
    while client.count(HEADERS) < 60 {
        assert!(began.elapsed() < Duration::from_secs(50), "{}", client.count(HEADERS));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let more = megabytes(&castellan) - before;
    assert!(more < 250, "{more} MB, where sixty answers are of 420");
    // Others are answered: the bound is that of one connection.
    let answer = castellan.graphql("/graphql", None, "{ a b }").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["data"]["a"].as_str().map(str::len)),
        (200, Some(7_000_000))
    );
}
