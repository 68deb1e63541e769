//! Bad input at the gate, at `/jwt`, and below HTTP.

use http::Method;
use serde_json::json;

use crate::{
    dialects::trompa_guard::Stage,
    oauth::bad_input::{GIVEN_AWAY, Patient, assert_clean, bodies, hostile},
    support::{
        castellan::{Castellan, Plan},
        upstream::Recorder,
        wire::{Answer, Ask, raw},
    },
};

/// A gate before a recorder; all that it has is public.
async fn door() -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    let sdl = "type Query { hello(name: String, n: Int): String }";
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"door\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             schema = \"door.graphql\"\npublic = [\"Query:*\"]\n",
            recorder.url
        ),
        files: vec![("door.graphql", sdl.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

/// Texts that are no envelope, or one around nothing that could be asked.
const ENVELOPES: [&str; 24] = [
    "{",
    "[]",
    "[{\"query\":\"{ hello }\"}]",
    "null",
    "1",
    "\"{ hello }\"",
    "{}",
    r#"{"query":null}"#,
    r#"{"query":1}"#,
    r#"{"query":["{ hello }"]}"#,
    r#"{"query":"{ hello }","query":"{ hello }"}"#,
    r#"{"query":"{ hello }","variables":1}"#,
    r#"{"query":"{ hello }","variables":[]}"#,
    r#"{"query":"{ hello }","variables":"{}"}"#,
    r#"{"query":"{ hello }","operationName":1}"#,
    r#"{"query":"{ hello }","operationName":"Other"}"#,
    r#"{"query":"{ hello }","extensions":1}"#,
    r#"{"extensions":{"persistedQuery":null}}"#,
    r#"{"id":"x"}"#,
    r#"{"query":"\ud800"}"#,
    r#"{"query":"query($n: Int!) { hello(n: $n) }"}"#,
    r#"{"query":"query($n: Int!) { hello(n: $n) }","variables":{"n":"x"}}"#,
    r#"{"query":"query($n: Int!) { hello(n: $n) }","variables":{"n":99999999999}}"#,
    "",
];

fn deep(open: &str, close: &str, n: usize) -> String {
    format!("{}{}", open.repeat(n), close.repeat(n))
}

fn query(text: &str) -> String {
    json!({"query": text}).to_string()
}

/// Envelopes around documents that are wrong, or too much.
fn documents() -> Vec<String> {
    let aliases: Vec<_> = (0..500).map(|n| format!("a{n}: hello")).collect();
    let mut bodies = vec![
        query("{ nothing }"),
        query("{ hello(name: 1) }"),
        query("{ hello { x } }"),
        query("mutation { hello }"),
        query("subscription { hello }"),
        query("query A { hello } query B { hello }"),
        query("fragment F on Query { hello }"),
        query("{ ...F } fragment F on Query { ...F }"),
        query("{ hello @nothing }"),
        query("{ hello @include(if: 1) }"),
        query("type Query { x: Int }"),
        query("#"),
        query("{ hello\0 }"),
        query(&deep("{ hello ", "}", 5_000)),
        query(&format!("{{ {} }}", deep("... on Query { ", "}", 500))),
        query(&format!("{{ hello(name: {}) }}", deep("[", "]", 3_000))),
        query(&format!("{{ {} }}", aliases.join(" "))),
        query(&format!("{{ {} }}", "hello ".repeat(10_000))),
    ];
    bodies.push(deep("[", "]", 50_000));
    bodies.push(format!(
        "{{\"query\":\"{{ hello }}\",\"variables\":{}}}",
        deep("{\"a\":", "", 20_000)
    ));
    bodies.extend(hostile().iter().filter(|value| value.len() < 1_000).map(|value| query(value)));
    bodies
}

#[tokio::test]
async fn bad_input_at_the_gate() {
    let (recorder, castellan) = door().await;
    let send =
        |body: Vec<u8>| Ask::post(&castellan.at("/graphql")).body("application/json", body).send();
    for body in ENVELOPES.map(ToOwned::to_owned).into_iter().chain(documents()) {
        assert_graphql_error(&send(body.clone().into()).await, 400, &body);
    }
    let bytes = b"{\"query\":\"{ hello(name: \\\"\xff\\\") }\"}".to_vec();
    assert_graphql_error(&send(bytes).await, 400, "invalid UTF-8");
    let large = query(&format!("{{ hello }}{}", " ".repeat(200_000)));
    assert_graphql_error(&send(large.into()).await, 413, "too large");
    assert!(recorder.seen().is_empty(), "something reached the API");
}

#[tokio::test]
async fn bad_input_in_the_address_and_the_headers_of_the_gate() {
    let (recorder, castellan) = door().await;
    for query in [
        "",
        "query=",
        "query=%",
        "query=%ff",
        "query=%7B",
        "query=%7Bhello%7D&query=%7Bhello%7D",
        "query=%7Bhello%7D&variables=%7B",
        "query=%7Bhello%7D&variables=1",
        "id=x",
        "query=%00",
    ] {
        let answer = Ask::get(&castellan.at(&format!("/graphql?{query}"))).send().await;
        assert_graphql_error(&answer, 400, query);
    }
    for (name, value, status) in [
        ("content-encoding", "gzip", 415),
        ("upgrade", "websocket", 400),
        ("accept", "text/html", 406),
    ] {
        let ask = Ask::post(&castellan.at("/graphql")).body("application/json", query("{ hello }"));
        let answer = ask.header(name, value).send().await;
        assert_graphql_error(&answer, status, name);
    }
    assert!(recorder.seen().is_empty(), "something reached the API");
}

#[track_caller]
fn assert_graphql_error(answer: &Answer, status: u16, of: &str) {
    assert_clean(answer, of);
    let of: String = of.chars().take(200).collect();
    assert_eq!(answer.status, status, "{of}: {answer:?}");
    let body = answer.json();
    assert!(body["errors"][0]["message"].is_string(), "{of}: {answer:?}");
    assert!(body["errors"][0]["extensions"]["decision"].is_string(), "{of}: {answer:?}");
    assert!(body.get("data").is_none(), "{of}: {answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{of}");
}

#[tokio::test]
async fn bad_input_at_the_exchange_of_keys() {
    let stage = Stage::start().await;
    let url = stage.castellan.at("/jwt");
    for value in hostile() {
        for body in [
            json!({"id": value, "apiKey": "k-admin", "scopes": ["*"]}),
            json!({"id": "admin", "apiKey": value, "scopes": ["*"]}),
            json!({"id": "persons", "apiKey": "k-persons", "scopes": [value]}),
            json!({"id": "admin", "apiKey": "k-admin", "scopes": value}),
            json!({"id": [value], "apiKey": {}, "scopes": 1}),
        ] {
            let answer = Ask::post(&url).json(&body).send().await;
            assert_clean(&answer, &body.to_string());
            assert!(answer.status.is_client_error(), "{body:.200}: {answer:?}");
            assert_eq!(answer.json()["success"], false);
            assert!(answer.json().get("jwt").is_none(), "{answer:?}");
        }
    }
    for (media_type, body) in bodies() {
        let of = String::from_utf8_lossy(&body).into_owned();
        let answer = Ask::post(&url).body(media_type, body).send().await;
        assert_clean(&answer, &of);
        assert!(answer.status.is_client_error(), "{of:.200}: {answer:?}");
        assert_eq!(answer.json()["success"], false, "{answer:?}");
    }
    let large =
        json!({"id": "admin", "apiKey": "k-admin", "scopes": ["*"], "x": "x".repeat(3_000_000)});
    let answer = Ask::post(&url).json(&large).send().await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.json()["success"], false, "{answer:?}");
}

#[tokio::test]
async fn bad_input_methods() {
    let patient = Patient::new().await;
    let all =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE];
    for (path, allowed) in [
        ("/", "GET"),
        ("/account", "GET"),
        ("/account/revoke", "POST"),
        ("/assets/castellan.css", "GET"),
        ("/assets/continue.js", "GET"),
        ("/assets/farewell.js", "GET"),
        ("/auth/authorize", "GET,POST"),
        ("/auth/device", "GET,POST"),
        ("/auth/device/code", "POST"),
        ("/auth/consent", "GET,POST"),
        ("/auth/grant", "GET,POST"),
        ("/auth/introspect", "POST"),
        ("/auth/login", "GET,POST"),
        ("/auth/logout", "GET,POST"),
        ("/auth/par", "POST"),
        ("/auth/revoke", "POST"),
        ("/auth/setup", "GET,POST"),
        ("/auth/token", "POST"),
        ("/auth/userinfo", "GET,POST"),
        ("/healthz", "GET"),
        ("/readyz", "GET"),
        ("/.well-known/jwks.json", "GET"),
        ("/.well-known/castellan-identity-jwks.json", "GET"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/.well-known/openid-configuration", "GET"),
        ("/api", "GET,POST"),
    ] {
        for method in &all {
            let answer = Ask::new(method.clone(), &patient.castellan.at(path)).send().await;
            assert_clean(&answer, path);
            let known = allowed.split(',').any(|name| name == method.as_str());
            assert_eq!(answer.status == 405, !known, "{method} {path}: {answer:?}");
            if !known {
                let told = answer.header("allow").unwrap_or_default();
                assert!(
                    allowed.split(',').all(|name| told.contains(name)),
                    "{method} {path}: {told}"
                );
            }
        }
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_paths() {
    let patient = Patient::new().await;
    for path in [
        "/nowhere",
        "/auth",
        "/auth/",
        "/auth/token/",
        "/AUTH/token",
        "/auth/token/x",
        "/api/x",
        "/castellan.toml",
        "/castellan.db",
        "/castellan.key",
        "/assets/",
        "/assets/castellan.key",
    ] {
        let answer = Ask::post(&patient.castellan.at(path)).send().await;
        assert_clean(&answer, path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert_eq!(answer.json()["error"], "not_found");
    }
    for path in [
        "/../castellan.key",
        "/assets/../castellan.key",
        "/assets/%2e%2e/castellan.key",
        "/assets/..%2fcastellan.key",
        "//auth/token",
        "/auth//token",
        "/auth/./token",
        "/auth%2ftoken",
        "/auth/token;x=1",
        "/auth/token%00",
        "/auth\\token",
        "/auth/%5ctoken",
        "/%61uth/token%3f",
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let said = raw(&patient.castellan.url, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{path}: {said}");
        assert!(!said.contains("[data]") && !said.contains("/tmp/"), "{path}: {said}");
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_requests_that_are_no_http() {
    let patient = Patient::new().await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(600_000));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(500));
    let far =
        format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "x".repeat(80_000));
    for request in [
        "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n".to_owned(),
        "GET http://a.test/healthz HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n"
            .to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\n X: folded\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n".to_owned(),
        "GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "get\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!(
            "POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
        ),
        format!("POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Content-Length: -1\r\n\r\n"),
        format!("POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Content-Length: x\r\n\r\n"),
        format!(
            "POST /auth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{form}Transfer-Encoding: chunked\r\n\r\nzz\r\n"
        ),
        format!("POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Transfer-Encoding: gzip\r\n\r\nx"),
        long,
        many,
        far,
    ] {
        let said = raw(&patient.castellan.url, request.as_bytes()).await;
        let status = said.get(9..12).unwrap_or("hung");
        let of: String = request.chars().take(200).collect();
        assert!(status == "hung" || status.starts_with('4'), "{of}: {said}");
        for text in GIVEN_AWAY {
            assert!(!said.contains(text), "{of}: {said}");
        }
    }
    patient.assert_unharmed().await;
}
