//! What reaches the API behind the gate, byte for byte, and what comes back from it.

use castellan_proto::jose::Algorithm;
use http::Response;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL, text},
    jose,
    upstream::{Recorder, Seen},
    wire::{Answer, Ask},
};

const SDL: &str = "
type Query { persons(first: Int): [Person] secrets: [String] }
type Person { name: String, friends(first: Int): [Person] }
type Mutation {
  createPerson(name: String!): CreatePersonPayload
  deletePerson(id: ID!, why: String): Person
}
type CreatePersonPayload { person: Person query: Query }
";

const QUERY: &str = "# who and why
mutation Make($name: String!, $why: String = \"none\", $more: Boolean!) {
  made: createPerson(name: $name) { ...Made }
  gone: deletePerson(id: \"p1\", why: $why) { ...Name }
  again: createPerson(name: \"{ }\") @include(if: $more) { person { ...Name } }
}

fragment Made on CreatePersonPayload {
  person { ...Name }
  query { persons(first: 2) @include(if: $more) { name } secrets, hidden: secrets }
}
fragment Name on Person { name }
fragment Other on Person { friends(first: 1) { name } }
query Unasked { secrets persons { ...Other } }
";

/// Stands before a recorder; what is denied is null, and the rest runs.
async fn stage() -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"people\"\npath = \"/graphql\"\nupstream = \"{}query?x=1\"\n\
             upstream_id = \"urn:people\"\nschema = \"people.graphql\"\non_deny = \"null\"\n\
             strip_headers = [\"X-Tenant\"]\n",
            recorder.url
        ),
        documents: DOCUMENTS.replace("\"Query:*\", ", "\"Query:Person:*\", "),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

/// A machine's token.
async fn machine(castellan: &Castellan) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
        ("scope", "Query:Person:* Mutation:Person:Create"),
    ];
    let answer = castellan.token(&pairs).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.json(), "access_token").to_owned()
}

/// The only request that arrived.
fn only(recorder: &Recorder) -> Seen {
    let mut seen = recorder.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.remove(0)
}

/// Sends [`QUERY`] with all that may come along, and returns what arrived and what came back.
async fn sent_and_answered() -> (Seen, Answer) {
    let (recorder, castellan) = stage().await;
    recorder.answer(
        r#"{"data":{"made":{"person":{"name":"Ada"},"query":{"persons":[{"name":"Ada"}]}},"again":{"person":{"name":"{ }"}}}}"#,
    );
    let body = json!({
        "operationName": "Make",
        "extensions": {"trace": true},
        "variables": {"name": "Ada", "why": "because", "more": true},
        "query": QUERY,
        "id": 7,
    });
    let token = machine(&castellan).await;
    let url = castellan.at("/graphql?query=%7Bsecrets%7D&x=y");
    let answer = Ask::post(&url).json(&body).bearer(&token).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    (only(&recorder), answer)
}

#[tokio::test]
async fn what_is_denied_is_blanked_and_the_rest_is_sent_as_it_came() {
    let (seen, _) = sent_and_answered().await;
    assert_eq!((seen.method.as_str(), &*seen.path), ("POST", "/query?x=1"));
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.headers["content-length"], seen.body.len().to_string());
    let sent: Value = serde_json::from_str(&seen.body).unwrap();
    insta::assert_snapshot!(sent["query"].as_str().unwrap().replace(' ', "·"), @r#"
    #·who·and·why
    mutation·Make($name:·String!,······················,·$more:·Boolean!)·{
    ··made:·createPerson(name:·$name)·{·...Made·}
    ·····················································
    ··again:·createPerson(name:·"{·}")·@include(if:·$more)·{·person·{·...Name·}·}
    }
    
    fragment·Made·on·CreatePersonPayload·{
    ··person·{·...Name·}
    ··query·{·persons(first:·2)·@include(if:·$more)·{·name·}········,·················}
    }
    fragment·Name·on·Person·{·name·}
    ·······················································
    ··············································
    "#);
    let whole = json!({
        "query": sent["query"],
        "operationName": "Make",
        "variables": {"name": "Ada", "more": true},
    });
    assert_eq!(seen.body, whole.to_string());
    let blanked = sent["query"].as_str().unwrap();
    assert_eq!(blanked.len(), QUERY.len(), "every byte keeps its place");
}

