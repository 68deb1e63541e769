//! What database clients may do, and who gives it to them (`docs/contracts/curity.md` §§7.3 and 7.4).

use serde_json::json;

use super::{
    database_clients::{PATH, UPDATE, ask, create, exists, fields, made, refused, with_maker},
    support::{asked, asked_with, token_at},
};
use crate::support::{fixtures::text, wire::Ask};

#[tokio::test]
async fn a_client_that_is_made_here_gets_tokens_until_it_is_revoked() {
    let (castellan, token) = with_maker().await;
    let more = json!({
        "capabilities": {"client_credentials": {"type": "CLIENT_CREDENTIALS"}},
        "scopes": ["orders:read", "Query:Order:List"], "access_token_ttl": 77,
    });
    made(&castellan, &token, "machine", more).await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "machine"),
        ("client_secret", "S-that-is-long"),
    ];
    let issued = castellan.token(&pairs).await.json();
    assert_eq!(issued["scope"], "orders:read Query:Order:List");
    assert_eq!(issued["expires_in"], 77);
    let held = text(&issued, "access_token");
    let introspect = async || {
        let body = [("token", held), ("client_id", "machine"), ("client_secret", "S-that-is-long")];
        Ask::post(&castellan.at("/auth/introspect")).form(&body).send().await
    };
    assert_eq!(introspect().await.json()["active"], true);
    let status = async |status: &str| {
        let mutation = format!(
            "mutation {{setDatabaseClientStatusById(input: {{client_id: \"machine\", status: {status}}}) {{client {{status}}}}}}"
        );
        ask(&castellan, &token, &mutation).await;
    };
    status("INACTIVE").await;
    assert_eq!(castellan.token(&pairs).await.status, 401);
    status("ACTIVE").await;
    assert_eq!(introspect().await.json()["active"], true);
    status("REVOKED").await;
    assert_eq!(castellan.token(&pairs).await.status, 401);
    // What was issued before stays over.
    status("ACTIVE").await;
    assert_eq!(introspect().await.json()["active"], false);
    assert_eq!(castellan.token(&pairs).await.status, 200);
}

#[tokio::test]
async fn nobody_gives_a_client_what_they_do_not_have() {
    let (castellan, token) = with_maker().await;
    let plain = token_at(&castellan, "plain", "admin", "accounts groups").await;
    for (token, scopes) in [
        (&token, json!(["Castellan:*"])),
        (&token, json!(["Castellan:User:Read"])),
        (&token, json!(["Query:*"])),
        (&plain, json!(["orders:read"])),
    ] {
        let answer = create(&castellan, token, fields("more", &json!({"scopes": scopes}))).await;
        refused(&answer, "access-denied", Some("scopes"));
        assert!(!exists(&castellan, token, "more").await);
    }
    // Nor does anybody take over one that has it.
    let secret =
        json!({"client_authentication": {"primary": {"secret": {"secret": "mine, and long"}}}});
    let variables = json!({"id": "strong", "fields": secret});
    let answer = asked_with(&castellan, PATH, &token, (UPDATE, variables)).await;
    refused(&answer, "access-denied", Some("client_id"));
    for mutation in [
        "duplicateDatabaseClientById(input: {client_id: \"strong\"}) {client {client_id}}",
        "setDatabaseClientStatusById(input: {client_id: \"strong\", status: REVOKED}) {client {client_id}}",
        "setDatabaseClientOwnerById(input: {client_id: \"strong\", owner: \"admin\"}) {client {client_id}}",
        "deleteDatabaseClientById(input: {client_id: \"strong\"}) {deleted}",
    ] {
        let answer = asked(&castellan, PATH, &token, &format!("mutation {{{mutation}}}")).await;
        refused(&answer, "access-denied", Some("client_id"));
    }
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "strong"),
        ("client_secret", "s3cr3t-strong"),
    ];
    assert_eq!(castellan.token(&pairs).await.status, 200);
}

/// What people sign in to without being asked was made by an administrator: whoever manages clients
/// cannot take it away from them.
#[tokio::test]
async fn case_19_administrators_alone_end_what_they_made_first_party() {
    let (castellan, token) = with_maker().await;
    for mutation in [
        "setDatabaseClientStatusById(input: {client_id: \"console\", status: INACTIVE}) {client {client_id}}",
        "setDatabaseClientOwnerById(input: {client_id: \"console\", owner: \"admin\"}) {client {client_id}}",
        "deleteDatabaseClientById(input: {client_id: \"console\"}) {deleted}",
    ] {
        let answer = asked(&castellan, PATH, &token, &format!("mutation {{{mutation}}}")).await;
        refused(&answer, "access-denied", Some("client_id"));
    }
    let held = token_at(&castellan, "console", "user", "accounts groups").await;
    assert!(!held.is_empty());
}
