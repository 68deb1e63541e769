//! The Database Clients API (`docs/contracts/curity.md` §§7 and 12).

use serde_json::{Value, json};

use super::support::{GROUPS, asked, asked_with, data, serving, token_at};
use crate::support::{castellan::Castellan, fixtures::text, wire::Answer};

pub const PATH: &str = "/admin/graphql/database-clients";

/// Apps of those who make clients: `maker` has some scopes to give, and `plain` none. `strong` may do
/// everything at Castellan itself.
const MAKERS: &str = "
---
resourceType: Client
id: maker
secret: s3cr3t-maker
first_party: true
grant_types: [password]
scope: [accounts, groups, 'orders:read', 'orders:write', 'Query:Order:*']
---
resourceType: Client
id: plain
secret: s3cr3t-plain
first_party: true
grant_types: [password]
scope: [accounts, groups]
---
resourceType: Client
id: strong
secret: s3cr3t-strong
grant_types: [client_credentials]
scope: ['Castellan:*']
";

const TAGS: &str = "
[management.tags]
t1 = \"the first\"
t2 = \"the second\"
";

/// A server, and a token that may do everything at the API and has scopes to give.
pub async fn with_maker() -> (Castellan, String) {
    // A table within `management` stands before those within its groups.
    let castellan = serving(&format!("{GROUPS}{TAGS}"), MAKERS).await;
    let scope = "accounts groups orders:read orders:write Query:Order:*";
    let token = token_at(&castellan, "maker", "admin", scope).await;
    (castellan, token)
}

pub async fn ask(castellan: &Castellan, token: &str, query: &str) -> Value {
    data(&asked(castellan, PATH, token, query).await)
}

const CREATE: &str = "mutation create($input: CreateDatabaseClientInput!) {
    createDatabaseClient(input: $input) {client {client_id}}
}";

pub async fn create(castellan: &Castellan, token: &str, fields: Value) -> Answer {
    let variables = json!({"input": {"fields": fields}});
    asked_with(castellan, PATH, token, (CREATE, variables)).await
}

/// A client that is good, with `more` over it.
pub fn fields(id: &str, more: &Value) -> Value {
    let mut fields = json!({
        "client_id": id, "name": "One", "scopes": ["orders:read"],
        "redirect_uris": ["https://a.example/cb"],
        "client_authentication": {"primary": {"secret": {"secret": "S-that-is-long"}}},
        "capabilities": {"code": {}},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        fields[name] = value.clone();
    }
    fields
}

pub async fn made(castellan: &Castellan, token: &str, id: &str, more: Value) {
    data(&create(castellan, token, fields(id, &more)).await);
}

pub const UPDATE: &str = "mutation update($id: ID!, $fields: DatabaseClientUpdateFields!) {
    updateDatabaseClientById(input: {client_id: $id, fields: $fields}) {
        client {
            client_id description scopes properties
            client_authentication {primary {__typename ... on Secret {secret}}}
            meta {warnings}
        }
    }
}";

async fn update(castellan: &Castellan, token: &str, id: &str, fields: Value) -> Value {
    let variables = json!({"id": id, "fields": fields});
    let answer = asked_with(castellan, PATH, token, (UPDATE, variables)).await;
    data(&answer)["updateDatabaseClientById"]["client"].clone()
}

#[track_caller]
pub fn refused(answer: &Answer, classification: &str, field: Option<&str>) {
    let error = &answer.json()["errors"][0]["extensions"];
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(error["classification"], classification, "{answer:?}");
    assert_eq!(error.get("field").and_then(Value::as_str), field, "{answer:?}");
}

pub async fn exists(castellan: &Castellan, token: &str, id: &str) -> bool {
    let query = format!("{{databaseClientById(id: {id:?}) {{client_id}}}}");
    !ask(castellan, token, &query).await["databaseClientById"].is_null()
}

/// The ids on the only page of `list`, which is a field with its arguments.
async fn ids(castellan: &Castellan, token: &str, list: &str) -> Vec<String> {
    let read =
        ask(castellan, token, &format!("{{list: {list} {{edges {{node {{client_id}}}}}}}}")).await;
    let edges = read["list"]["edges"].as_array().cloned().unwrap_or_default();
    edges.iter().map(|edge| text(&edge["node"], "client_id").to_owned()).collect()
}

