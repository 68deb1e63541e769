//! `docs/contracts/aidbox.md` §12, check 39: a client that calls an API with its secret itself.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::support::{
    castellan::{Castellan, Plan},
    jose,
    upstream::Recorder,
    wire::{Answer, Ask},
};

const HELLO: &str = "type Query { hello: String } type Mutation { write: String }";

const SVC: &str = r#"
resourceType: Client
id: svc
secret: s3cr3t-svc
grant_types: [client_credentials, basic]
scope: ["Query:*"]
---
resourceType: Client
id: odd
secret: "a b+c:d%41é"
grant_types: [basic]
scope: ["Query:*"]
---
resourceType: Client
id: tokens-only
secret: s3cr3t-tokens
grant_types: [client_credentials]
scope: ["Query:*"]
---
resourceType: Client
id: spa
grant_types: [authorization_code]
redirect_uris: ["https://spa.test/cb"]
scope: ["Query:*"]
---
resourceType: Client
id: asleep
secret: s3cr3t-asleep
active: false
grant_types: [basic]
scope: ["Query:*"]
"#;

/// Two guards before one API: one takes `basic`, the other does not.
async fn start() -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    recorder.answer(r#"{"data":{"hello":"hi"}}"#);
    let guard = |name: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"{}\"\n\
             schema = \"hello.graphql\"\nanonymous = \"refused\"\n{more}\n",
            recorder.url
        )
    };
    let castellan = Castellan::start(Plan {
        config: guard("both", "authenticate = [\"oauth\", \"basic\"]") + &guard("tokens", ""),
        documents: SVC.to_owned(),
        files: vec![("hello.graphql", HELLO.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

async fn asked(castellan: &Castellan, path: &str, credentials: &str, query: &str) -> Answer {
    Ask::post(&castellan.at(path))
        .header("authorization", &basic(credentials))
        .json(&json!({"query": query}))
        .send()
        .await
}

#[tokio::test]
async fn aidbox_39_a_client_calls_an_api_with_its_secret() {
    let (recorder, castellan) = start().await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    let token = castellan.token(&pairs).await;
    assert_eq!(token.status, 200, "{token:?}");
    assert!(token.json().get("userinfo").is_none(), "{token:?}");
    for credentials in [
        "svc:s3cr3t-svc",
        "%73vc:s3cr3t%2Dsvc",
        "odd:a%20b%2Bc%3Ad%2541%C3%A9",
        "odd:a+b%2Bc:d%2541é",
    ] {
        let answer = asked(&castellan, "/both", credentials, "{ hello }").await;
        assert_eq!(answer.json(), json!({"data": {"hello": "hi"}}), "{credentials}: {answer:?}");
    }
    let seen = recorder.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen[0].headers.get("authorization").is_none(), "the secret was sent on: {seen:?}");
    let identity = seen[0].headers["castellan-identity"].to_str().unwrap();
    let claims = jose::claims(identity);
    assert_eq!(
        (&claims["sub"], &claims["client_id"], &claims["kind"], &claims["scope"]),
        (&json!("svc"), &json!("svc"), &json!("client_secret"), &json!("Query:*"))
    );
    // Its scopes bound it, and `explain` knows who was refused.
    let denied = asked(&castellan, "/both", "svc:s3cr3t-svc", "mutation { write }").await;
    assert_eq!(denied.json()["errors"][0]["extensions"]["code"], "FORBIDDEN", "{denied:?}");
    let id = denied.header("castellan-decision").unwrap().to_owned();
    let explained = castellan.until_said(&["explain", &id, "--json"]).await;
    assert!(explained.contains("client_secret") && explained.contains("svc"), "{explained}");
    assert!(!explained.contains("s3cr3t"), "{explained}");
    assert!(recorder.seen().is_empty());

    let less = SVC.split("---").next().unwrap().replace(", basic]", "]");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &less).status.success());
    let began = Instant::now();
    // The other process tells by the feed.
    loop {
        let answer = asked(&castellan, "/both", "svc:s3cr3t-svc", "{ hello }").await;
        if answer.status == 401 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(castellan.token(&pairs).await.status, 200, "its tokens are another matter");
    assert!(castellan.cli_with(&["apply", "-f", "-"], SVC).status.success());
    let again = asked(&castellan, "/both", "svc:s3cr3t-svc", "{ hello }").await;
    assert_eq!(again.status, 200, "a no is not said by what was remembered: {again:?}");
}

#[tokio::test]
async fn aidbox_39_what_proves_nothing_is_401_and_all_of_it_the_same() {
    let (recorder, castellan) = start().await;
    let mut said = Vec::new();
    for credentials in [
        "svc:wrong",
        "svc:s3cr3t-svc\n",
        "svc: s3cr3t-svc",
        "svc:",
        "svc\n:s3cr3t-svc",
        "nobody:s3cr3t-svc",
        "tokens-only:s3cr3t-tokens",
        "asleep:s3cr3t-asleep",
        "spa:",
        "odd:s3cr3t-svc",
    ] {
        let answer = asked(&castellan, "/both", credentials, "{ hello }").await;
        assert_eq!(answer.status, 401, "{credentials:?}: {answer:?}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic realm="), "{credentials:?}: {challenge}");
        let mut body = answer.json();
        body["errors"][0]["extensions"]["decision"] = json!(null);
        said.push(body);
    }
    assert!(said.iter().all(|body| *body == said[0]), "{said:?}");
    let elsewhere = asked(&castellan, "/tokens", "svc:s3cr3t-svc", "{ hello }").await;
    assert_eq!(elsewhere.status, 401, "a guard that does not list it: {elsewhere:?}");
    assert!(elsewhere.header("www-authenticate").unwrap().starts_with("Bearer"), "{elsewhere:?}");
    // Two credentials are none.
    let right = basic("svc:s3cr3t-svc");
    let two = Ask::post(&castellan.at("/both"))
        .header("authorization", &right)
        .header("authorization", "Bearer x")
        .json(&json!({"query": "{ hello }"}));
    assert_eq!(two.send().await.status, 400);
    let in_query = Ask::post(&castellan.at("/both?access_token=x")).header("authorization", &right);
    assert_eq!(in_query.json(&json!({"query": "{ hello }"})).send().await.status, 400);
    assert!(recorder.seen().is_empty(), "something was sent on");
}

#[tokio::test]
async fn guesses_by_basic_at_an_api_are_counted() {
    let (_recorder, castellan) = start().await;
    let mut last = asked(&castellan, "/both", "svc:wrong-0", "{ hello }").await;
    for n in 1..40 {
        if last.status == 429 {
            break;
        }
        assert_eq!(last.status, 401, "{last:?}");
        last = asked(&castellan, "/both", &format!("svc:wrong-{n}"), "{ hello }").await;
    }
    assert_eq!(last.status, 429, "{last:?}");
    assert!(last.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1, "{last:?}");
    // The same count as at the token endpoint.
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "still-wrong"),
    ];
    assert_eq!(castellan.token(&pairs).await.status, 429);
}

