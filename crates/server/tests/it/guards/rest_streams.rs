//! Bodies on their way through a guard of an API over HTTP: nothing is held, nothing is added, and
//! nothing is said twice.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::DOCUMENTS,
    wire::{Ask, raw},
};

const OPERATIONS: &str = r#"public = ["*"]
[guard.operations]
"GET /files/{name}" = "Query:File:Get"
"PUT /files/{name}" = "Mutation:File:Update"
"#;
const CLOSED: &str = "[guard.operations]\n\"PUT /files/{name}\" = \"Mutation:File:Update\"\n";
const MIB: usize = 1024 * 1024;
/// As large as no memory of the server may grow by.
const LARGE: usize = 96 * MIB;
const SOON: Duration = Duration::from_secs(30);

/// A server before the API at `port`.
async fn before(port: u16, operations: &str) -> Castellan {
    Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"files\"\npath = \"/f\"\nprotocol = \"http\"\n\
             upstream = \"http://127.0.0.1:{port}/\"\n{operations}"
        ),
        documents: DOCUMENTS.to_owned(),
        ..Plan::default()
    })
    .await
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn client(castellan: &Castellan) -> TcpStream {
    TcpStream::connect(castellan.url.replace("http://localhost", "127.0.0.1")).await.unwrap()
}

/// What comes of `socket` until `end` has come.
async fn until(socket: &mut TcpStream, end: &str) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    let reading = async {
        while !String::from_utf8_lossy(&said).contains(end) {
            match socket.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => said.extend_from_slice(&piece[..count]),
            }
        }
    };
    let in_time = tokio::time::timeout(SOON, reading).await;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(in_time.is_ok(), "{end:?} does not come: {said}");
    said
}

const PUT: &str = "PUT /f/files/a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";

#[tokio::test]
async fn an_upload_reaches_the_api_while_it_comes() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let mut client = client(&castellan).await;
    let head = format!("{PUT}transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut api, _) = listener.accept().await.unwrap();
    let said = until(&mut api, "first").await;
    assert!(said.starts_with("PUT /files/a HTTP/1.1\r\n"), "{said}");
    assert!(said.contains("transfer-encoding: chunked\r\n"), "{said}");
    client.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    until(&mut api, "second").await;
    let answer = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\
                  content-type: text/plain\r\n\r\n3\r\none\r\n";
    api.write_all(answer.as_bytes()).await.unwrap();
    let said = until(&mut client, "one").await;
    assert!(said.starts_with("HTTP/1.1 201 Created\r\n"), "{said}");
    api.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    until(&mut client, "two").await;
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_only_if_it_may() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let mut waiting = client(&castellan).await;
    let head = format!("{PUT}expect: 100-continue\r\ncontent-length: 4\r\n\r\n");
    waiting.write_all(head.as_bytes()).await.unwrap();
    let (mut api, _) = listener.accept().await.unwrap();
    until(&mut waiting, "HTTP/1.1 100 Continue\r\n\r\n").await;
    waiting.write_all(b"body").await.unwrap();
    let said = until(&mut api, "body").await;
    assert!(said.contains("content-length: 4\r\n") && !said.contains("expect"), "{said}");
    api.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert!(until(&mut waiting, "\r\n\r\n").await.starts_with("HTTP/1.1 204 "));

    let castellan = before(port, CLOSED).await;
    let said = raw(&castellan.url, head.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 401 ") && !said.contains("100 Continue"), "{said}");
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let mut client = client(&castellan).await;
    let request = "PUT /f/files/a HTTP/1.1\r\nhost: localhost\r\nte: trailers\r\nconnection: te\r\n\
                   trailer: content-digest, castellan-identity\r\ntransfer-encoding: chunked\r\n\r\n\
                   4\r\nbody\r\n0\r\ncontent-digest: abc\r\ncastellan-identity: forged\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let (mut api, _) = listener.accept().await.unwrap();
    let said = until(&mut api, "content-digest: abc\r\n").await;
    assert!(said.contains("te: trailers\r\n") && !said.contains("forged"), "{said}");
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntrailer: x-checksum, set-cookie\
                  \r\ntransfer-encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\nx-checksum: def\r\n\
                  set-cookie: a=b\r\n\r\n";
    api.write_all(answer.as_bytes()).await.unwrap();
    let said = until(&mut client, "x-checksum: def\r\n\r\n").await;
    assert!(!said.contains("a=b"), "{said}");
}

#[tokio::test]
async fn a_part_is_asked_for_and_passed_on_as_a_part() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let serving = tokio::spawn(async move {
        let (mut api, _) = listener.accept().await.unwrap();
        let said = until(&mut api, "\r\n\r\n").await;
        let answer = "HTTP/1.1 206 Partial Content\r\ncontent-type: application/octet-stream\r\n\
                      content-range: bytes 2-4/9\r\naccept-ranges: bytes\r\netag: \"1\"\r\n\
                      content-encoding: br\r\ncontent-length: 3\r\n\r\ncde";
        api.write_all(answer.as_bytes()).await.unwrap();
        said
    });
    let answer = Ask::get(&castellan.at("/f/files/a"))
        .header("range", "bytes=2-4")
        .header("if-range", "\"1\"")
        .header("accept-encoding", "br")
        .send()
        .await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (206, "cde"));
    for (name, value) in [
        ("content-range", "bytes 2-4/9"),
        ("accept-ranges", "bytes"),
        ("content-encoding", "br"),
        ("content-length", "3"),
        ("etag", "\"1\""),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let said = serving.await.unwrap();
    for line in ["range: bytes=2-4\r\n", "if-range: \"1\"\r\n", "accept-encoding: br\r\n"] {
        assert!(said.contains(line), "{said}");
    }
}

