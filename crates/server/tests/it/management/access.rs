//! Who may do what, and how requests are sent (`docs/contracts/curity.md` §§2, 3).

use http::Method;
use serde_json::json;

use super::support::{
    ACCOUNTS, GRANTED, GROUPS, JOHNS, asked, asked_with, assert_refused, by_get, data, serving,
    token, token_at,
};
use crate::support::{
    castellan::Castellan,
    jose,
    wire::{Answer, Ask},
};

const TYPENAME: &str = "{__typename}";
const QUERY: &str = r#"{grantedAuthorizationsByOwner(owner: "user") {totalCount}}"#;
const MUTATION: &str =
    r#"mutation {revokeGrantedAuthorizationsByOwner(input: {owner: "user"}) {success}}"#;

async fn with_groups() -> Castellan {
    serving(GROUPS, "").await
}

/// The realm of a challenge, which is the site, and what follows.
fn challenge(answer: &Answer) -> (&str, &str) {
    let rest = answer.header("www-authenticate").unwrap().strip_prefix("Bearer realm=\"").unwrap();
    rest.split_once('"').unwrap()
}

#[tokio::test]
async fn curity_01_without_a_token_nothing_is_read() {
    let castellan = with_groups().await;
    for body in [json!({"query": TYPENAME}), json!(["not", "read"])] {
        let answer = Ask::post(&castellan.at(GRANTED)).json(&body).send().await;
        assert_refused(&answer, 401, "unauthenticated");
        let (realm, more) = challenge(&answer);
        assert!(!realm.is_empty() && more.is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn curity_02_an_expired_token_is_told_so() {
    let castellan = with_groups().await;
    let token = token(&castellan, "admin").await;
    assert_eq!(data(&asked(&castellan, GRANTED, &token, TYPENAME).await)["__typename"], "Query");
    castellan.advance_to(jose::now() + 3_600);
    for token in [&*token, "junk"] {
        let answer = asked(&castellan, GRANTED, token, TYPENAME).await;
        assert_refused(&answer, 401, "unauthenticated");
        let (realm, more) = challenge(&answer);
        assert!(!realm.is_empty(), "{answer:?}");
        assert_eq!(more, ", error=\"invalid_token\"");
    }
}

#[tokio::test]
async fn curity_03_all_scopes_of_the_manager_are_required() {
    let castellan = with_groups().await;
    let token = token_at(&castellan, "console", "admin", "groups").await;
    for query in [TYPENAME, QUERY, MUTATION, "not GraphQL"] {
        let answer = asked(&castellan, GRANTED, &token, query).await;
        assert_refused(&answer, 403, "access-denied");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.ends_with("error=\"insufficient_scope\", scope=\"accounts\""));
    }
}

#[tokio::test]
async fn curity_04_a_token_without_groups_is_denied_whatever_the_account_has() {
    let castellan = with_groups().await;
    let tokens = [
        token(&castellan, "nogroups").await,
        token(&castellan, "other").await,
        token(&castellan, "developer").await,
        // An administrator, whose token does not carry groups.
        token_at(&castellan, "console", "admin", "accounts").await,
        token_at(&castellan, "jwt-console", "admin", "accounts").await,
    ];
    for token in tokens {
        for query in [TYPENAME, QUERY] {
            assert_refused(&asked(&castellan, GRANTED, &token, query).await, 403, "access-denied");
        }
    }
}

#[tokio::test]
async fn curity_05_a_group_with_read_may_read() {
    let castellan = serving(GROUPS, JOHNS).await;
    let user = token(&castellan, "user").await;
    let read = data(&asked(&castellan, ACCOUNTS, &user, "{accounts(first: 1) {totalCount}}").await);
    assert_eq!(read, json!({"accounts": {"totalCount": 12}}));
    // The first token was let in at the same console.
    for (client, count) in [("console", 1), ("jwt-console", 2)] {
        let token = token_at(&castellan, client, "user", "accounts groups").await;
        let read = data(&asked(&castellan, GRANTED, &token, QUERY).await);
        assert_eq!(read, json!({"grantedAuthorizationsByOwner": {"totalCount": count}}));
    }
}

/// The mutation of the checks 6 and 7.
const CREATE_X1: &str =
    r#"mutation {createAccount(input: {fields: {userName: "x1"}}) {account {id}}}"#;

#[tokio::test]
async fn curity_06_a_group_without_create_creates_nothing() {
    let castellan = with_groups().await;
    let user = token(&castellan, "user").await;
    assert_refused(&asked(&castellan, ACCOUNTS, &user, CREATE_X1).await, 403, "access-denied");
    let admin = token(&castellan, "admin").await;
    let query = r#"{accountByUserName(userName: "x1") {id}}"#;
    let read = data(&asked(&castellan, ACCOUNTS, &admin, query).await);
    assert_eq!(read, json!({"accountByUserName": null}));
}

#[tokio::test]
async fn curity_07_a_group_with_create_creates_and_lists_nothing() {
    let castellan = with_groups().await;
    let creator = token(&castellan, "creator").await;
    let made = data(&asked(&castellan, ACCOUNTS, &creator, CREATE_X1).await);
    assert!(made["createAccount"]["account"]["id"].is_string(), "{made}");
    let listed = asked(&castellan, ACCOUNTS, &creator, "{accounts {totalCount}}").await;
    assert_refused(&listed, 403, "access-denied");
}

#[tokio::test]
async fn curity_13_a_query_by_get_is_the_same() {
    let castellan = with_groups().await;
    let token = token(&castellan, "user").await;
    let query = "query ($o: String) {grantedAuthorizationsByOwner(owner: $o) {totalCount}}";
    let url = by_get(&castellan, GRANTED, &[("query", query), ("variables", r#"{"o":"user"}"#)]);
    let answer = Ask::get(&url).bearer(&token).send().await;
    assert_eq!(data(&answer), data(&asked(&castellan, GRANTED, &token, QUERY).await));
    let posted = asked_with(&castellan, GRANTED, &token, (query, json!({"o": "user"}))).await;
    assert_eq!(data(&answer), data(&posted));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

#[tokio::test]
async fn curity_14_mutations_by_get_are_refused_unless_they_are_allowed() {
    for (setting, status) in [("", 405_u16), ("[management]\nmutations_over_get = true\n", 200)] {
        let castellan = serving(&format!("{setting}{GROUPS}"), "").await;
        let token = token(&castellan, "admin").await;
        let url = by_get(&castellan, GRANTED, &[("query", MUTATION)]);
        let answer = Ask::get(&url).bearer(&token).send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("POST"));
            assert_refused(&answer, 405, "invalid-argument");
        } else {
            let done = json!({"revokeGrantedAuthorizationsByOwner": {"success": true}});
            assert_eq!(data(&answer), done);
        }
    }
}

#[tokio::test]
async fn curity_15_the_selected_operation_decides_whether_it_is_a_mutation() {
    let castellan = with_groups().await;
    let token = token(&castellan, "admin").await;
    let two = format!("query Q {QUERY} {} ", MUTATION.replace("mutation", "mutation M"));
    for (name, status) in [("M", 405_u16), ("Q", 200), ("None", 400), ("", 400)] {
        let url = by_get(&castellan, GRANTED, &[("query", &two), ("operationName", name)]);
        let answer = Ask::get(&url).bearer(&token).send().await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn curity_16_introspection_needs_read() {
    let castellan = with_groups().await;
    let query = "{__schema {queryType {name} mutationType {name}}}";
    let reader = token(&castellan, "user").await;
    let schema = json!({"queryType": {"name": "Query"}, "mutationType": {"name": "Mutation"}});
    assert_eq!(data(&asked(&castellan, GRANTED, &reader, query).await)["__schema"], schema);
    let creator = token(&castellan, "creator").await;
    for query in [query, "{...F} fragment F on Query {__type(name: \"Query\") {name}}"] {
        assert_refused(&asked(&castellan, GRANTED, &creator, query).await, 403, "access-denied");
    }
}

#[tokio::test]
async fn curity_17_introspection_can_be_switched_off() {
    let castellan = serving(&format!("[management]\nintrospection = false\n{GROUPS}"), "").await;
    let token = token(&castellan, "admin").await;
    for query in ["{__schema {types {name}}}", "{a: __type(name: \"Query\") {name}}"] {
        let answer = asked(&castellan, GRANTED, &token, query).await;
        assert_refused(&answer, 200, "ValidationError");
        assert!(!answer.body.contains("Query"), "{answer:?}");
    }
    assert_eq!(data(&asked(&castellan, GRANTED, &token, TYPENAME).await)["__typename"], "Query");
}

#[tokio::test]
async fn curity_18_syntax_errors_and_unknown_fields_are_told_apart() {
    let castellan = with_groups().await;
    let token = token(&castellan, "user").await;
    for (query, classification) in [
        ("{", "InvalidSyntax"),
        ("query {a} }", "InvalidSyntax"),
        ("", "invalid-argument"),
        ("{grantedAuthorizationsByOwnr {totalCount}}", "ValidationError"),
        ("{grantedAuthorizationsByOwner(owner: 1) {totalCount}}", "ValidationError"),
        ("query A {__typename} query B {__typename}", "ValidationError"),
    ] {
        let answer = asked(&castellan, GRANTED, &token, query).await;
        assert_refused(&answer, 400, classification);
        let plain = Ask::post(&castellan.at(GRANTED)).bearer(&token);
        let plain = plain.header("accept", "application/json").json(&json!({"query": query}));
        let status = if query.is_empty() { 400 } else { 200_u16 };
        assert_refused(&plain.send().await, status, classification);
    }
}

#[tokio::test]
async fn requests_that_are_not_graphql_over_http_are_refused() {
    let castellan = with_groups().await;
    let token = token(&castellan, "admin").await;
    let url = castellan.at(GRANTED);
    let json = "application/json";
    let many = format!("{{{}}}", "a: __typename ".repeat(70));
    for (media_type, body, status) in [
        ("text/plain", r#"{"query": "{__typename}"}"#, 415),
        ("application/x-www-form-urlencoded", "query={__typename}", 415_u16),
        ("application/json; charset=latin1", r#"{"query": "{__typename}"}"#, 415),
        (json, "{", 400),
        (json, "{}", 400),
        (json, r#"{"query": 1}"#, 400),
        (json, r#"[{"query": "{__typename}"}]"#, 400),
        (json, &format!(r#"{{"query": "{many}"}}"#), 400),
        (json, &format!(r#"{{"query": "{{__typename}} #{}"}}"#, "x".repeat(140_000)), 413),
    ] {
        let ask = Ask::post(&url).bearer(&token).body(media_type, body.to_owned());
        let answer = ask.send().await;
        assert_eq!(answer.status, status, "{body:.60}: {answer:?}");
        assert!(answer.json()["errors"][0]["message"].is_string(), "{answer:?}");
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = Ask::new(method, &url).bearer(&token).send().await;
        assert_refused(&answer, 405, "invalid-argument");
        assert_eq!(answer.header("allow"), Some("GET, POST"));
    }
    // As everywhere else (RFC 9110 §9.3.7).
    let answer = Ask::new(Method::OPTIONS, &url).bearer(&token).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (200, Some("GET, POST")));
    let precise = Ask::post(&url).bearer(&token).json(&json!({"query": "{__typename}"}));
    let answer = precise.header("accept", "application/graphql-response+json").send().await;
    let media_type = "application/graphql-response+json; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(media_type));
}

#[tokio::test]
async fn an_operation_that_asks_for_too_much_is_refused() {
    let castellan = with_groups().await;
    let token = token(&castellan, "user").await;
    let entry = "edges {node {owner meta {created lastModified} authorizedScopes {name} authorizedClaims {name} \
                 authorizedClient {id name description logoUri}}}";
    let one = |key: usize| {
        format!("k{key}: grantedAuthorizationsByOwner(owner: \"user\", first: 1000) {{{entry}}} ")
    };
    for (count, is_good) in [(5, true), (19, false)] {
        let query = format!("{{{}}}", (0..count).map(one).collect::<String>());
        let answer = asked(&castellan, GRANTED, &token, &query).await;
        assert_eq!(answer.status == 200, is_good, "{count}: {answer:?}");
    }
}