#[tokio::test]
async fn curity_47_a_client_is_made_and_what_has_no_effect_is_warned_of() {
    let (castellan, token) = with_maker().await;
    let made = ask(
        &castellan,
        &token,
        r#"mutation {createDatabaseClient(input: {fields: {
            client_id: "db-client-one", name: "One", redirect_uris: ["https://a/cb"],
            client_authentication: {primary: {secret: {secret: "S-that-is-long"}}},
            capabilities: {code: {}},
            user_authentication: {allowed_authenticators: ["authenticator-X"]}
        }}) {client {client_id owner status meta {created lastModified warnings}
             capabilities {code {type} implicit {type}}}}}"#,
    )
    .await;
    let client = &made["createDatabaseClient"]["client"];
    assert_eq!(client["client_id"], "db-client-one");
    assert_eq!(client["owner"], "admin");
    assert_eq!(client["status"], "ACTIVE");
    assert_eq!(client["meta"]["created"], client["meta"]["lastModified"]);
    assert_eq!(client["capabilities"], json!({"code": {"type": "CODE"}, "implicit": null}));
    let warnings = client["meta"]["warnings"].as_object().unwrap();
    assert_eq!(warnings.keys().collect::<Vec<_>>(), ["user_authentication.allowed_authenticators"]);
    let warning = text(&client["meta"]["warnings"], "user_authentication.allowed_authenticators");
    assert!(warning.contains("db-client-one") && warning.contains("authenticator-X"), "{warning}");
}

#[tokio::test]
async fn curity_48_both_documented_forms_of_an_update_say_the_same() {
    let (castellan, token) = with_maker().await;
    made(&castellan, &token, "one", json!({"claim_mapper_id": "mapper"})).await;
    let mutation = |selected: &str| {
        format!(
            "mutation {{updateDatabaseClientById(input: {{client_id: \"one\", fields: {{name: \"N\"}}}}) {{{selected}}}}}"
        )
    };
    let flat = ask(&castellan, &token, &mutation("client_id meta {warnings}")).await;
    let deep = ask(&castellan, &token, &mutation("client {client_id meta {warnings}}")).await;
    let (flat, deep) =
        (&flat["updateDatabaseClientById"], &deep["updateDatabaseClientById"]["client"]);
    assert_eq!(flat, deep);
    assert!(flat["meta"]["warnings"]["claim_mapper_id"].is_string(), "{flat}");
}

#[tokio::test]
async fn curity_49_the_hash_of_a_secret_is_shown_and_may_be_sent_back() {
    let (castellan, token) = with_maker().await;
    made(&castellan, &token, "one", json!({"capabilities": {"client_credentials": {}}})).await;
    let proof = |client: &Value| client["client_authentication"]["primary"].clone();
    let before = proof(&update(&castellan, &token, "one", json!({})).await);
    assert_eq!(before["__typename"], "Secret");
    let hash = text(&before, "secret");
    assert!(!hash.contains("S-that-is-long"), "{hash}");
    let primary = |secret: &str| json!({"client_authentication": {"primary": {"secret": {"secret": secret}}}});
    assert_eq!(proof(&update(&castellan, &token, "one", primary(hash)).await), before);
    let pairs = [("grant_type", "client_credentials"), ("client_id", "one")];
    let with = |secret: &'static str| [pairs[0], pairs[1], ("client_secret", secret)];
    assert_eq!(castellan.token(&with("S-that-is-long")).await.status, 200);
    // No other hash is taken for one, and a secret is another one from then on.
    let other = primary("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA");
    let variables = json!({"id": "one", "fields": other});
    let answer = asked_with(&castellan, PATH, &token, (UPDATE, variables)).await;
    refused(&answer, "invalid-argument", Some("client_authentication.primary.secret"));
    update(&castellan, &token, "one", primary("another that is long")).await;
    assert_eq!(castellan.token(&with("S-that-is-long")).await.status, 401);
    assert_eq!(castellan.token(&with("another that is long")).await.status, 200);
}

#[tokio::test]
async fn curity_50_an_id_is_used_once_and_made_where_there_is_none() {
    let (castellan, token) = with_maker().await;
    made(&castellan, &token, "one", json!({"description": "the first"})).await;
    let again = create(&castellan, &token, fields("one", &json!({"description": "x"}))).await;
    refused(&again, "constraint-violation", Some("client_id"));
    let client = update(&castellan, &token, "one", json!({})).await;
    assert_eq!(client["description"], "the first");
    let mut without = fields("", &json!({}));
    without.as_object_mut().unwrap().remove("client_id");
    let made = data(&create(&castellan, &token, without).await);
    let id = text(&made["createDatabaseClient"]["client"], "client_id").to_owned();
    assert!(id.len() > 16 && exists(&castellan, &token, &id).await, "{id}");
}

