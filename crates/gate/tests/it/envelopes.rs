//! What is read at all: methods, media types, envelopes (`docs/rules.md` rules 7, 16 and 17).

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::wire::{Reply, Rig, SDL, post, rules};

fn open() -> Rig {
    Rig::new(SDL, rules(&["*"]), &[("ada", "*")]).answering(json!({"data": {"id": "1"}}))
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body.to_owned())).unwrap()
}

fn told(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.codes().join(" "))
}

const QUERY: &str = r#"{"query":"{ id }"}"#;

/// `docs/security-cases.md` row 38: what a browser can send across origins without asking first is
/// never read, and nothing that changes anything comes by `GET`.
#[tokio::test]
async fn case_38_graphql_csrf() {
    let rig = open();
    let boundary = "--b\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{}\r\n--b--";
    for (headers, body) in [
        (&[("content-type", "text/plain")][..], QUERY),
        (&[("content-type", "text/plain; application/json")], QUERY),
        (&[], QUERY),
        (&[("content-type", "application/x-www-form-urlencoded")], "query={id}"),
        (&[("content-type", "multipart/form-data; boundary=b")], boundary),
        (&[("content-type", "application/graphql")], "{ id }"),
        (&[("content-type", "application/json; charset=utf-16")], QUERY),
        (&[("content-type", "application/json; charset=utf-8; charset=latin1")], QUERY),
        (&[("content-type", "application/json"), ("content-type", "text/plain")], QUERY),
        (&[("content-type", "application/json, text/plain")], QUERY),
        (&[("content-type", "application/json"), ("content-encoding", "gzip")], QUERY),
        (&[("content-type", "application/json"), ("content-encoding", "identity, br")], QUERY),
    ] {
        let reply = rig.send(request("POST", "/graphql", headers, body)).await;
        assert_eq!(told(&reply), (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()), "{headers:?}");
    }
    let by_get = "/graphql?query=mutation%7BcreatePerson%7Bperson%7Bid%7D%7D%7D";
    let reply = rig.send(request("GET", by_get, &[("authorization", "Bearer ada")], "")).await;
    assert_eq!(told(&reply), (405, "MUTATION_OVER_GET".to_owned()));
    assert_eq!(reply.headers["allow"], "GET, POST");
    for method in ["PUT", "HEAD", "OPTIONS", "DELETE", "QUERY"] {
        let reply = rig.send(request(method, "/graphql?query={id}", &[], QUERY)).await;
        assert_eq!(told(&reply), (405, "METHOD_NOT_ALLOWED".to_owned()), "{method}");
    }
    assert!(rig.nothing_sent());
}

/// `docs/security-cases.md` row 37: a list of requests, or what does not read, is refused, not
/// passed.
#[tokio::test]
async fn case_37_what_is_not_one_request_is_refused() {
    let rig = open();
    for body in [
        "",
        "{",
        "null",
        "[]",
        r#"[{"query":"{ id }"}]"#,
        r#"{"query":"{ id }"}{"query":"{ id }"}"#,
        r#"{"query":"{ id }","query":"{ secret }"}"#,
        r#"{"query":"{ id }","\u0071uery":"{ secret }"}"#,
        r#"{"query":"{ id }","variables":{"a":1,"a":2}}"#,
        r#"{"query":"{ id }","extensions":{"a":{"b":1,"b":2}}}"#,
        r#"{"query":["{ id }"]}"#,
        r#"{"query":"{ id }","variables":"{}"}"#,
        r#"{"query":"{ id }","variables":[]}"#,
        r#"{"query":"{ id }","operationName":1}"#,
        r#"{"query":"{ id \ud800 }"}"#,
        r#"{"id":"abc"}"#,
        r#"{"documentId":"abc","variables":{}}"#,
        r#"{"extensions":{"persistedQuery":null}}"#,
        r#"{"query":null}"#,
    ] {
        let reply = rig.send(post(None, body)).await;
        assert_eq!(told(&reply), (400, "BAD_REQUEST".to_owned()), "{body}");
    }
    let uris = [
        "?query={id}&query={secret}",
        "?query={id}&variables=1",
        "?query={id}&variables={",
        "?id=x",
        "",
        "?q",
    ];
    for uri in uris {
        let uri = format!("/graphql{}", uri.replace('{', "%7B").replace('}', "%7D"));
        let reply = rig.send(request("GET", &uri, &[], "")).await;
        assert_eq!(told(&reply), (400, "BAD_REQUEST".to_owned()), "{uri}");
    }
    assert!(rig.nothing_sent());
}