#[tokio::test]
async fn the_answer_has_everything_in_its_place() {
    let (_, answer) = sent_and_answered().await;
    let woven = answer.json();
    assert_eq!(
        woven["data"],
        json!({
            "made": {
                "person": {"name": "Ada"},
                "query": {"persons": [{"name": "Ada"}], "secrets": null, "hidden": null},
            },
            "gone": null,
            "again": {"person": {"name": "{ }"}},
        })
    );
    let paths: Vec<_> =
        woven["errors"].as_array().unwrap().iter().map(|e| e["path"].clone()).collect();
    assert_eq!(
        paths,
        [json!(["made", "query", "secrets"]), json!(["made", "query", "hidden"]), json!(["gone"])]
    );
}

#[tokio::test]
async fn what_is_all_allowed_is_sent_as_it_came() {
    let (recorder, castellan) = stage().await;
    recorder.answer("{ \"data\" : {\"persons\": []} }\n");
    let query = "query($n: Int!) {\n\tpersons(first: $n) { name }  # all of them\n}\n";
    let body = json!({"query": query, "variables": {"n": 1, "unused": "x"}});
    let token = machine(&castellan).await;
    let answer = Ask::post(&castellan.at("/graphql")).json(&body).bearer(&token).send().await;
    assert_eq!(
        answer.body, "{ \"data\" : {\"persons\": []} }\n",
        "the answer is streamed untouched"
    );
    assert_eq!(only(&recorder).body, body.to_string());
}