#[tokio::test]
async fn curity_51_what_breaks_a_rule_is_refused_and_not_stored() {
    let (castellan, token) = with_maker().await;
    let no_auth = json!({"primary": {"no_authentication": "no_auth"}});
    for (more, field) in [
        (json!({"capabilities": {"haapi": {}}}), "capabilities"),
        (json!({"redirect_uris": []}), "redirect_uris"),
        (
            json!({"client_authentication": no_auth, "capabilities": {"client_credentials": {}}}),
            "client_authentication.primary.no_authentication",
        ),
        (
            json!({"client_authentication": {"primary": {
                "no_authentication": "no_auth", "secret": {"secret": "S-that-is-long"},
            }}}),
            "client_authentication.primary",
        ),
        (
            json!({"subject_type": "pairwise", "capabilities": {"resource_owner_password": {}}}),
            "subject_type",
        ),
    ] {
        let answer = create(&castellan, &token, fields("one", &more)).await;
        refused(&answer, "invalid-argument", Some(field));
        assert!(!exists(&castellan, &token, "one").await, "{field}");
    }
}

#[tokio::test]
async fn curity_52_an_update_changes_what_it_names() {
    let (castellan, token) = with_maker().await;
    made(&castellan, &token, "one", json!({})).await;
    let change = async |fields: Value| update(&castellan, &token, "one", fields).await;
    let client = change(json!({"description": "d"})).await;
    assert_eq!((&client["description"], &client["scopes"]), (&json!("d"), &json!(["orders:read"])));
    assert_eq!(change(json!({"scopes": null})).await["scopes"], json!([]));
    assert_eq!(change(json!({"properties": {"a": 1}})).await["properties"], json!({"a": 1}));
    let client = change(json!({"properties": {"b": 2, "a": null}})).await;
    assert_eq!(client["properties"], json!({"b": 2}));
    assert_eq!(client["description"], "d");
    assert_eq!(change(json!({"description": null})).await["description"], Value::Null);
    assert_eq!(change(json!({"properties": null})).await["properties"], json!({}));
}

