//! Connections, as those use them who mean no good, and those who rest between two requests.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::support::{
    castellan::{Castellan, Plan},
    wire::Ask,
};

/// The beginning of every connection of HTTP/2, with settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn connect(castellan: &Castellan) -> TcpStream {
    let socket =
        TcpStream::connect(castellan.url.replace("http://localhost", "127.0.0.1")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// Sends a request for `path` over `socket`, and reads the head of its answer and its body.
fn ask(socket: &mut TcpStream, path: &str) -> std::io::Result<String> {
    socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())?;
    read_answer(socket)
}

fn read_answer(socket: &mut TcpStream) -> std::io::Result<String> {
    let (mut text, mut piece) = (String::new(), [0; 4_096]);
    loop {
        let count = socket.read(&mut piece)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        text += &String::from_utf8_lossy(&piece[..count]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.is_none_or(|length| body.len() >= length.trim().parse().unwrap()) {
            return Ok(text);
        }
    }
}

/// Reads until the server ends the connection, and tells how long that took.
fn until_end(mut socket: &TcpStream) -> Duration {
    let began = Instant::now();
    let mut piece = [0; 4_096];
    loop {
        match socket.read(&mut piece) {
            Ok(0) => return began.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return began.elapsed(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("the connection is still there: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_no_whole_head_is_cut_off_after_ten_seconds() {
    let castellan = Castellan::start(Plan::default()).await;
    let beginnings: [&[u8]; 5] =
        [b"", &PREFACE[..12], PREFACE, b"GET / HT", b"GET / HTTP/1.1\r\nhost: localhost\r\n"];
    let began = Instant::now();
    let sockets = beginnings.map(|beginning| {
        let mut socket = connect(&castellan);
        socket.write_all(beginning).unwrap();
        socket
    });
    // Another line now and then buys no time.
    let mut slow = connect(&castellan);
    let slow = std::thread::spawn(move || {
        slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        while slow.write_all(b"x-a: b\r\n").is_ok() && began.elapsed().as_secs() < 25 {
            std::thread::sleep(Duration::from_secs(1));
        }
        began.elapsed()
    });
    let ends = sockets.map(|socket| std::thread::spawn(move || until_end(&socket)));
    for (end, beginning) in ends.into_iter().zip(beginnings) {
        let seconds = end.join().unwrap().as_secs();
        assert!((9..14).contains(&seconds), "{seconds} s after {}", beginning.escape_ascii());
    }
    let seconds = slow.join().unwrap().as_secs();
    assert!((9..16).contains(&seconds), "{seconds} s of a line a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_outlives_the_time_for_a_head() {
    let castellan = Castellan::start(Plan::default()).await;
    let mut socket = connect(&castellan);
    assert!(ask(&mut socket, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(ask(&mut socket, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
    // The time for the next head begins with its first byte, and does not end sooner.
    socket.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    socket.write_all(b"host: localhost\r\n\r\n").unwrap();
    assert!(read_answer(&mut socket).unwrap().starts_with("HTTP/1.1 200"));
    socket.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let seconds = until_end(&socket).as_secs();
    assert!((9..14).contains(&seconds), "{seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_connection_may_be_idle_is_a_setting_in_both_versions() {
    let castellan = Castellan::start(Plan {
        environment: vec![("CASTELLAN__SERVER__KEEP_ALIVE", "2s".to_owned())],
        ..Plan::default()
    })
    .await;
    let mut first = connect(&castellan);
    ask(&mut first, "/healthz").unwrap();
    let seconds = until_end(&first).as_secs_f64();
    assert!((1.5..5.0).contains(&seconds), "{seconds} s");

    let second = h2(&castellan).await;
    let began = Instant::now();
    second.ended.await.unwrap();
    let seconds = began.elapsed().as_secs_f64();
    assert!((1.5..5.0).contains(&seconds), "{seconds} s over HTTP/2");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_at_once_at_the_stop() {
    let mut castellan = Castellan::start(Plan::default()).await;
    let mut idle = connect(&castellan);
    ask(&mut idle, "/healthz").unwrap();
    let silent = connect(&castellan);
    // It answers no ping: nobody reads from it.
    let mut deaf = connect(&castellan);
    deaf.write_all(PREFACE).unwrap();
    let second = h2(&castellan).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    let ends = [idle, silent].map(|socket| std::thread::spawn(move || until_end(&socket)));
    castellan.stop();
    let stopped = began.elapsed();
    for end in ends {
        assert!(end.join().unwrap() < Duration::from_secs(1));
    }
    second.ended.await.unwrap();
    assert!(stopped < Duration::from_secs(4), "{stopped:?}");
    drop(deaf);
}

/// An idle server ends within 100 ms of the signal. On a busy machine a process may be kept from
/// running for longer, so that one of twenty tries is enough: a pause would hold up each of them.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_ends_within_100_ms_of_the_signal() {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let mut castellan = Castellan::start(Plan::default()).await;
        let mut idle = connect(&castellan);
        ask(&mut idle, "/healthz").unwrap();
        let began = Instant::now();
        castellan.stop();
        fastest = fastest.min(began.elapsed());
        if fastest < Duration::from_millis(100) {
            return;
        }
    }
    panic!("the fastest of twenty took {fastest:?}");
}

/// A connection of HTTP/2 over which one request was answered.
struct Second {
    ended: tokio::task::JoinHandle<()>,
    _sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>,
}

async fn h2(castellan: &Castellan) -> Second {
    let address = castellan.url.replace("http://localhost", "127.0.0.1");
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(socket);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let ended = tokio::spawn(async move { drop(connection.await) });
    let request = Request::get(castellan.at("/healthz")).body(Full::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    drop(response.into_body().collect().await.unwrap());
    Second { ended, _sender: sender }
}

fn h2_client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_at_most_64_kilobytes_in_both_versions() {
    let castellan = Castellan::start(Plan::default()).await;
    for (length, status) in [(40_000, 200), (70_000, 431), (1_000_000, 431)] {
        let mut socket = connect(&castellan);
        let long = "x".repeat(length);
        let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let answer = read_answer(&mut socket).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
    }
    for (length, status) in [(40_000, 200), (70_000, 431)] {
        let request = Request::get(castellan.at("/healthz"))
            .version(Version::HTTP_2)
            .header("x-long", "x".repeat(length));
        let answer = h2_client().request(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_silent_connections_than_file_handles_keep_nobody_out() {
    let castellan = Castellan::start(Plan { file_handles: Some(256), ..Plan::default() }).await;
    let mut kept = connect(&castellan);
    ask(&mut kept, "/healthz").unwrap();
    let silent: Vec<TcpStream> = (0..600).map(|_| connect(&castellan)).collect();
    let began = Instant::now();
    for _ in 0..20 {
        let answer = Ask::get(&castellan.at("/readyz")).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let handles = std::fs::read_dir(format!("/proc/{}/fd", castellan.id())).unwrap().count();
    assert!(handles < 256 - 32, "{handles} handles are open, and some are kept back");
    drop(silent);
    // Whoever was here before them, and rested, is still here: silent ones make way first.
    assert!(ask(&mut kept, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
}

/// A client that writes all before it reads anything, as many do.
fn post(castellan: &Castellan, head: &str, body: &[u8]) -> String {
    let mut socket = connect(castellan);
    let length = body.len();
    let text = format!("POST {head}\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
    socket.write_all(text.as_bytes()).unwrap();
    socket.write_all(body).unwrap_or_else(|error| panic!("{head}: {error}"));
    read_answer(&mut socket).unwrap_or_else(|error| panic!("{head}: {error}"))
}

const DOORS: [(&str, u16); 6] = [
    ("/api HTTP/1.1\r\ncontent-type: application/json", 413),
    ("/auth/token HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded", 413),
    ("/auth/par HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded", 413),
    ("/jwt HTTP/1.1\r\ncontent-type: application/json", 413),
    ("/nowhere HTTP/1.1\r\ncontent-type: application/json", 404),
    ("/auth/token HTTP/1.1\r\ncontent-type: text/plain", 400),
];

async fn with_doors() -> Castellan {
    Castellan::start(Plan {
        environment: vec![("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned())],
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/api\"\nschema = \"api.graphql\"\n\
             upstream = \"http://127.0.0.1:{}/\"\n",
            crate::support::castellan::free_port()
        ),
        files: vec![("api.graphql", "type Query { a: Int }".to_owned())],
        ..Plan::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_20_megabytes_sees_the_status() {
    let castellan = with_doors().await;
    let body = vec![b'x'; 20 * 1024 * 1024];
    for (door, status) in DOORS {
        for _ in 0..3 {
            let answer = post(&castellan, door, &body);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{door}: {answer}");
            assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close"), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_20_megabytes_by_http_2_sees_the_status() {
    let castellan = with_doors().await;
    let body = Bytes::from(vec![b'x'; 20 * 1024 * 1024]);
    for (door, status) in DOORS {
        let (path, media_type) = door.split_once(" HTTP/1.1\r\ncontent-type: ").unwrap();
        let request = Request::post(castellan.at(path))
            .version(Version::HTTP_2)
            .header("content-type", media_type)
            .body(Full::new(body.clone()))
            .unwrap();
        let answer = h2_client().request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{door}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_body_that_nobody_wants_leaves_the_connection_usable() {
    let castellan = with_doors().await;
    let mut socket = connect(&castellan);
    for _ in 0..3 {
        let length = 30_000;
        let head = format!(
            "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(&vec![b'x'; 10_000]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let answer = read_answer(&mut socket).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
        socket.write_all(&vec![b'x'; length - 10_000]).unwrap();
    }
    assert!(ask(&mut socket, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_to_be_asked_for_a_body_is_not_asked_in_vain() {
    let castellan = with_doors().await;
    let mut socket = connect(&castellan);
    let head = "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\
                expect: 100-continue\r\n\r\n";
    socket.write_all(head.as_bytes()).unwrap();
    let answer = read_answer(&mut socket).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_none_is_told_so_however_much_follows() {
    let castellan = Castellan::start(Plan::default()).await;
    let mut socket = connect(&castellan);
    socket.write_all(b"\x16\x03\x01 is no HTTP\r\n\r\n").unwrap();
    socket.write_all(&vec![b'x'; 4 * 1024 * 1024]).unwrap();
    assert!(read_answer(&mut socket).unwrap().starts_with("HTTP/1.1 400 "));
}

/// Sends a POST with `headers` and then a request of its own, and reads all that comes.
async fn smuggle(castellan: &Castellan, headers: &str, body: &str) -> String {
    let request = format!(
        "POST /jwt HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n\
         \r\n{body}GET /healthz HTTP/1.1\r\nhost: localhost\r\n\
         connection: close\r\n\r\n"
    );
    crate::support::wire::raw(&castellan.url, request.as_bytes()).await
}

/// RFC 9112 §6.1 and §6.3: of a request that could end in two places nothing is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_two_lengths_or_another_coding_is_refused_and_the_connection_closed() {
    let castellan = with_doors().await;
    for headers in [
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 7",
        "content-length: 7\r\ntransfer-encoding: chunked",
        "Content-Length: 7\r\nx-a: b\r\nTransfer-Encoding: Chunked",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked, gzip",
    ] {
        let said = smuggle(&castellan, headers, "2\r\n{}\r\n0\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{headers}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{headers}: {said}");
        // The same in a later request of a connection.
        let mut socket = connect(&castellan);
        ask(&mut socket, "/healthz").unwrap();
        let head = format!("POST /jwt HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n0\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let said = read_answer(&mut socket).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 "), "{headers}: {said}");
        assert!(until_end(&socket) < Duration::from_secs(3), "{headers}");
    }
    let said = smuggle(&castellan, "transfer-encoding: chunked", "2\r\n{}\r\n0\r\n\r\n").await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "one that is good leaves it open: {said}");
}

/// RFC 9110 §10.1.1: who waits to be asked is not asked for what is refused in any case.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_says_it_is_too_long_is_not_asked_for() {
    let castellan = with_doors().await;
    for (door, status) in DOORS {
        let mut socket = connect(&castellan);
        let head = format!(
            "POST {door}\r\nhost: localhost\r\ncontent-length: 20000000\r\n\
             expect: 100-continue\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        let answer = read_answer(&mut socket).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{door}: {answer}");
    }
}
