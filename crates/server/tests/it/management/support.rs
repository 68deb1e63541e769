//! The people, apps and rules of `docs/contracts/curity.md` §12.

use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::text,
    wire::{Answer, Ask},
};

/// Where the Granted Authorizations API is.
pub const GRANTED: &str = "/admin/graphql/granted-authorizations";

/// Where the User Management API is.
pub const ACCOUNTS: &str = "/admin/graphql/accounts";

/// Six more accounts, of which one is inactive: 13 with those of [`PEOPLE`], 12 of them active.
pub const JOHNS: &str = r#"
---
resourceType: User
id: john
userName: johndoe
password: pw-johndoe
emails: [{value: other@example.org}, {value: john@example.org, primary: true, type: work}]
phoneNumbers: [{value: "+1 555 0100"}, {value: "+1 555 0101"}]
title: Chief
---
{resourceType: User, id: johanna, userName: johanna, password: pw-johanna, emails: [{value: Johanna@example.org}]}
---
{resourceType: User, id: jo, userName: jo, password: pw-jo}
---
{resourceType: User, id: bob, userName: bob, password: pw-bob, emails: [{value: johnny@example.com}]}
---
{resourceType: User, id: root, userName: root, password: pw-root, groups: [{value: administrators}]}
---
{resourceType: User, id: gone, userName: gone, password: pw-gone, active: false}
"#;

/// The rules of the groups manager.
pub const GROUPS: &str = r#"
[management.groups]
scopes = ["accounts"]
[management.groups.rules]
admin = ["create", "read", "update", "delete"]
user = ["read"]
creator = ["create"]
developers = []
"#;

/// People named after their groups, who sign in at `console` (opaque tokens) and `jwt-console`, and
/// apps that people of the outside let in.
pub const PEOPLE: &str = r"
resourceType: User
id: admin
userName: admin
password: pw-admin
groups: [{value: admin}]
---
{resourceType: User, id: user, userName: user, password: pw-user, groups: [{value: user}]}
---
{resourceType: User, id: creator, userName: creator, password: pw-creator, groups: [{value: creator}]}
---
{resourceType: User, id: both, userName: both, password: pw-both, groups: [{value: user}, {value: creator}]}
---
{resourceType: User, id: developer, userName: developer, password: pw-developer, groups: [{value: developers}]}
---
{resourceType: User, id: other, userName: other, password: pw-other, groups: [{value: unheard-of}]}
---
{resourceType: User, id: nogroups, userName: nogroups, password: pw-nogroups}
---
resourceType: Client
id: console
secret: s3cr3t-console
first_party: true
grant_types: [password]
scope: [accounts, groups]
auth: {password: {token_format: opaque}}
---
resourceType: Client
id: jwt-console
secret: s3cr3t-jwt-console
first_party: true
grant_types: [password]
scope: [accounts, groups]
auth: {password: {token_format: jwt}}
";

/// A server with [`PEOPLE`], `documents` and `config`.
pub async fn serving(config: &str, documents: &str) -> Castellan {
    Castellan::start(Plan {
        config: config.to_owned(),
        documents: format!("{PEOPLE}{documents}"),
        ..Plan::default()
    })
    .await
}

/// What `client` gets for the person called `name`, with `scope`.
pub async fn token_at(castellan: &Castellan, client: &str, name: &str, scope: &str) -> String {
    let (password, secret) = (format!("pw-{name}"), format!("s3cr3t-{client}"));
    let pairs = [
        ("grant_type", "password"),
        ("username", name),
        ("password", &*password),
        ("client_id", client),
        ("client_secret", &*secret),
        ("scope", scope),
    ];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

/// A token with the groups of the person called `name`.
pub async fn token(castellan: &Castellan, name: &str) -> String {
    token_at(castellan, "console", name, "accounts groups").await
}

/// What the API at `path` answers to `query`.
pub async fn asked(castellan: &Castellan, path: &str, token: &str, query: &str) -> Answer {
    let body = json!({"query": query});
    Ask::post(&castellan.at(path)).bearer(token).json(&body).send().await
}

/// The same with variables.
pub async fn asked_with(
    castellan: &Castellan,
    path: &str,
    token: &str,
    (query, variables): (&str, Value),
) -> Answer {
    let body = json!({"query": query, "variables": variables});
    Ask::post(&castellan.at(path)).bearer(token).json(&body).send().await
}

/// `data` of an answer without errors.
#[track_caller]
pub fn data(answer: &Answer) -> Value {
    let body = answer.json();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(body.get("errors"), None, "{answer:?}");
    body["data"].clone()
}

/// Asserts that `answer` is a refusal with `status`, and that its one error has `classification`.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, classification: &str) {
    let body = answer.json();
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(body["errors"][0]["extensions"]["classification"], classification, "{answer:?}");
    assert!(body.get("data").is_none_or(Value::is_null), "{answer:?}");
}

/// `query` as GET sends it.
pub fn by_get(castellan: &Castellan, path: &str, pairs: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    castellan.at(&format!("{path}?{query}"))
}

/// Asserts that the one error of `answer`, which is an answer to a field, has `classification`, and
/// returns its `extensions`.
#[track_caller]
pub fn failed(answer: &Answer, classification: &str) -> Value {
    let body = answer.json();
    assert_eq!(answer.status, 200, "{answer:?}");
    let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {answer:?}"));
    assert_eq!(errors.len(), 1, "{answer:?}");
    let extensions = errors[0]["extensions"].clone();
    assert_eq!(extensions["classification"], classification, "{answer:?}");
    extensions
}
