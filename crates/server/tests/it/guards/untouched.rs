//! What crosses a guard as it was written, byte by byte, with a whole server around it.

use http::Response;

use crate::support::{
    castellan::{Castellan, Plan},
    upstream::Recorder,
    wire::{Answer, Ask},
};

const SDL: &str = "
scalar Amount
type Query { sum(of: [Amount], at: Float, id: ID, n: Int): Amount shut: ID }
";

async fn stage() -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"bank\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             schema = \"bank.graphql\"\npublic = [\"Query:{{sum,Amount}}:*\"]\n",
            recorder.url
        ),
        files: vec![("bank.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

async fn send(castellan: &Castellan, query: &str, variables: &str) -> Answer {
    let body = format!("{{ \"query\": \"{query}\",\n \"variables\": {variables} }}");
    Ask::post(&castellan.at("/graphql")).body("application/json", body).send().await
}

#[tokio::test]
async fn numbers_and_strings_cross_as_they_were_written() {
    let (recorder, castellan) = stage().await;
    let amounts =
        r#"[0.1234567890123456789012345,1.10,1e400,123456789012345678901234567890,"\ud800"]"#;
    recorder.answer(&format!("{{\"data\":{{\"sum\":{amounts}}}}}"));
    let sent = "query($of: [Amount]) { sum(of: $of) }";
    let answer = send(&castellan, sent, &format!("{{\"of\": {amounts}}}")).await;
    assert_eq!(answer.body, format!("{{\"data\":{{\"sum\":{amounts}}}}}"));
    let seen = recorder.seen().pop().unwrap();
    assert_eq!(seen.body, format!(r#"{{"query":"{sent}","variables":{{"of":{amounts}}}}}"#));
    // With a null put into the answer.
    let sent = "query($of: [Amount]) { sum(of: $of) shut }";
    let answer = send(&castellan, sent, &format!("{{\"of\": {amounts}}}")).await;
    let data = format!(r#""data":{{"sum":{amounts},"shut":null}}}}"#);
    assert!(answer.body.ends_with(&data), "{answer:?}");
    let seen = recorder.seen().pop().unwrap();
    assert!(seen.body.ends_with(&format!(r#""variables":{{"of":{amounts}}}}}"#)), "{seen:?}");
}

#[tokio::test]
async fn numbers_fit_as_they_do_with_graphql_js() {
    let (recorder, castellan) = stage().await;
    let query = "query($at: Float, $id: ID, $n: Int) { sum(at: $at, id: $id, n: $n) }";
    let good = r#"{"at":9007199254740993,"id":123456789012345678901234567890,"n":1.0}"#;
    let answer = send(&castellan, query, good).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(recorder.seen().pop().unwrap().body.ends_with(&format!("\"variables\":{good}}}")));
    for bad in [r#"{"n":1.5}"#, r#"{"n":2147483648}"#, r#"{"id":1.5}"#, r#"{"at":1e400}"#] {
        let answer = send(&castellan, query, bad).await;
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
    }
    assert!(recorder.seen().is_empty());
}

#[tokio::test]
async fn a_hash_alone_is_answered_so_that_the_document_follows() {
    let (recorder, castellan) = stage().await;
    recorder.answer(r#"{"data":{"sum":1}}"#);
    let extensions = r#"{"persistedQuery":{"version":1,"sha256Hash":"abc"}}"#;
    let hash_only = Ask::post(&castellan.at("/graphql"))
        .body("application/json", format!("{{\"extensions\":{extensions}}}"));
    let answer = hash_only.send().await;
    let photograph = answer.photograph();
    let decision = answer.header("castellan-decision").unwrap();
    insta::assert_snapshot!(photograph.replace(decision, "DECISION"), @r#"
    200 OK
    access-control-allow-origin: *
    access-control-expose-headers: WWW-Authenticate, Retry-After, DPoP-Nonce
    cache-control: no-store
    content-security-policy: sandbox
    content-type: application/json; charset=utf-8
    vary: Origin
    x-content-type-options: nosniff

    {"errors":[{"message":"PersistedQueryNotSupported","extensions":{"code":"PERSISTED_QUERY_NOT_SUPPORTED","decision":"DECISION"}}]}
    "#);
    let encoded: String = url::form_urlencoded::byte_serialize(extensions.as_bytes()).collect();
    let by_get = castellan.at(&format!("/graphql?extensions={encoded}"));
    let answer = Ask::get(&by_get).send().await;
    let error = &answer.json()["errors"][0];
    assert_eq!(
        (answer.status.as_u16(), &error["message"]),
        (200, &"PersistedQueryNotSupported".into())
    );
    let with_document = Ask::get(&format!("{by_get}&query=%7Bsum%7D")).send().await;
    assert_eq!(with_document.body, r#"{"data":{"sum":1}}"#);
    assert_eq!(recorder.seen().pop().unwrap().body, r#"{"query":"{sum}"}"#);
}

#[tokio::test]
async fn a_coded_answer_is_a_502_that_names_the_coding() {
    let (recorder, castellan) = stage().await;
    let coded = Response::builder()
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    recorder.answer_with(coded.body("\u{1f}".to_owned()).unwrap());
    for query in ["{ sum }", "{ sum shut }"] {
        let ask = Ask::post(&castellan.at("/graphql")).header("accept-encoding", "gzip, br");
        let answer = ask.json(&serde_json::json!({"query": query})).send().await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(
            answer.json()["errors"][0]["message"],
            "The API behind this guard sent a response with the content coding gzip, although it \
             was asked for one without."
        );
        assert_eq!(recorder.seen().pop().unwrap().headers["accept-encoding"], "identity");
    }
}
