//! What a request can make grow: answers, records and messages have a size, whatever it says.

use std::fmt::Write as _;

use castellan_gate::{Limits, OnDeny};
use http::StatusCode;
use serde_json::json;

use crate::wire::{Rig, SDL, json_answer, rules};

/// `self` is public and leads to a root type; `secret` is denied.
fn rig() -> Rig {
    Rig::new(SDL, rules(&["Query:Query:*", "Query:id:*", "Mutation:*"]), &[])
}

fn secrets(count: usize, suffix: &str) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = write!(text, "a{at}{suffix}: secret ");
        text
    })
}

#[tokio::test]
async fn case_10_an_alias_that_every_denial_repeats_is_refused() {
    let rig = rig();
    let long = "x".repeat(22_000);
    let reply = rig.ask(None, &format!("{{ {long}: self {{ {} }} }}", secrets(60, ""))).await;
    assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (400, "LIMIT_EXCEEDED"));
    assert!(reply.text.contains("An alias has 22000 bytes; at most 256 are allowed."));
    assert!(reply.text.len() < 500, "{}", reply.text);
    assert!(rig.denials.lock().unwrap().is_empty());

    // Each of them short, and all of them together not.
    let deep = format!("{}: self {{ ", "y".repeat(250)).repeat(4);
    let document = format!("{{ {deep} {} {} }}", secrets(60, ""), "}".repeat(4));
    let reply = rig.ask(None, &document).await;
    assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (400, "LIMIT_EXCEEDED"));
    assert!(reply.text.contains("more than 16384 bytes"), "{}", reply.text);
}

#[tokio::test]
async fn the_largest_denial_that_is_let_through_has_a_size() {
    let rig = rig();
    let document = format!("{{ {}: self {{ {} }} }}", "x".repeat(240), secrets(63, ""));
    let reply = rig.ask(None, &document).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.codes().len(), 63 + 1, "each, and what holds them");
    assert!(reply.text.len() < 64 * 1024, "{}", reply.text.len());
    let denials = rig.denials.lock().unwrap();
    let [denial] = &denials[..] else { panic!("{denials:?}") };
    assert!(denial.bytes() < 24 * 1024, "{}", denial.bytes());
    assert!(serde_json::to_string(denial).unwrap().len() <= denial.bytes());
    assert_eq!(denial.fields.len() + denial.omitted, 63);
}

#[tokio::test]
async fn a_record_has_a_size_whatever_a_site_allows() {
    let limits = Limits { path_bytes: 1 << 20, alias_bytes: 1 << 20, ..Limits::default() };
    let rules = castellan_gate::Rules { limits, ..rules(&["Query:Query:*"]) };
    let rig = Rig::new(SDL, rules, &[]);
    let document = format!("{{ {}: self {{ {} }} }}", "x".repeat(10_000), secrets(63, ""));
    assert_eq!(rig.ask(None, &document).await.status, 200);
    let denials = rig.denials.lock().unwrap();
    assert!(denials[0].bytes() < 24 * 1024, "{}", denials[0].bytes());
    assert!(denials[0].omitted > 0);
}

#[tokio::test]
async fn a_message_has_a_size_whatever_name_it_is_about() {
    let name = "n".repeat(4_000);
    for document in [
        format!("{{ {} }}", format!("{name} ").repeat(20)),
        format!("{{ id {} }}", format!("...{name} ").repeat(20)),
        format!("query {name} {{ nothing }}"),
        format!("query ({}) {{ id }}", format!("${name}: Int ").repeat(20)),
    ] {
        let reply = rig().ask(None, &document).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text.len() < 20 * 1_024, "{}", reply.text.len());
    }
}

/// A list of the API's has one null for each of its items, under a key that the caller has chosen.
#[tokio::test]
async fn nulls_in_a_list_of_the_api_have_a_size() {
    let limits = Limits { answer_bytes: 256 * 1024, ..Limits::default() };
    let rules = castellan_gate::Rules {
        limits,
        on_deny: OnDeny::Null,
        ..rules(&["Mutation:*", "Query:id:*"])
    };
    for (items, status) in [(20, StatusCode::OK), (2_000, StatusCode::BAD_GATEWAY)] {
        let item = json!({"query": {"id": "1"}});
        let answer = json!({"data": {"createOrders": vec![item; items]}}).to_string();
        assert!(answer.len() < 256 * 1024);
        let rig =
            Rig::new(SDL, rules.clone(), &[]).answering_with(move |_| json_answer(200, &answer));
        let suffix = "z".repeat(200);
        let document =
            format!("mutation {{ createOrders {{ query {{ id {} }} }} }}", secrets(30, &suffix));
        let reply = rig.ask(None, &document).await;
        assert_eq!(reply.status, status, "{}", &reply.text[..reply.text.len().min(400)]);
        assert!(reply.text.len() < 512 * 1024);
    }
}

#[tokio::test]
async fn only_final_answers_of_2xx_4xx_and_5xx_are_answers() {
    for document in ["mutation { createPerson { person { id } } }", "{ id secret }"] {
        for status in [200, 201, 400, 404, 500, 503] {
            let rig = rig().answering_with(move |_| json_answer(status, r#"{"data":{"id":"1"}}"#));
            let reply = rig.ask(None, document).await;
            assert!(!reply.codes().contains(&"UPSTREAM".to_owned()), "{status}: {}", reply.text);
        }
        for status in [101, 199, 300, 301, 302, 304, 307, 399, 600, 999] {
            let rig = rig().answering_with(move |_| {
                let mut answer = json_answer(status, r#"{"data":{"id":"1"}}"#);
                answer.headers_mut().insert("location", "http://10.0.0.1/".parse().unwrap());
                answer
            });
            let reply = rig.ask(None, document).await;
            assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (502, "UPSTREAM"));
            assert!(reply.text.contains(&format!("responded with status {status}")));
            assert!(!reply.headers.contains_key("location"));
        }
    }
}