#[tokio::test]
async fn the_head_of_a_response_says_how_long_it_would_be() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let serving = tokio::spawn(async move {
        let (mut api, _) = listener.accept().await.unwrap();
        let said = until(&mut api, "\r\n\r\n").await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12345\r\n\r\n";
        api.write_all(answer.as_bytes()).await.unwrap();
        said
    });
    let answer = Ask::new(http::Method::HEAD, &castellan.at("/f/files/a")).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length")), (200, Some("12345")));
    assert!(serving.await.unwrap().starts_with("HEAD /files/a HTTP/1.1\r\n"));
}

/// The most memory that the server has had, in bytes.
fn peak(castellan: &Castellan) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", castellan.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_take_no_memory() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let idle = peak(&castellan);
    // It reads slowly at first, so that what is held would show.
    let api = tokio::spawn(async move {
        let (mut api, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (mut count, mut piece) = (0, vec![0; 256 * 1024]);
        while count < LARGE {
            count += api.read(&mut piece).await.unwrap();
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\
             content-length: {LARGE}\r\n\r\n"
        );
        api.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..LARGE / MIB {
            api.write_all(&vec![b'x'; MIB]).await.unwrap();
        }
        api
    });
    let (mut read, mut write) = client(&castellan).await.into_split();
    let sending = tokio::spawn(async move {
        let head = format!("{PUT}content-length: {LARGE}\r\n\r\n");
        write.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..LARGE / MIB {
            write.write_all(&vec![b'x'; MIB]).await.unwrap();
        }
        write
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut piece = vec![0; 256 * 1024];
    let mut count = 0;
    while count < LARGE {
        match read.read(&mut piece).await.unwrap() {
            0 => break,
            more => count += more,
        }
    }
    assert!(count >= LARGE, "{count} bytes came back");
    drop((sending.await.unwrap(), api.await.unwrap()));
    let grown = peak(&castellan) - idle;
    assert!(grown < LARGE / 3, "{grown} bytes were held");
}

/// Uploads that their clients cut off say nothing about the API, which stays open to others.
#[tokio::test]
async fn uploads_that_are_cut_off_do_not_close_the_api() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let whole = Arc::new(Semaphore::new(0));
    let seen = Arc::clone(&whole);
    tokio::spawn(async move {
        while let Ok((mut api, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let (mut said, mut piece) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = api.read(&mut piece).await {
                    said.extend_from_slice(&piece[..count]);
                    if said.ends_with(b"whole") {
                        seen.add_permits(1);
                        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                        api.write_all(answer).await.unwrap();
                        said.clear();
                    }
                }
            });
        }
    });
    for _ in 0..12 {
        let mut client = client(&castellan).await;
        let head = format!("{PUT}content-length: 5\r\n\r\nwh");
        client.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let put = Ask::new(http::Method::PUT, &castellan.at("/f/files/a"));
    let answer = put.body("text/plain", "whole").send().await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(whole.available_permits(), 1, "none of the others was whole");
}

/// An API that hangs up is asked once: nobody knows what it has done.
#[tokio::test]
async fn nothing_is_sent_twice() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    let asked = Arc::new(Semaphore::new(0));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut api, _)) = listener.accept().await {
            until(&mut api, "body").await;
            seen.add_permits(1);
        }
    });
    let put = Ask::new(http::Method::PUT, &castellan.at("/f/files/a"));
    let answer = put.body("text/plain", "body").send().await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(answer.json()["code"], "upstream");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(asked.available_permits(), 1);
}

/// A response that breaks off does not look whole.
#[tokio::test]
async fn a_response_that_breaks_off_breaks_off() {
    let (listener, port) = listen().await;
    let castellan = before(port, OPERATIONS).await;
    tokio::spawn(async move {
        let (mut api, _) = listener.accept().await.unwrap();
        until(&mut api, "\r\n\r\n").await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\
                      \r\n\r\n4\r\nhalf\r\n";
        api.write_all(answer.as_bytes()).await.unwrap();
        // What has arrived goes on to the client before the rest is missed.
        tokio::time::sleep(Duration::from_millis(300)).await;
    });
    let bytes = "GET /f/files/a HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let said = raw(&castellan.url, bytes.as_bytes()).await;
    assert!(said.contains("half") && !said.contains("0\r\n\r\n"), "{said}");
}

/// A response that goes on for ever, a byte at a time, holds its place as long as the guard says.
#[tokio::test]
async fn a_whole_response_has_the_time_that_the_guard_says() {
    let (listener, port) = listen().await;
    let castellan = before(port, &format!("upstream_timeout = \"1s\"\n{OPERATIONS}")).await;
    tokio::spawn(async move {
        let (mut api, _) = listener.accept().await.unwrap();
        until(&mut api, "\r\n\r\n").await;
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
        api.write_all(head.as_bytes()).await.unwrap();
        while api.write_all(b"1\r\nx\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let began = std::time::Instant::now();
    let bytes = "GET /f/files/a HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let said = raw(&castellan.url, bytes.as_bytes()).await;
    assert!(said.contains("\r\nx\r\n") && !said.contains("0\r\n\r\n"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
}
