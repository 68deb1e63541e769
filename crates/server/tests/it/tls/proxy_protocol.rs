//! The PROXY protocol: from whom a connection comes, as a listed load balancer says.

use super::support::{Setting, Stage};
use crate::support::wire::raw;

const LISTED: &str = "proxy_protocol = [\"127.0.0.1\"]";

/// Asks over plain HTTP, with `header` before it, how many guesses an address has.
async fn ask(port: u16, header: &[u8], path: &str, more: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: id.example.org\r\nconnection: close\r\n{more}\r\n");
    raw(&format!("http://localhost:{port}"), &[header, request.as_bytes()].concat()).await
}

async fn stage(listed: &str) -> (Stage, u16) {
    let port = crate::support::castellan::free_port();
    let config =
        format!("[[listener]]\nlisten = \"127.0.0.1:{port}\"\nproxy_protocol = [\"{listed}\"]\n");
    let issuer = Some("https://id.example.org".to_owned());
    (Stage::start(Setting { issuer, config, ..Setting::default() }).await, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_is_that_of_the_client() {
    let (_stage, port) = stage("127.0.0.0/8").await;
    let v2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"[..],
        &[192, 0, 2, 7, 192, 0, 2, 1, 0x12, 0x67, 0x01, 0xbb],
    ]
    .concat();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    let v1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n";
    let token = "authorization: Bearer x\r\n";
    for (header, status) in [
        // Credentials of another machine in the clear are refused, those of this one are looked at.
        (&v2[..], "403"),
        (v1, "403"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", "403"),
        (local, "401"),
        (b"PROXY UNKNOWN\r\n", "401"),
        (b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 443\r\n", "401"),
    ] {
        let answer = ask(port, header, "/auth/userinfo", token).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{header:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_begin_so_is_closed() {
    let (_stage, port) = stage("127.0.0.0/8").await;
    for header in [
        &b""[..],
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n",
        b"PROXY TCP4 ::1 ::1 4711 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x04\0\0\0\0",
        b"\r\n\r\n\0\r\nQUIT\n\x22\x11\x00\x00",
    ] {
        assert_eq!(ask(port, header, "/healthz", "").await, "", "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_cannot_connect() {
    let (_stage, port) = stage("192.0.2.0/24").await;
    for header in [&b""[..], b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"] {
        assert_eq!(ask(port, header, "/healthz", "").await, "", "{header:?}");
    }
}

/// The header comes before the handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_begins_behind_the_header() {
    let setting = Setting { listener: LISTED, ..Setting::default() };
    let stage = Stage::start(setting).await;
    let answer = stage.curl("/healthz").with(&["--haproxy-protocol"]).run();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(stage.curl("/healthz").run().status, 0);
}
