//! Guards of APIs over HTTP whose operations an `OpenAPI` document describes, and what the command
//! line says about them.

use std::{process::Output, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::{DOCUMENTS, text},
    upstream::Recorder,
    wire::Ask,
};

const SHOP: &str = "openapi: 3.1.0
info: {title: Shop, version: '1'}
servers: [{url: 'https://api.example.org/v1'}]
paths:
  /orders:
    get: {tags: [Orders], responses: {200: {description: All of them.}}}
    post: {x-castellan-scope: 'Mutation:Cart:Submit', responses: {}}
  /orders/{id}:
    get: {responses: {}}
    delete: {responses: {}}
  /orders/{id}/cancel:
    post: {responses: {}}
";

const GUARD: &str = "openapi = \"shop.yaml\"\nschema_refresh = \"1s\"\n\
                     public = [\"Query:Order:List\"]\n\
                     operations = { \"GET /ping\" = \"Query:Ping:Get\" }\n";

async fn stage(more: &str) -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    recorder.answer("[]");
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"shop\"\npath = \"/shop\"\nprotocol = \"http\"\n\
             upstream = \"{}\"\n{GUARD}{more}",
            recorder.url
        ),
        documents: DOCUMENTS.replace("\"Query:*\", ", "\"Query:Order:*\", "),
        files: vec![("shop.yaml", SHOP.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn write(castellan: &Castellan, name: &str, text: &str) {
    std::fs::write(castellan.path(name), text).unwrap();
}

async fn token(castellan: &Castellan) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
        ("scope", "Query:Order:*"),
    ];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

#[tokio::test]
async fn the_document_says_what_passes() {
    let (recorder, castellan) = stage("").await;
    let token = token(&castellan).await;
    for (method, path, status) in [
        ("GET", "/shop/orders", 200),
        ("GET", "/shop/orders/7", 200),
        ("GET", "/shop/ping", 403),
        ("POST", "/shop/orders", 403),
        ("DELETE", "/shop/orders/7", 403),
        ("PATCH", "/shop/orders/7", 405),
        ("GET", "/shop/v1/orders", 404),
    ] {
        let ask = Ask::new(method.parse().unwrap(), &castellan.at(path)).bearer(&token);
        assert_eq!(ask.send().await.status, status, "{method} {path}");
    }
    assert_eq!(recorder.seen().len(), 2);
    let lock = std::fs::read_to_string(castellan.path("shop.lock")).unwrap();
    let lines: Vec<_> = lock.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "DELETE /orders/{} = \"Mutation:Order:Delete\"",
            "GET /orders = \"Query:Order:List\"",
            "GET /orders/{} = \"Query:Order:Get\"",
            "GET /ping = \"Query:Ping:Get\"",
            "POST /orders = \"Mutation:Cart:Submit\"",
            "POST /orders/{}/cancel = \"Mutation:Order:Cancel\"",
        ]
    );
    let checked = castellan.cli(&["config", "check"]);
    let said = out(&checked);
    assert!(checked.status.success(), "{said}");
    for line in ["6 operations", "NOTE: `servers` is not read"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// `docs/rules.md` rule 25: nothing remaps silently.
#[tokio::test]
async fn an_operation_keeps_its_scope_until_its_owner_says_otherwise() {
    let (_recorder, castellan) = stage("").await;
    let seconds = Duration::from_secs(20);
    // Another tag, and an operation that is new.
    let changed = SHOP.replace("tags: [Orders]", "tags: [Sales]") + "  /carts: {get: {}}\n";
    write(&castellan, "shop.yaml", &changed);
    castellan.until_readiness(200, "\"shop\":\"mapping_changed\"", seconds).await;
    let answer = Ask::get(&castellan.at("/shop/orders")).send().await;
    assert_eq!(answer.status, 200, "it is public as before: {answer:?}");
    assert_eq!(Ask::get(&castellan.at("/shop/carts")).send().await.status, 401);
    let said = out(&castellan.cli(&["config", "check"]));
    let line = "GET /orders would now require Query:Sale:ListOrders, but still requires \
                Query:Order:List from the lock file";
    assert!(said.contains(line), "{said}");
    // What its owner sets against the file is refused; what was taken up goes on.
    let set = changed.replace("'Mutation:Cart:Submit'", "'Mutation:Order:Submit'");
    write(&castellan, "shop.yaml", &set);
    let checked = castellan.cli(&["config", "check"]);
    let line = "\"POST /orders\" requires Mutation:Order:Submit, but the lock file says \
                Mutation:Cart:Submit";
    assert!(!checked.status.success() && out(&checked).contains(line), "{checked:?}");
    assert_eq!(Ask::get(&castellan.at("/shop/orders")).send().await.status, 200);
    // A document that cannot be read closes nothing that is open.
    write(&castellan, "shop.yaml", "openapi: 3.1.0\npaths: {/a: {get: {}, get: {}}}\n");
    castellan.until_readiness(200, "\"shop\":\"operations_invalid\"", seconds).await;
    assert_eq!(Ask::get(&castellan.at("/shop/orders")).send().await.status, 200);
    let lock = std::fs::read_to_string(castellan.path("shop.lock")).unwrap();
    let kept: Vec<_> = lock.lines().filter(|line| !line.starts_with("GET /orders =")).collect();
    write(&castellan, "shop.lock", &kept.join("\n"));
    write(&castellan, "shop.yaml", &changed);
    castellan.until_readiness(200, "\"upstreams\":{\"shop\":true}}", seconds).await;
    let said = out(&castellan.cli(&["scopes", "list", "--guard", "shop"]));
    assert!(said.contains("Query:Sale:ListOrders"), "{said}");
}

#[tokio::test]
async fn a_request_can_be_explained_before_it_is_sent() {
    let (recorder, castellan) = stage("").await;
    let token = token(&castellan).await;
    let explain = |request: &str, more: &[&str]| {
        let output = castellan.cli(&[&["explain", "--request", request], more].concat());
        (output.status.success(), out(&output), String::from_utf8(output.stderr).unwrap())
    };
    for (request, more, lines) in [
        ("GET /shop/orders", &[][..], &["ALLOWED", "Query:Order:List is public"][..]),
        ("GET /shop/orders/7?a=b", &[], &["GET /orders/{id}", "DENIED: no_credential"]),
        ("GET /shop/orders/7", &["--token", &token], &["ALLOWED", "by the naming rule"]),
        ("HEAD /shop/orders/7", &["--token", &token], &["ALLOWED"]),
        (
            "DELETE /shop/orders/7",
            &["--token", &token],
            &["DENIED: token_scope", "smallest grant  Mutation:Order:Delete"],
        ),
        ("POST /shop/orders", &[], &["by x-castellan-scope in the document"]),
        ("GET /shop/ping", &["--guard", "shop"], &["by the operations of this guard"]),
    ] {
        let (good, said, error) = explain(request, more);
        assert!(good, "{request}: {error}");
        for line in lines {
            assert!(said.contains(line), "{request}: {line}: {said}");
        }
    }
    for (request, said) in [
        ("GET /shop/nothing", "the guard answers 404"),
        ("PUT /shop/orders", "the guard answers 405"),
        ("GET /shop//orders", "more than one way"),
        ("GET /elsewhere", "no guard with protocol"),
        ("/shop/orders", "a method and a target"),
    ] {
        let (good, _, error) = explain(request, &[]);
        assert!(!good && error.contains(said), "{request}: {error}");
    }
    assert!(recorder.seen().is_empty());
}

#[tokio::test]
async fn scopes_are_listed_linted_and_counted() {
    let (_recorder, castellan) = stage("").await;
    let listed = out(&castellan.cli(&["scopes", "list", "--guard", "shop", "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["Mutation:Order:Cancel"], json!(["POST /orders/{id}/cancel"]));
    assert_eq!(listed["Query:Ping:Get"], json!(["GET /ping"]));
    let file = castellan.path("shop.yaml").display().to_string();
    let listed = out(&castellan.cli(&["scopes", "list", "--schema", &file, "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["Query:Order:Get"], json!(["GET /orders/{id}"]));
    let said = out(&castellan.cli(&["scopes", "lint", "--guard", "shop"]));
    for line in [
        "dead-scope: Client/svc Mutation:Person:Create",
        "unreachable-mutation: DELETE /orders/{id} no client or key may have Mutation:Order:Delete",
        "makes 1 fields public: GET /orders",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let token = token(&castellan).await;
    let answer = Ask::get(&castellan.at("/shop/orders/7")).bearer(&token).send().await;
    assert_eq!(answer.status, 200);
    let used = |said: &str| said.contains("Query:Order:Get");
    for _ in 0..200 {
        let said = out(&castellan.cli(&["scopes", "usage", "Client/svc", "--format", "json"]));
        if used(&said) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("what was used is not counted");
}