#[tokio::test]
async fn nothing_is_sent_if_nothing_is_left() {
    let (recorder, castellan) = stage().await;
    let token = machine(&castellan).await;
    for (token, query) in [
        (None, "{ persons { name } secrets }"),
        (None, "mutation { createPerson(name: \"x\") { query { persons { name } } } }"),
        (Some(&*token), "{ secrets }"),
        (Some(&*token), "mutation { deletePerson(id: 1) { name } }"),
        (Some(&*token), "{ __typename }"),
        (Some(&*token), "{ __schema { queryType { name } } }"),
    ] {
        let answer = castellan.graphql("/graphql", token, query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(recorder.seen().is_empty(), "something was sent");
}

/// Asks for `__typename` of a person, so that something is sent.
async fn ask_for_persons(
    castellan: &Castellan,
    token: Option<&str>,
    headers: &[(&str, &str)],
) -> Answer {
    let body = json!({"query": "{ persons { name } }"});
    let ask = Ask::post(&castellan.at("/graphql")).json(&body);
    let ask = token.into_iter().fold(ask, Ask::bearer);
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().await
}

#[tokio::test]
async fn the_api_is_told_who_calls_and_can_check_it() {
    let (recorder, castellan) = stage().await;
    recorder.answer(r#"{"data":{"persons":[]}}"#);
    let asking = Asking::portal().with("scope", "openid Query:Person:*");
    let tokens = castellan.tokens(&mut Browser::default(), &asking, &PORTAL).await;
    let machine = machine(&castellan).await;
    for (token, sub, client, scope) in [
        (text(&tokens, "access_token"), "ann", "portal", "openid Query:Person:*"),
        (&machine, "svc", "svc", "Query:Person:* Mutation:Person:Create"),
    ] {
        let answer = ask_for_persons(&castellan, Some(token), &[]).await;
        assert_eq!(answer.json(), json!({"data": {"persons": []}}));
        let seen = only(&recorder);
        let identity = seen.headers["castellan-identity"].to_str().unwrap().to_owned();
        let said = checked(&castellan, &identity).await;
        assert_eq!((&said["sub"], &said["client_id"]), (&json!(sub), &json!(client)), "{said}");
        assert_eq!(
            (&said["scope"], &said["kind"]),
            (&json!(scope), &json!("access_token")),
            "{said}"
        );
    }
}

/// What `identity` says, proven and as `docs/rules.md` rule 39 has it.
async fn checked(castellan: &Castellan, identity: &str) -> Value {
    let header = jose::header(identity);
    assert_eq!(header["typ"], "castellan-identity+jwt");
    assert_eq!(header["alg"], "ES256");
    let jwks = "/.well-known/castellan-identity-jwks.json";
    let said = jose::proven(castellan, jwks, (identity, Algorithm::Es256)).await;
    assert_eq!(said["iss"], format!("{}/guard/people", castellan.url));
    assert_eq!(said["aud"], "urn:people");
    let (iat, exp) = (said["iat"].as_u64().unwrap(), said["exp"].as_u64().unwrap());
    assert_eq!(exp - iat, 60);
    assert!(exp > jose::now() && iat <= jose::now(), "{said}");
    said
}

#[tokio::test]
async fn the_api_is_told_that_nobody_known_calls() {
    let recorder = Recorder::start().await;
    recorder.answer(r#"{"data":{"persons":[]}}"#);
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"people\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             upstream_id = \"urn:people\"\nschema = \"people.graphql\"\npublic = [\"Query:*\"]\n",
            recorder.url
        ),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    for token in [None, Some("garbage")] {
        let answer = ask_for_persons(&castellan, token, &[]).await;
        assert_eq!(answer.json(), json!({"data": {"persons": []}}), "{answer:?}");
        let seen = only(&recorder);
        let said = checked(&castellan, seen.headers["castellan-identity"].to_str().unwrap()).await;
        assert_eq!((&said["kind"], &said["sub"]), (&json!("anonymous"), &json!("anonymous")));
        assert_eq!((&said["client_id"], &said["scope"]), (&json!(null), &json!("")));
        assert!(!seen.headers.contains_key("authorization"), "{seen:?}");
    }
}

#[tokio::test]
async fn no_credential_of_ours_reaches_the_api() {
    let (recorder, castellan) = stage().await;
    recorder.answer(r#"{"data":{"persons":[]}}"#);
    let browser = Browser::as_ann(&castellan).await;
    let (token, jar) = (machine(&castellan).await, browser.jar());
    let headers = [
        ("cookie", &*jar),
        ("x-jwt-aud", "svc"),
        ("dpop", "x"),
        ("x-tenant", "x"),
        ("x-kept", "yes"),
    ];
    let answer = ask_for_persons(&castellan, Some(&token), &headers).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = only(&recorder);
    for name in ["authorization", "cookie", "x-jwt-aud", "dpop", "x-tenant"] {
        assert!(!seen.headers.contains_key(name), "{name}: {seen:?}");
    }
    assert_eq!(seen.headers["x-kept"], "yes");
    let whole = format!("{seen:?}");
    assert!(!whole.contains(&token) && !whole.contains("csl_"), "{whole}");
}

#[tokio::test]
async fn no_cookie_of_the_api_reaches_the_caller() {
    let (recorder, castellan) = stage().await;
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("set-cookie", "ASID=stolen; Path=/")
        .header("location", "https://evil.test")
        .header("castellan-decision", "forged")
        .header("access-control-allow-origin", "https://evil.test")
        .header("access-control-allow-credentials", "true")
        .header("strict-transport-security", "max-age=0")
        .header("content-security-policy", "default-src *")
        .header("www-authenticate", "Basic")
        .header("cache-control", "public, max-age=600")
        .header("connection", "x-hop")
        .header("x-hop", "1");
    recorder.answer_with(answer.body(r#"{"data":{"persons":[]}}"#.to_owned()).unwrap());
    let token = machine(&castellan).await;
    let answer = ask_for_persons(&castellan, Some(&token), &[("origin", "https://app.test")]).await;
    insta::assert_snapshot!(answer.photograph(), @r#"
    200 OK
    access-control-allow-origin: *
    access-control-expose-headers: WWW-Authenticate, Retry-After, DPoP-Nonce
    cache-control: no-store
    content-security-policy: sandbox
    content-type: application/json; charset=utf-8
    vary: Origin
    x-content-type-options: nosniff

    {"data":{"persons":[]}}
    "#);
    assert_ne!(answer.header("castellan-decision"), Some("forged"));
}

#[tokio::test]
async fn what_is_no_graphql_answer_is_a_bad_gateway() {
    let (recorder, castellan) = stage().await;
    let token = machine(&castellan).await;
    for (media_type, body) in [
        ("text/html", "<script>alert(1)</script>"),
        ("application/javascript", "alert(1)"),
        ("image/svg+xml", "<svg/>"),
        ("", "{}"),
    ] {
        let answer = Response::builder().header("content-type", media_type);
        recorder.answer_with(answer.body(body.to_owned()).unwrap());
        let answer = ask_for_persons(&castellan, Some(&token), &[]).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "UPSTREAM");
        assert!(!answer.body.contains("alert") && !answer.body.contains("svg"), "{answer:?}");
    }
}
