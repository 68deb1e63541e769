//! `castellan scopes`: what is used of a grant is counted, without a write for each request.

use serde_json::{Value, json};

use crate::support::{
    castellan::{Archive, Castellan, Plan},
    wire::Ask,
};

const DOCUMENTS: &str = r#"
resourceType: AuthKey
id: editor
apiKey: k-editor
scopes: ["Mutation:Person:*", "Mutation:Place:*", "Query:*"]
---
resourceType: ApiCredential
id: nightly-sync
name: Night sync
secret: PASTE_API_SECRET_HERE
scope: ["api:read", "api:write"]
---
resourceType: Client
id: idle
secret: s3cr3t-idle
grant_types: [client_credentials]
scope: ["Query:*"]
---
resourceType: Client
id: busy
secret: s3cr3t-busy
grant_types: [client_credentials]
scope: ["Mutation:Person:*", "Mutation:Place:*"]
"#;

async fn start(archive: &Archive) -> Castellan {
    let guard = |name: &str, path: &str, dialect: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"{path}\"\ndialect = \"{dialect}\"\nupstream = \"{}\"\n",
            archive.url
        )
    };
    Castellan::start(Plan {
        config: guard("archive", "/graphql", "trompa") + &guard("api", "/api", "decidim"),
        documents: DOCUMENTS.to_owned(),
        environment: vec![
            ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned()),
            ("JWT_SECRET", "s3cret-of-the-keys".to_owned()),
            ("JWT_AUTH_KEYS", json!([{"id": "fixed", "apiKey": "k", "scopes": ["*"]}]).to_string()),
        ],
        ..Plan::default()
    })
    .await
}

async fn jwt(castellan: &Castellan, id: &str, key: &str, scope: &str) -> String {
    let body = json!({"id": id, "apiKey": key, "scopes": [scope]});
    let answer = Ask::post(&castellan.at("/jwt")).json(&body).send().await;
    answer.json()["jwt"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn report(castellan: &Castellan, resource: &str) -> Value {
    let said = castellan.said(&["scopes", "usage", resource, "--format", "json"]);
    serde_json::from_str(&said).unwrap()
}

/// The app `busy` makes three places.
async fn an_app_writes(castellan: &Castellan) {
    let client = [("client_id", "busy"), ("client_secret", "s3cr3t-busy")];
    let ask = [&client[..], &[("grant_type", "client_credentials")]].concat();
    let app = castellan.token(&ask).await.json()["access_token"].as_str().unwrap().to_owned();
    let write_one = "mutation { CreatePlace(name: \"A\") { name } }";
    for _ in 0..3 {
        castellan.graphql("/graphql", Some(&app), write_one).await;
    }
}

#[tokio::test]
async fn what_is_used_of_a_grant_is_counted() {
    let archive = Archive::start().await;
    let mut castellan = start(&archive).await;
    let write = "mutation { a: CreatePerson(name: \"A\") { name } b: CreatePerson(name: \"B\") { name } \
                 DeletePlace(identifier: \"x\") { name } }";
    let token = jwt(&castellan, "editor", "k-editor", "Mutation:Person:*").await;
    for _ in 0..20 {
        castellan.graphql("/graphql", Some(&token), write).await;
    }
    // A read is public there, and takes no scope of the key's.
    castellan.graphql("/graphql", Some(&token), "{ Person(first: 1) { name } }").await;
    let fixed = jwt(&castellan, "fixed", "k", "Mutation:*").await;
    castellan
        .graphql("/graphql", Some(&fixed), "mutation { CreatePlace(name: \"P\") { name } }")
        .await;
    let pairs = [("api_user[key]", "nightly-sync"), ("api_user[secret]", "PASTE_API_SECRET_HERE")];
    let answer = Ask::post(&castellan.at("/api/sign_in")).form(&pairs).send().await.json();
    let machine = answer["jwt_token"].as_str().unwrap();
    castellan.graphql("/api", Some(machine), "{ Person(first: 1) { name } }").await;
    an_app_writes(&castellan).await;
    // What is counted is written at the stop at the latest.
    castellan.stop();

    let busy = report(&castellan, "Client/busy");
    let counts: Vec<_> =
        busy["scopes"].as_array().unwrap().iter().map(|one| &one["count"]).collect();
    assert_eq!(
        (counts, &busy["narrower"]),
        (vec![&json!(0), &json!(3)], &json!(["Mutation:Place:Create"]))
    );

    let editor = report(&castellan, "AuthKey/editor");
    let counts: Vec<_> =
        editor["scopes"].as_array().unwrap().iter().map(|one| &one["count"]).collect();
    assert_eq!(counts, [20, 0, 0], "one document is one use: {editor}");
    assert_eq!(editor["narrower"], json!(["Mutation:Person:Create"]));
    let machine = report(&castellan, "ApiCredential/nightly-sync");
    assert_eq!(machine["narrower"], json!(["api:read"]));
    assert_eq!(
        report(&castellan, "JWT_AUTH_KEYS/fixed")["narrower"],
        json!(["Mutation:Place:Create"])
    );
    assert_eq!(report(&castellan, "Client/idle")["since"], Value::Null);

    assert_listed(&castellan);

    // Some twenty requests came to a few writes, if not to one.
    let store = rusqlite::Connection::open(castellan.path("castellan.db")).unwrap();
    let version: i64 = store
        .query_row(
            "SELECT version FROM records WHERE kind = 'usage' AND id = 'AuthKey/editor'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(version <= 5, "{version} writes");
    drop(store);

    // Counts add up over restarts, and end with what they are about.
    castellan.restart().await;
    castellan.graphql("/graphql", Some(&token), write).await;
    castellan.stop();
    assert_eq!(report(&castellan, "AuthKey/editor")["scopes"][0]["count"], 21);
    castellan.said(&["delete", "AuthKey", "editor"]);
    let again = DOCUMENTS.split("---").next().unwrap();
    assert!(castellan.cli_with(&["apply", "-f", "-"], again).status.success());
    assert_eq!(report(&castellan, "AuthKey/editor")["since"], Value::Null);
}

/// The same in words, for all of them.
fn assert_listed(castellan: &Castellan) {
    let said = castellan.said(&["scopes", "usage"]);
    for line in [
        "AuthKey/editor, counted since 20",
        "  used        Mutation:Person:*: 20 times, last 20",
        "              Mutation:Person:Create: 20 times",
        "  never used  Mutation:Place:*",
        "  narrower    Mutation:Person:Create",
        "  never used  api:write",
        "Client/idle, no use recorded yet",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
    let unknown = castellan.cli(&["scopes", "usage", "Client/nobody"]);
    assert!(!unknown.status.success());
}
