//! Health checks as proxies send them. HAProxy's `option httpchk` sends `OPTIONS` and HTTP/1.0 unless it
//! is told otherwise, and takes a 2xx or 3xx as healthy.

use crate::support::{
    castellan::{Castellan, Plan},
    wire::raw,
};

#[tokio::test]
async fn a_proxy_may_ask_by_any_method_that_changes_nothing() {
    let castellan = Castellan::start(Plan::default()).await;
    let host = castellan.url.trim_start_matches("http://");
    for path in ["/healthz", "/readyz"] {
        for (method, version) in [
            ("OPTIONS", "1.0"),
            ("GET", "1.0"),
            ("HEAD", "1.0"),
            ("OPTIONS", "1.1"),
            ("GET", "1.1"),
            ("HEAD", "1.1"),
        ] {
            let check = format!(
                "{method} {path} HTTP/{version}\r\nhost: {host}\r\nconnection: close\r\n\r\n"
            );
            let answer = raw(&castellan.url, check.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/{version} 200 OK\r\n")), "{check}{answer}");
        }
        let check = format!("POST {path} HTTP/1.0\r\nhost: {host}\r\n\r\n");
        let answer = raw(&castellan.url, check.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.0 405 "), "{answer}");
    }
}

/// `option httpchk` without anything else sends no host, and takes no port of a site's for one.
#[tokio::test]
async fn the_bare_health_check_of_haproxy_is_answered() {
    let castellan = Castellan::start(Plan::default()).await;
    let host = castellan.url.trim_start_matches("http://");
    let star = format!("OPTIONS * HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    for check in ["OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.0\r\n\r\n", &star] {
        let answer = raw(&castellan.url, check.as_bytes()).await;
        assert!(
            answer.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("200 ")),
            "{answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.to_ascii_lowercase().contains("\r\nallow: get, head, post"), "{answer}");
        assert_eq!(body, "", "{check}");
    }
    for check in [
        "GET * HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS /api HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nconnection: close\r\n\r\n",
    ] {
        let answer = raw(&castellan.url, check.as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some("400"), "{check}{answer}");
    }
}