#[tokio::test]
async fn basic_needs_a_secret_that_is_all_there_is_to_prove() {
    let castellan = Castellan::start(Plan::default()).await;
    for (members, why) in [
        ("grant_types: [basic]", "grant_types: basic needs a secret"),
        (
            "grant_types: [client_credentials, basic]\nsecret: s3cr3t-of-x\n\
             dpop_bound_access_tokens: true",
            "basic cannot stand beside dpop_bound_access_tokens",
        ),
        (
            "grant_types: [basic]\nsecret: s3cr3t-of-x\nfirst_party: true",
            "grant_types names basic only",
        ),
    ] {
        let document = format!("resourceType: Client\nid: x\n{members}\n");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8(applied.stderr).unwrap();
        assert!(!applied.status.success() && said.contains(why), "{said}");
    }
}

/// Resources take it as well, under the client's own rights, and no other endpoint for tokens does.
#[tokio::test]
async fn aidbox_39_basic_reads_resources_as_its_client_may() {
    let documents = r#"
resourceType: Client
id: reader
secret: s3cr3t-reader
grant_types: [basic]
scope: ["Castellan:Client:Read"]
---
resourceType: Client
id: tokens-only
secret: s3cr3t-tokens
grant_types: [client_credentials]
scope: ["Castellan:*"]
"#;
    let castellan = Castellan::with_documents(documents).await;
    let ask = async |method: http::Method, path: &str, credentials: &str| {
        let ask = Ask::new(method, &castellan.at(path));
        ask.header("authorization", &basic(credentials)).send().await
    };
    let get = http::Method::GET;
    let (good, other) = ("reader:s3cr3t-reader", "tokens-only:s3cr3t-tokens");
    assert_eq!(ask(get.clone(), "/Client/reader", good).await.status, 200);
    assert_eq!(ask(get.clone(), "/fhir/Client", good).await.status, 200);
    assert_eq!(ask(get.clone(), "/User", good).await.status, 403);
    assert_eq!(ask(http::Method::DELETE, "/Client/reader", good).await.status, 403);
    for bad in [other, "reader:s3cr3t-reader\n", "reader:", "nobody:s3cr3t-reader"] {
        let answer = ask(get.clone(), "/Client/reader", bad).await;
        assert_eq!(answer.status, 401, "{bad:?}: {answer:?}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
        assert!(answer.header("www-authenticate").is_some());
    }
    for path in ["/auth/userinfo", "/auth/test-policy"] {
        assert_ne!(ask(get.clone(), path, good).await.status, 200, "{path}");
    }
    for n in 0..40 {
        let guess = format!("nobody:wrong-{n}");
        let answer = ask(get.clone(), "/Client/reader", &guess).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            return;
        }
    }
    panic!("guesses are not counted");
}