#[tokio::test]
async fn curity_53_tags_and_names_filter() {
    let (castellan, token) = with_maker().await;
    for (id, tags) in [("both", json!(["t1", "t2"])), ("first", json!(["t1"])), ("none", json!([]))]
    {
        made(&castellan, &token, id, json!({"tags": tags})).await;
    }
    let list = async |arguments: &str| {
        ids(&castellan, &token, &format!("databaseClients{arguments}")).await
    };
    assert_eq!(list(r#"(tags: ["t1", "t2"])"#).await, ["both"]);
    assert_eq!(list(r#"(tags: ["t1"])"#).await, ["both", "first"]);
    let untagged = list("(tags: [])").await;
    assert!(untagged.contains(&"none".to_owned()) && !untagged.contains(&"first".to_owned()));
    let all = list("").await;
    assert!(["both", "first", "none", "maker"].iter().all(|id| all.iter().any(|one| one == id)));
    assert_eq!(list(r#"(clientName: "On")"#).await, Vec::<String>::new());
    assert_eq!(list(r#"(clientName: "One")"#).await, ["both", "first", "none"]);
}

#[tokio::test]
async fn curity_54_all_terms_are_in_the_id_or_all_in_the_name() {
    let (castellan, token) = with_maker().await;
    for (id, name) in [("x-db-one", "Zed"), ("b", "DB number One"), ("db-c", "one")] {
        made(&castellan, &token, id, json!({"name": name})).await;
    }
    let search = async |terms: &str| {
        ids(&castellan, &token, &format!("searchDatabaseClients(searchTerms: {terms:?})")).await
    };
    assert_eq!(search("db one").await, ["b", "x-db-one"]);
    assert_eq!(search("  ONE   db ").await, ["b", "x-db-one"]);
    assert!(search(" ").await.len() > 3);
}

#[tokio::test]
async fn curity_55_clients_are_sorted_by_name_and_those_that_may_do_nothing_are_left_out() {
    let (castellan, token) = with_maker().await;
    for (id, name) in [("c1", "Zed"), ("c2", "ann"), ("c3", "Bob")] {
        made(&castellan, &token, id, json!({"name": name, "tags": ["t1"]})).await;
    }
    let list = async |more: &str| {
        ids(&castellan, &token, &format!("databaseClients(tags: [\"t1\"]{more})")).await
    };
    assert_eq!(list("").await, ["c2", "c3", "c1"]);
    assert_eq!(list(", sorting: {sortBy: name, sortOrder: DESCENDING}").await, ["c1", "c3", "c2"]);
    assert_eq!(list(", sorting: {sortBy: created, sortOrder: ASCENDING}").await.len(), 3);
    let status = async |id: &str, status: &str| {
        let mutation = format!(
            "mutation {{setDatabaseClientStatusById(input: {{client_id: {id:?}, status: {status}}}) {{client {{status}}}}}}"
        );
        let set = ask(&castellan, &token, &mutation).await;
        assert_eq!(set["setDatabaseClientStatusById"]["client"]["status"], status);
    };
    status("c2", "REVOKED").await;
    status("c3", "INACTIVE").await;
    assert_eq!(list("").await, ["c1"]);
    assert_eq!(list(", activeClientsOnly: false").await, ["c2", "c3", "c1"]);
    status("c2", "ACTIVE").await;
    assert_eq!(list("").await, ["c2", "c1"]);
    // Pages add up, and a cursor is good for its own list alone.
    let page = async |arguments: &str| {
        let query = format!(
            "{{databaseClients({arguments}) {{edges {{node {{client_id}}}} pageInfo {{endCursor hasNextPage}} totalCount}}}}"
        );
        asked(&castellan, PATH, &token, &query).await
    };
    let first = data(&page("tags: [\"t1\"], first: 1").await);
    let first = &first["databaseClients"];
    assert_eq!(
        (&first["totalCount"], &first["pageInfo"]["hasNextPage"]),
        (&json!(2), &json!(true))
    );
    let cursor = text(&first["pageInfo"], "endCursor");
    let second = data(&page(&format!("tags: [\"t1\"], first: 1, after: {cursor:?}")).await);
    let second = &second["databaseClients"];
    assert_eq!(second["edges"][0]["node"]["client_id"], "c1");
    assert_eq!(second["pageInfo"], json!({"endCursor": null, "hasNextPage": false}));
    refused(&page(&format!("first: 1, after: {cursor:?}")).await, "invalid-argument", None);
}

#[tokio::test]
async fn curity_56_an_unknown_client_is_null_and_deleting_it_an_error() {
    let (castellan, token) = with_maker().await;
    for mutation in [
        "updateDatabaseClientById(input: {client_id: \"x\", fields: {name: \"N\"}}) {client_id}",
        "duplicateDatabaseClientById(input: {client_id: \"x\", new_client_id: \"y\"}) {client {client_id}}",
        "setDatabaseClientStatusById(input: {client_id: \"x\", status: ACTIVE}) {client {client_id}}",
        "setDatabaseClientOwnerById(input: {client_id: \"x\", owner: \"user\"}) {client {client_id}}",
    ] {
        let answered = ask(&castellan, &token, &format!("mutation {{it: {mutation}}}")).await;
        assert_eq!(answered, json!({"it": null}), "{mutation}");
    }
    let delete = "mutation {deleteDatabaseClientById(input: {client_id: \"x\"}) {deleted}}";
    refused(&asked(&castellan, PATH, &token, delete).await, "not-found", None);
    made(&castellan, &token, "x", json!({})).await;
    let deleted = ask(&castellan, &token, delete).await;
    assert_eq!(deleted, json!({"deleteDatabaseClientById": {"deleted": true}}));
    refused(&asked(&castellan, PATH, &token, delete).await, "not-found", None);
}

const ALL: &str = "name description status tags scopes audiences redirect_uris allowed_origins
    access_token_ttl id_token {id_token_ttl} refresh_token {refresh_token_ttl reuse_refresh_tokens}
    properties subject_type claim_mapper_id user_authentication {context_info allowed_authenticators}
    client_authentication {primary {... on Secret {secret}}} capabilities {code {proof_key {require_proof_key}}}";

#[tokio::test]
async fn curity_57_a_copy_has_everything_but_the_id() {
    let (castellan, token) = with_maker().await;
    let more = json!({
        "description": "d", "tags": ["t1"], "audiences": ["https://api.example"],
        "access_token_ttl": 60, "id_token": {"id_token_ttl": 61}, "properties": {"a": 1},
        "refresh_token": {"refresh_token_ttl": 62}, "claim_mapper_id": "mapper",
        "user_authentication": {"context_info": "c"},
    });
    made(&castellan, &token, "one", more).await;
    let copied = ask(
        &castellan,
        &token,
        &format!(
            "mutation {{duplicateDatabaseClientById(input: {{client_id: \"one\", new_client_id: \"db-copy\"}}) {{client {{{ALL}}}}}}}"
        ),
    )
    .await;
    let original =
        ask(&castellan, &token, &format!("{{databaseClientById(id: \"one\") {{{ALL}}}}}")).await;
    assert_eq!(copied["duplicateDatabaseClientById"]["client"], original["databaseClientById"]);
    assert!(exists(&castellan, &token, "db-copy").await);
    let again = "mutation {duplicateDatabaseClientById(input: {client_id: \"one\", new_client_id: \"db-copy\"}) {client {client_id}}}";
    refused(
        &asked(&castellan, PATH, &token, again).await,
        "constraint-violation",
        Some("client_id"),
    );
}
