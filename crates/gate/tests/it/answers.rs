//! What the service behind may say (`docs/rules.md` rules 15 and 37).

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::json;

use crate::wire::{Rig, SDL, json_answer, rules};

fn rig() -> Rig {
    Rig::new(SDL, rules(&["Query:id:Get"]), &[])
}

/// Streamed where all is allowed, held where something is woven in.
const BOTH: [&str; 2] = ["{ id }", "{ id secret }"];

#[tokio::test]
async fn no_answer_is_a_502_without_details() {
    for document in BOTH {
        let reply = rig().ask(None, document).await;
        assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (502, "UPSTREAM"));
        assert!(!reply.text.contains("refused"), "{}", reply.text);
        let html = rig().answering_with(|_| {
            Response::builder()
                .header("content-type", "text/html")
                .body(Full::from("<script>alert(1)</script>"))
                .unwrap()
        });
        let reply = html.ask(None, document).await;
        assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (502, "UPSTREAM"));
        assert!(!reply.text.contains("script"));
        let bare = rig().answering_with(|_| Response::new(Full::from("{}")));
        assert_eq!(bare.ask(None, document).await.status, 502);
    }
    for body in [
        "",
        "[]",
        "{}",
        "{\"data\":1}",
        "{\"data\":[]}",
        "{\"data\":{},\"errors\":1}",
        "{\"data\":{}",
    ] {
        let reply = rig().answering_with(|_| json_answer(200, body)).ask(None, BOTH[1]).await;
        assert_eq!(reply.status, 502, "{body}");
    }
}

/// RFC 9110 §12.5.3: the API is asked for what every caller can read, and what is coded all the same
/// is told by its name.
#[tokio::test]
async fn a_coded_answer_is_not_asked_for_and_a_502_that_says_so() {
    let coded = |coding: &'static str| {
        rig().answering_with(move |_| {
            let mut answer = json_answer(200, r#"{"data":{"id":"1"}}"#);
            answer.headers_mut().insert("content-encoding", coding.parse().unwrap());
            answer
        })
    };
    for document in BOTH {
        for (coding, told) in [
            ("gzip", "gzip"),
            ("BR", "BR"),
            ("identity, zstd", "zstd"),
            ("<b>x</b>\u{e9}", "unreadable"),
            ("x\"<script>", "xscript"),
        ] {
            let rig = coded(coding);
            let reply = rig.ask(None, document).await;
            assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (502, "UPSTREAM"));
            let message = format!(
                "The API behind this guard sent a response with the content coding {told}, \
                 although it was asked for one without."
            );
            assert_eq!(reply.json()["errors"][0]["message"], message);
            assert_eq!(rig.only().headers["accept-encoding"], "identity");
        }
        let reply = coded("identity").ask(None, document).await;
        assert_eq!(reply.json()["data"]["id"], "1");
        assert!(!reply.headers.contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn an_answer_too_large_to_hold_is_refused_and_streams_otherwise() {
    let mut small = rules(&["Query:id:Get"]);
    small.limits.answer_bytes = 1000;
    let rig = Rig::new(SDL, small, &[]).answering(json!({"data": {"id": "x".repeat(2000)}}));
    assert_eq!(rig.ask(None, "{ id secret }").await.status, 502);
    let reply = rig.ask(None, "{ id }").await;
    assert_eq!((reply.status.as_u16(), reply.text.len()), (200, 2018));
}

#[tokio::test]
async fn a_status_that_is_no_200_stays_where_there_is_no_data() {
    let refused = r#"{"errors":[{"message":"no"}]}"#;
    for document in BOTH {
        let reply = rig().answering_with(|_| json_answer(400, refused)).ask(None, document).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains("\"no\""));
        assert!(reply.json().get("data").is_none());
    }
    let rig = rig().answering(json!({"data": null, "errors": [{"message": "m", "path": ["id"]}]}));
    let reply = rig.ask(None, "{ id secret }").await;
    assert_eq!(reply.json()["data"], json!(null));
    assert_eq!(reply.json()["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn headers_of_an_answer_cannot_speak_for_us() {
    for document in BOTH {
        let rig = rig().answering_with(|_| {
            let mut response = json_answer(200, r#"{"data":{"id":"1"}}"#);
            for name in [
                "set-cookie",
                "castellan-decision",
                "castellan_identity",
                "www-authenticate",
                "access-control-allow-origin",
                "location",
                "x-accel-redirect",
                "x-sendfile",
                "link",
                "content-security-policy",
                "content-security-policy-report-only",
                "clear-site-data",
                "alt-svc",
                "x-listed",
                "refresh",
                "set-login",
            ] {
                response.headers_mut().append(name, "theirs".parse().unwrap());
            }
            response.headers_mut().append("connection", "x-listed".parse().unwrap());
            response.headers_mut().append("cache-control", "public, max-age=600".parse().unwrap());
            response.headers_mut().append("x-request-cost", "3".parse().unwrap());
            response
        });
        let reply = rig.ask(None, document).await;
        assert!(!format!("{:?}", reply.headers).contains("theirs"), "{:?}", reply.headers);
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert_eq!(reply.headers["content-security-policy"], "sandbox");
        assert_eq!(reply.headers.contains_key("x-request-cost"), document == "{ id }");
    }
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_passed_on() {
    let body = r#"{"data":{"secret":"leaked","id":"1","other":2},"extensions":{"cost":1}}"#;
    let rig = rig().answering_with(move |_| json_answer(200, body));
    let reply = rig.ask(None, "{ secret id }").await;
    assert_eq!(reply.json()["data"].to_string(), r#"{"secret":null,"id":"1"}"#);
    assert_eq!(reply.json()["extensions"], json!({"cost": 1}));
}

#[tokio::test]
async fn denials_are_noted_and_name_no_credential() {
    let rig = rig().answering(json!({"data": {"id": "1"}}));
    rig.ask(Some("expired"), "{ id }").await;
    assert!(rig.denials.lock().unwrap().is_empty());
    let reply = rig.ask(Some("unknown-key"), "{ id s: secret }").await;
    let denials = rig.denials.lock().unwrap();
    let [denial] = &denials[..] else { panic!("{denials:?}") };
    assert_eq!(denial.id, reply.headers["castellan-decision"].to_str().unwrap());
    assert_eq!((&*denial.fields[0].path, &*denial.fields[0].field), ("s", "Query.secret"));
    let kept: Bytes = serde_json::to_vec(denial).unwrap().into();
    assert!(!String::from_utf8_lossy(&kept).contains("unknown-key"));
}
