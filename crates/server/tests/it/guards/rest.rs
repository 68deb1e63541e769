//! Guards of APIs over HTTP that are not GraphQL: `protocol = "http"`.

use http::{Method, Response};
use serde_json::json;

use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::{DOCUMENTS, text},
    upstream::{Recorder, Seen},
    wire::{Answer, Ask, raw},
};

const OPERATIONS: &str = r#"[guard.operations]
"GET /orders" = "Query:Order:List"
"GET /orders/{id}" = "Query:Order:Get"
"GET /orders/{id}/secret" = "Query:Secret:Get"
"POST /persons" = "Mutation:Person:Create"
"DELETE /persons/{id}" = "Mutation:Person:Delete"
"COPY /persons/{id}" = "Mutation:Person:Create"
"#;

async fn stage() -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    recorder.answer("[]");
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"shop\"\npath = \"/shop\"\nprotocol = \"http\"\n\
             upstream = \"{}v1/\"\npublic = [\"Query:Order:List\"]\n\
             strip_headers = [\"X-Tenant\"]\n{OPERATIONS}",
            recorder.url
        ),
        documents: DOCUMENTS.replace("\"Query:*\", ", "\"Query:Order:*\", "),
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

async fn machine(castellan: &Castellan, scope: &str) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
        ("scope", scope),
    ];
    let answer = castellan.token(&pairs).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.json(), "access_token").to_owned()
}

fn only(recorder: &Recorder) -> Seen {
    let mut seen = recorder.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.remove(0)
}

async fn ask(castellan: &Castellan, method: &str, path: &str, token: Option<&str>) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let ask = Ask::new(method, &castellan.at(path));
    token.into_iter().fold(ask, Ask::bearer).send().await
}

#[tokio::test]
async fn an_operation_passes_by_its_scope() {
    let (recorder, castellan) = stage().await;
    let reads = machine(&castellan, "Query:Order:*").await;
    let writes = machine(&castellan, "Mutation:Person:Create").await;
    for (method, path, token, status, arrives) in [
        ("GET", "/shop/orders?a=%20&b", None, 200, "/v1/orders?a=%20&b"),
        ("GET", "/shop/orders/7", None, 401, ""),
        ("GET", "/shop/orders/7", Some(&reads), 200, "/v1/orders/7"),
        ("GET", "/shop/orders/%41b", Some(&reads), 200, "/v1/orders/%41b"),
        ("GET", "/shop/orders/7/secret", Some(&reads), 403, ""),
        ("COPY", "/shop/persons/7", Some(&writes), 200, "/v1/persons/7"),
        ("DELETE", "/shop/persons/7", Some(&writes), 403, ""),
        ("PUT", "/shop/persons/7", Some(&writes), 405, ""),
        ("GET", "/shop", Some(&reads), 404, ""),
        ("GET", "/shop/", Some(&reads), 404, ""),
        ("GET", "/shopping", Some(&reads), 404, ""),
        ("GET", "/shop/internal", Some(&reads), 404, ""),
    ] {
        let answer = ask(&castellan, method, path, token.map(|token| &**token)).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        if arrives.is_empty() {
            assert!(recorder.seen().is_empty(), "{method} {path}");
        } else {
            let seen = only(&recorder);
            assert_eq!((seen.method.as_str(), &*seen.path), (method, arrives));
            assert!(seen.headers.contains_key("castellan-identity"), "{seen:?}");
        }
    }
    let denied = ask(&castellan, "GET", "/shop/orders/7/secret", Some(&reads)).await;
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"Query:Secret:Get\"";
    assert_eq!(denied.header("www-authenticate"), Some(challenge));
    assert_eq!(denied.header("content-type"), Some("application/problem+json"));
}

#[tokio::test]
async fn a_denial_can_be_explained() {
    let (_recorder, castellan) = stage().await;
    let reads = machine(&castellan, "Query:Order:*").await;
    let denied = ask(&castellan, "GET", "/shop/orders/7/secret", Some(&reads)).await;
    let id = denied.header("castellan-decision").unwrap().to_owned();
    let said = castellan.until_said(&["explain", &id]).await;
    for line in [
        "GET /orders/{id}/secret",
        "DENIED: token_scope",
        "requires        Query:Secret:Get",
        "smallest grant  Query:Secret:Get",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("/7"), "{said}");
}

