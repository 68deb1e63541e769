//! Which headers scripts of other origins may send (Fetch §3.3).

use http::Method;
use serde_json::json;

use crate::support::{
    castellan::{Castellan, Plan},
    upstream::Recorder,
    wire::{Answer, Ask},
};

async fn stage() -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    recorder.answer(r#"{"data":{"open":"1"}}"#);
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"door\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             schema = \"door.graphql\"\npublic = [\"Query:*\"]\n",
            recorder.url
        ),
        files: vec![("door.graphql", "type Query { open: ID }".to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

/// A preflight with each of `asked` on a line of its own.
async fn preflight(castellan: &Castellan, path: &str, asked: &[&str]) -> Answer {
    let ask = Ask::new(Method::OPTIONS, &castellan.at(path))
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST");
    let header = "access-control-request-headers";
    asked.iter().fold(ask, |ask, names| ask.header(header, names)).send().await
}

fn allowed(answer: &Answer) -> &str {
    answer.header("access-control-allow-headers").unwrap()
}

const KNOWN: &str = "Authorization, Content-Type, DPoP, X-Jwt-Aud";

#[tokio::test]
async fn an_open_path_allows_the_headers_that_are_asked_for() {
    let (recorder, castellan) = stage().await;
    let names =
        "apollographql-client-name,authorization,content-type,traceparent,x-apollo-operation-name";
    for path in ["/graphql", "/api", "/api/sign_in", "/.well-known/openid-configuration"] {
        let answer = preflight(&castellan, path, &[names]).await;
        assert_eq!(allowed(&answer), names.replace(',', ", "), "{path}");
    }
    let answer = preflight(&castellan, "/graphql", &[names]).await;
    insta::assert_snapshot!(answer.photograph(), @r"
    204 No Content
    access-control-allow-headers: apollographql-client-name, authorization, content-type, traceparent, x-apollo-operation-name
    access-control-allow-methods: GET, POST, DELETE, OPTIONS
    access-control-allow-origin: *
    access-control-expose-headers: WWW-Authenticate, Retry-After, DPoP-Nonce
    access-control-max-age: 600
    vary: Access-Control-Request-Headers
    vary: Origin
    ");
    // And the request that the browser sends then brings them to the API.
    let sent = ["apollographql-client-name", "x-apollo-operation-name"];
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let ask = Ask::post(&castellan.at("/graphql")).json(&json!({"query": "{ open }"}));
    let ask = ask.header("origin", "https://app.test").header("traceparent", trace);
    let answer = sent.iter().fold(ask, |ask, name| ask.header(name, "told")).send().await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let seen = recorder.seen().pop().unwrap();
    for name in sent {
        assert_eq!(seen.headers[name], "told", "{name}");
    }
    let continued = seen.headers["traceparent"].to_str().unwrap();
    assert!(continued.starts_with(&trace[..36]), "the trace goes on: {continued}");
}

#[tokio::test]
async fn what_is_allowed_is_names_of_headers_once_each_and_has_a_size() {
    let (_, castellan) = stage().await;
    let long = "x".repeat(3_000);
    let many: Vec<_> = (0..500).map(|n| format!("x-header-{n}")).collect();
    for (asked, expected) in [
        (&["X-A , x-b", "x-a,X-C"][..], "x-a, x-b, x-c"),
        (&["x-a,,x b,x:c,<script>,\"x\",x-d"], "x-a, x-d"),
        (&[""], KNOWN),
        (&["*"], "*"),
        (&[], KNOWN),
        (&[&long], KNOWN),
        (&["x-a", &long], "x-a"),
    ] {
        let answer = preflight(&castellan, "/graphql", asked).await;
        assert_eq!((answer.status.as_u16(), allowed(&answer)), (204, expected), "{asked:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let answer = preflight(&castellan, "/graphql", &[&many.join(",")]).await;
    assert!(allowed(&answer).starts_with("x-header-0, x-header-1, "));
    assert!(allowed(&answer).len() <= 2_048, "{}", allowed(&answer).len());
}

#[tokio::test]
async fn elsewhere_a_setting_says_which_headers_are_allowed() {
    let (_, castellan) = stage().await;
    for path in ["/auth/token", "/auth/userinfo", "/oauth/token"] {
        let answer = preflight(&castellan, path, &["traceparent"]).await;
        assert_eq!((answer.status.as_u16(), allowed(&answer)), (204, KNOWN), "{path}");
    }
    let answer = preflight(&castellan, "/User", &["traceparent"]).await;
    assert_eq!(answer.header("access-control-allow-headers"), None);

    let castellan = Castellan::start(Plan {
        server: "cors_headers = [\"traceparent\", \"X-Request-Id\"]\n",
        ..Plan::default()
    })
    .await;
    let answer = preflight(&castellan, "/auth/token", &["traceparent"]).await;
    assert_eq!(allowed(&answer), format!("{KNOWN}, traceparent, x-request-id"));
    let refused =
        Castellan::refuses(Plan { server: "cors_headers = [\"not a name\"]\n", ..Plan::default() })
            .await;
    assert!(refused.contains("cors_headers: the value is not the name of a header"), "{refused}");
}
