//! The mutation `createToken` (`docs/contracts/ibexa.md` §4.4), which is answered here.

use castellan_gate::{GuardSchema, SchemaSettings};
use serde_json::json;

use crate::wire::{Rig, SDL, pattern, post, rules};

const CREATE: &str = "mutation T($u: String!, $p: String!) { createToken(username: $u, password: \
                      $p) { token message } }";

fn settings() -> SchemaSettings {
    SchemaSettings { create_token: true, ..SchemaSettings::default() }
}

fn rig() -> Rig {
    Rig::with(SDL, &settings(), rules(&[]), &[("ada", "Mutation:Person:Create")])
        .answering(json!({"data": {"createPerson": {"person": null}}}))
}

async fn ask(rig: &Rig, query: &str, name: &str, password: &str) -> (u16, serde_json::Value) {
    let body = json!({"query": query, "variables": {"u": name, "p": password}}).to_string();
    let reply = rig.send(post(None, &body)).await;
    (reply.status.as_u16(), reply.json())
}

#[tokio::test]
async fn a_token_is_had_by_whoever_has_nothing_else_and_never_reaches_the_upstream() {
    let rig = rig();
    let (status, answer) = ask(&rig, CREATE, "ada", "pw-ada").await;
    let created = json!({"token": "token of ada", "message": null});
    assert_eq!((status, answer), (200, json!({"data": {"createToken": created}})));
    for (name, password, message) in [
        ("ada", "pw-bob", "Wrong username or password"),
        ("", "", "Wrong username or password"),
        ("many", "pw-many", "too many attempts; try again later"),
    ] {
        let (status, answer) = ask(&rig, CREATE, name, password).await;
        let refused = json!({"token": null, "message": message});
        assert_eq!((status, answer), (200, json!({"data": {"createToken": refused}})), "{name}");
    }
    let (status, answer) = ask(&rig, CREATE, "down", "pw-down").await;
    assert_eq!((status, &answer["data"]), (200, &json!({"createToken": null})));
    assert_eq!(
        answer["errors"][0]["message"],
        "resolver error: credentials cannot be checked at the moment"
    );
    assert!(rig.nothing_sent());
}

#[tokio::test]
async fn each_alias_is_an_attempt_of_its_own() {
    let rig = rig();
    let query = r#"mutation {
        a: createToken(username: "ada", password: "pw-ada") { token }
        b: createToken(username: "bob", password: "guess") { token }
        c: createToken(username: "bob", password: "pw-bob") { token kind: __typename }
        d: createToken(username: "bob", password: "pw-bob") @skip(if: true) { token }
    }"#;
    let reply = rig.ask(None, query).await;
    assert_eq!(
        reply.json(),
        json!({"data": {
            "a": {"token": "token of ada"},
            "b": {"token": null},
            "c": {"token": "token of bob", "kind": "CreatedTokenPayload"},
        }})
    );
    assert!(rig.nothing_sent());
}

#[tokio::test]
async fn a_missing_argument_is_an_error_of_graphql() {
    let rig = rig();
    for query in [
        "mutation { createToken(username: \"ada\") { token } }",
        "mutation { createToken(username: \"ada\", password: null) { token } }",
        "mutation { createToken(username: \"ada\", password: \"pw-ada\") }",
        "{ createToken(username: \"ada\", password: \"pw-ada\") { token } }",
    ] {
        let reply = rig.ask(None, query).await;
        assert!(!reply.json()["errors"].as_array().unwrap().is_empty(), "{query}");
        assert!(!reply.text.contains("token of"), "{query}");
    }
}

/// It is no way around what is decided about the rest.
#[tokio::test]
async fn what_else_a_document_asks_for_is_decided_as_ever() {
    let rig = rig();
    let both = r#"mutation {
        createToken(username: "ada", password: "pw-ada") { token }
        createPerson { person { id } }
    }"#;
    let reply = rig.ask(None, both).await;
    assert_eq!(
        (reply.json()["data"].clone(), &*reply.codes()[0]),
        (json!(null), "UNAUTHENTICATED")
    );
    assert!(!reply.text.contains("token of"), "nothing runs");
    assert!(rig.nothing_sent());
    let reply = rig.ask(Some("ada"), both).await;
    assert_eq!(
        reply.json()["data"],
        json!({"createToken": {"token": "token of ada"}, "createPerson": {"person": null}})
    );
    let sent = rig.sent.lock().unwrap().pop().unwrap();
    assert!(!sent.text.contains("createToken") && !sent.text.contains("pw-ada"), "{}", sent.text);
}

/// A password in the text of a document stays in no cache.
#[tokio::test]
async fn a_document_with_a_password_in_it_is_not_kept() {
    let rig = rig();
    rig.ask(None, r#"mutation { createToken(username: "a", password: "b") { token } }"#).await;
    assert_eq!(rig.kept_documents(), 0);
    rig.ask(None, "{ id }").await;
    assert_eq!(rig.kept_documents(), 1);
}

#[tokio::test]
async fn it_is_there_whatever_mutations_the_upstream_has() {
    for (sdl, root) in [
        ("type Query { id: ID }", "Mutation"),
        ("schema { query: Q } type Q { id: ID }", "CastellanMutation"),
        ("schema { query: Q mutation: M } type Q { id: ID } type M { make: ID }", "M"),
    ] {
        let rig = Rig::with(sdl, &settings(), rules(&[]), &[]);
        let query = "mutation { __typename createToken(username: \"ada\", password: \"pw-ada\") { \
                     token } }";
        let reply = rig.ask(None, query).await;
        let data = json!({"__typename": root, "createToken": {"token": "token of ada"}});
        assert_eq!(reply.json(), json!({"data": data}), "{sdl}");
        assert!(rig.nothing_sent());
    }
}

/// An upstream's own field of that name is the upstream's, and not both.
#[tokio::test]
async fn a_createtoken_of_the_upstream_is_not_ours() {
    let sdl = "type Query { id: ID } type Mutation { createToken(username: String!, password: \
               String!): Payload } type Payload { token: String }";
    assert!(GuardSchema::build(sdl, &settings()).is_err());
    let rules = castellan_gate::Rules { public: vec![pattern("*")], ..rules(&[]) };
    let rig = Rig::with(sdl, &SchemaSettings::default(), rules, &[])
        .answering(json!({"data": {"createToken": {"token": "theirs"}}}));
    let query = "mutation { __typename createToken(username: \"ada\", password: \"pw-ada\") { \
                 token } }";
    let reply = rig.ask(None, query).await;
    assert_eq!(reply.json()["data"]["createToken"]["token"], "theirs");
    assert!(!rig.nothing_sent());
}