/// What two servers could read differently reaches nobody.
#[tokio::test]
async fn case_31_ambiguous_paths_do_not_reach_the_api() {
    let (recorder, castellan) = stage().await;
    for target in [
        "/shop/orders/../internal",
        "/shop/orders/%2e%2e/internal",
        "/shop//orders",
        "/shop/orders;x",
        "/shop/orders%2F7",
        "/shop/orders%5c7",
        "/shop/./orders",
        "/shop/orders/%00",
        "/shop/orders/%ff",
        "/shop/orders?access_token=x",
    ] {
        let bytes =
            format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let said = raw(&castellan.url, bytes.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{target}: {said}");
    }
    assert!(recorder.seen().is_empty());
}

/// Two lengths, two hosts, and a coding that is not decoded.
#[tokio::test]
async fn case_31_a_request_within_a_request_does_not_reach_the_api() {
    let (recorder, castellan) = stage().await;
    let inner = "GET /shop/orders HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for headers in [
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "host: other\r\n",
    ] {
        let bytes = format!(
            "POST /shop/persons HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n\
             0\r\n\r\n{inner}"
        );
        let said = raw(&castellan.url, bytes.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{headers}: {said}");
    }
    assert!(recorder.seen().is_empty());
}

#[tokio::test]
async fn what_the_api_says_is_passed_on_as_it_is() {
    let (recorder, castellan) = stage().await;
    recorder.answer_with(
        Response::builder()
            .status(303)
            .header("content-type", "application/vnd.shop.order+json")
            .header("location", "/elsewhere?a=b")
            .header("etag", "\"7\"")
            .header("link", "</orders?page=2>; rel=\"next\"")
            .header("set-cookie", "ASID=stolen")
            .header("castellan-decision", "forged")
            .body("{ }".to_owned())
            .unwrap(),
    );
    let answer = ask(&castellan, "GET", "/shop/orders", None).await;
    insta::assert_snapshot!(answer.photograph(), @r#"
    303 See Other
    content-security-policy: default-src 'none'; sandbox
    content-type: application/vnd.shop.order+json
    etag: "7"
    link: </orders?page=2>; rel="next"
    location: /elsewhere?a=b
    x-content-type-options: nosniff

    { }
    "#);
}

#[tokio::test]
async fn uploads_carry_what_describes_them() {
    let (recorder, castellan) = stage().await;
    let token = machine(&castellan, "Mutation:Person:Create").await;
    let answer = Ask::post(&castellan.at("/shop/persons"))
        .body("text/csv; charset=latin1", "ann;roe")
        .bearer(&token)
        .header("content-encoding", "identity")
        .header("if-match", "\"7\"")
        .header("x-tenant", "forged")
        .header("cookie", "ASID=x")
        .header("x-forwarded-for", "9.9.9.9")
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = only(&recorder);
    assert_eq!(seen.body, "ann;roe");
    for (name, value) in [
        ("content-type", "text/csv; charset=latin1"),
        ("content-encoding", "identity"),
        ("content-length", "7"),
        ("if-match", "\"7\""),
    ] {
        assert_eq!(seen.headers[name], value);
    }
    for name in ["authorization", "cookie", "x-tenant", "x-forwarded-for"] {
        assert!(!seen.headers.contains_key(name), "{name}: {seen:?}");
    }
}

#[tokio::test]
async fn a_preflight_is_no_more_than_a_question_for_the_methods() {
    let (recorder, castellan) = stage().await;
    let answer = Ask::new(Method::OPTIONS, &castellan.at("/shop/persons/7"))
        .header("origin", "https://app.test")
        .header("access-control-request-method", "DELETE")
        .send()
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let allow = ask(&castellan, "OPTIONS", "/shop/persons/7", None).await;
    assert_eq!(allow.header("allow"), Some("COPY, DELETE, OPTIONS"));
    assert!(recorder.seen().is_empty());
}

#[tokio::test]
async fn case_47_settings_that_mean_nothing_stop_the_start_with_their_line() {
    let guard = "[[guard]]\nname = \"shop\"\npath = \"/shop\"\nprotocol = \"http\"\n";
    let upstream = "upstream = \"http://127.0.0.1:9/\"\n";
    let operations = "operations = { \"GET /a\" = \"Query:A:List\" }\n";
    for (before, setting, said) in [
        (format!("{guard}{operations}"), "public = []", "needs upstream"),
        (format!("{guard}{upstream}"), "public = []", "or add [guard.operations]"),
        (format!("{guard}{operations}"), "upstream = \"http://127.0.0.1:9/?a\"", "a query"),
        (format!("{guard}{upstream}{operations}"), "schema = \"a\"", "schema has no effect"),
        (format!("{guard}{upstream}{operations}"), "on_deny = \"null\"", "on_deny has no effect"),
        (format!("{guard}{upstream}{operations}"), "limits = { depth = 3 }", "limits bounds"),
        (format!("{guard}{upstream}{operations}"), "dialect = \"trompa\"", "is about GraphQL"),
        (
            format!("{guard}{upstream}{operations}"),
            "overrides = { \"Query.a\" = \"Query:A:List\" }",
            "is called operations",
        ),
        (
            format!("{guard}{upstream}{operations}"),
            "strip_headers = [\"Cookie\"]",
            "is never forwarded anyway",
        ),
        (
            format!("{guard}{upstream}"),
            "operations = { \"GET /{a}/x\" = \"Query:A:List\", \"PUT /y/{b}\" = \"Mutation:A:B\" }",
            "fit some paths equally well",
        ),
        (
            format!("{guard}{upstream}"),
            "operations = { \"OPTIONS /a\" = \"Query:A:List\" }",
            "is answered by the guard itself",
        ),
        (
            "[[guard]]\nname = \"a\"\npath = \"/a\"\nupstream = \"http://127.0.0.1:9/\"\n"
                .to_owned(),
            "operations = { \"GET /a\" = \"Query:A:List\" }",
            "for GraphQL use overrides",
        ),
    ] {
        let config = format!("{before}{setting}\n");
        let refused = Castellan::refuses(Plan { config, ..Plan::default() }).await;
        assert!(refused.contains(said), "{setting}: {refused}");
        assert!(refused.contains("castellan.toml"), "{setting}: {refused}");
    }
    let config = format!("{guard}{upstream}{operations}").replace("\"/shop\"", "\"/api\"");
    let refused = Castellan::refuses(Plan { config, ..Plan::default() }).await;
    assert!(refused.contains("contains /api/sign_in, which is reserved"), "{refused}");
}

#[tokio::test]
async fn config_check_and_readiness_know_the_guard() {
    let (_recorder, castellan) = stage().await;
    let output = castellan.cli(&["config", "check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("6 operations"), "{said}");
    let ready = Ask::get(&castellan.at("/readyz")).send().await.json();
    assert_eq!(ready["guards"]["shop"], json!(true), "{ready}");
}

/// Headers by which proxies name another path or method pick no other rule, and reach nobody.
#[tokio::test]
async fn case_28_no_header_picks_the_operation() {
    let (recorder, castellan) = stage().await;
    let reads = machine(&castellan, "Query:Order:*").await;
    let headers = [
        ("x-forwarded-uri", "/shop/orders"),
        ("x-forwarded-method", "GET"),
        ("x-original-uri", "/shop/orders"),
        ("x-original-url", "/shop/orders"),
        ("x-rewrite-url", "/shop/orders"),
        ("x_http_method", "GET"),
    ];
    let with = |ask: Ask| headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
    let denied = with(Ask::get(&castellan.at("/shop/orders/7/secret"))).bearer(&reads);
    assert_eq!(denied.send().await.status, 403);
    let denied = with(Ask::new(Method::DELETE, &castellan.at("/shop/persons/7"))).bearer(&reads);
    assert_eq!(denied.send().await.status, 403);
    assert!(recorder.seen().is_empty());
    let allowed = with(Ask::get(&castellan.at("/shop/orders/7"))).bearer(&reads).send().await;
    assert_eq!(allowed.status, 200, "{allowed:?}");
    let seen = only(&recorder);
    assert_eq!((seen.method.as_str(), &*seen.path), ("GET", "/v1/orders/7"));
    for (name, _) in headers {
        assert!(!seen.headers.contains_key(name), "{name}: {seen:?}");
    }
    // What an API behind the gate could follow is refused by name.
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let ask = Ask::new(Method::POST, &castellan.at("/shop/orders")).header(name, "DELETE");
        assert_eq!(ask.bearer(&reads).send().await.status, 400, "{name}");
    }
    assert!(recorder.seen().is_empty());
}