/// The first step of an automatic persisted query is answered as Apollo Server answers where they are
/// switched off, so that clients send the document instead.
#[tokio::test]
async fn a_hash_without_a_document_is_told_to_bring_one() {
    let rig = open();
    let extensions = r#"{"persistedQuery":{"version":1,"sha256Hash":"x"}}"#;
    let encoded = "%7B%22persistedQuery%22:%7B%22version%22:1,%22sha256Hash%22:%22x%22%7D%7D";
    let json = [("content-type", "application/json")];
    let by_post = |rest: &str| {
        request("POST", "/graphql", &json, &format!("{{\"extensions\":{extensions}{rest}}}"))
    };
    let by_get =
        |rest: &str| request("GET", &format!("/graphql?extensions={encoded}{rest}"), &[], "");
    for hash_only in [
        by_post(""),
        by_post(r#","operationName":"Q","variables":{"a":1}"#),
        by_post(r#","query":null"#),
        by_post(r#","query":"""#),
        by_post(r#","id":"x""#),
        by_get(""),
        by_get("&operationName=Q&variables=%7B%7D"),
        by_get("&query="),
    ] {
        let reply = rig.send(hash_only).await;
        assert_eq!(told(&reply), (200, "PERSISTED_QUERY_NOT_SUPPORTED".to_owned()));
        let error = json!({
            "message": "PersistedQueryNotSupported",
            "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"},
        });
        assert_eq!(reply.json(), json!({"errors": [error]}));
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
    assert!(rig.nothing_sent());
    for with_document in [by_post(r#","query":"{ id }""#), by_get("&query=%7Bid%7D")] {
        let reply = rig.send(with_document).await;
        assert_eq!(reply.json(), json!({"data": {"id": "1"}}));
        assert!(!rig.only().text.contains("extensions"));
    }
}

#[tokio::test]
async fn only_three_members_go_over_and_always_by_post() {
    let rig = open();
    let body =
        r#"{"id":"x","extensions":{"a":1},"query":"query Q { id }","operationName":"Q","x":1}"#;
    let headers = [("content-type", "application/json; charset=\"UTF-8\"")];
    rig.send(request("POST", "/graphql?query=%7Bsecret%7D&x=1", &headers, body)).await;
    let sent = rig.only();
    assert_eq!(sent.uri, "/graphql");
    assert_eq!(sent.body, json!({"query": "query Q { id }", "operationName": "Q"}));
    let uri = "/graphql?query=query+Q(%24n%3AString)%7Bid+persons(name:%24n)%7Bid%7D%7D&variables=%7B%22n%22:%22%C3%A9%22%7D&extensions=%7B%7D&operationName=Q";
    rig.send(request("GET", uri, &[], "not read")).await;
    let sent = rig.only();
    assert_eq!((sent.method.as_str(), sent.uri.to_string().as_str()), ("POST", "/graphql"));
    assert_eq!(sent.body["variables"], json!({"n": "é"}));
    assert_eq!(sent.headers["content-type"], "application/json");
}

#[tokio::test]
async fn what_is_not_served_is_said_so() {
    let rig = open();
    for (headers, expected) in [
        (&[("upgrade", "websocket")][..], (400, "UPGRADE_REFUSED")),
        (&[("upgrade", "h2c"), ("connection", "upgrade")], (400, "UPGRADE_REFUSED")),
        (&[("accept", "text/event-stream")], (406, "NOT_ACCEPTABLE")),
        (&[("accept", "multipart/mixed")], (406, "NOT_ACCEPTABLE")),
    ] {
        let reply = rig.send(request("GET", "/graphql?query=%7Bid%7D", headers, "")).await;
        assert_eq!(told(&reply), (expected.0, expected.1.to_owned()));
    }
    for document in ["subscription { persons { id } }", "subscription { __typename }"] {
        let reply = rig.ask(Some("ada"), document).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
    }
    assert!(rig.nothing_sent());
}

/// `docs/rules.md` rule 16, status by status.
#[tokio::test]
async fn the_status_follows_what_the_client_wants() {
    let rig = open();
    let graphql = "application/graphql-response+json";
    for (accept, bad_document, kind) in [
        (None, 400, "application/json"),
        (Some("*/*"), 400, "application/json"),
        (Some("application/*"), 400, "application/json"),
        (Some(""), 400, "application/json"),
        (Some(graphql), 400, graphql),
        (Some("application/json"), 200, "application/json"),
        (Some("APPLICATION/JSON;charset=UTF-8"), 200, "application/json"),
        (Some("application/graphql-response+json, application/json;q=0.9"), 400, graphql),
        (
            Some("application/graphql-response+json;q=0.5, application/json"),
            200,
            "application/json",
        ),
        (Some("text/html, application/json;q=0.9, */*;q=0.8"), 200, "application/json"),
        (Some("text/html, */*;q=0.8"), 400, "application/json"),
    ] {
        let with = |body: &str| {
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(accept.map(|accept| ("accept", accept)));
            rig.send(request("POST", "/graphql", &headers, body))
        };
        let wrong = |reply: &Reply, status: u16| {
            assert_eq!(reply.status, status, "{accept:?} {}", reply.text);
            assert!(
                reply.headers["content-type"].to_str().unwrap().starts_with(kind),
                "{accept:?}"
            );
            assert!(reply.json().get("data").is_none());
        };
        wrong(&with(r#"{"query":"{ nope }"}"#).await, bad_document);
        wrong(&with(r#"{"query":"{"}"#).await, bad_document);
        wrong(&with(r#"{"query":"query A { id } query B { id }"}"#).await, bad_document);
        wrong(&with(r#"{"query":"query A { id }","operationName":"B"}"#).await, bad_document);
        wrong(
            &with(r#"{"query":"query($n: Int!) { persons(first: $n) { id } }"}"#).await,
            bad_document,
        );
        wrong(
            &with(
                r#"{"query":"query($n: Int) { persons(first: $n) { id } }","variables":{"n":"1"}}"#,
            )
            .await,
            bad_document,
        );
        wrong(&with("{").await, 400);
        let reply = with(QUERY).await;
        assert_eq!((reply.status.as_u16(), &*reply.text), (200, r#"{"data":{"id":"1"}}"#));
        rig.only();
    }
    let closed = Rig::new(SDL, rules(&[]), &[]);
    let reply = closed.ask(None, "{ secret }").await;
    assert_eq!(reply.status, 200);
    let error = json!({
        "message": "Sign in to use this field.", "locations": [{"line": 1, "column": 3}],
        "path": ["secret"],
        "extensions": {"code": "UNAUTHENTICATED", "reason": "no_credential"},
    });
    assert_eq!(reply.json(), json!({"errors": [error], "data": {"secret": null}}));
    assert!(reply.text.contains(reply.headers["castellan-decision"].to_str().unwrap()));
}

/// Two requests whose name and text run together to the same bytes are still two requests.
#[tokio::test]
async fn case_40_a_name_cannot_pose_as_a_part_of_the_text() {
    let rig = Rig::new(SDL, rules(&["Query:id:Get"]), &[("ada", "*")])
        .answering(json!({"data": {"id": "1"}}));
    let first = json!({"query": "{ id } #\u{0}mutation { deletePerson(id: 1) { person { id } } }"});
    rig.send(post(None, &first.to_string())).await;
    rig.sent.lock().unwrap().clear();
    let second = json!({
        "query": "mutation { deletePerson(id: 1) { person { id } } }",
        "operationName": "\u{0}{ id } #",
    });
    let reply = rig.send(post(None, &second.to_string())).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    let named = json!({"query": "{ id }", "operationName": ""});
    rig.ask(None, "{ id }").await;
    rig.only();
    assert_eq!(rig.send(post(None, &named.to_string())).await.status, 400);
    assert!(rig.nothing_sent());
}
