//! Clients that are made of a template (`docs/contracts/curity.md` §§8.1 and 12).

use http::Method;
use serde_json::json;

use super::support::{
    BY_TOKEN, asked, machine_token, managed, managed_with, refused, registered, sent, serving,
    web_app,
};
use crate::{
    management::support::{PEOPLE, asked as query, data, token_at},
    support::{
        castellan::{Castellan, Plan},
        fixtures::{DOCUMENTS, text},
    },
};

const MANAGERS: &str = "[management.groups]
scopes = [\"accounts\"]
[management.groups.rules]
admin = [\"create\", \"read\", \"update\", \"delete\"]
";

#[tokio::test]
async fn curity_60_a_template_makes_a_client_and_its_tokens_rotate() {
    let castellan = Castellan::start(Plan {
        config: format!("{BY_TOKEN}{MANAGERS}"),
        documents: format!("{DOCUMENTS}{}---\n{PEOPLE}", super::support::REGISTRANTS),
        ..Plan::default()
    })
    .await;
    let token = machine_token(&castellan, "initial", "dcr").await;
    let client = registered(&sent(&castellan, &token, &json!({"software_id": "tmpl"})).await);
    let uri = text(&client, "registration_client_uri");
    assert!(uri.ends_with(&format!("/{}", text(&client, "client_id"))), "{uri}");
    assert_eq!(client["scope"], "openid profile field:read");
    assert_eq!(client["redirect_uris"], json!(["https://field.test/cb"]));
    assert_eq!(client["client_name"], "Field app");
    let again = sent(&castellan, &token, &json!({"software_id": "tmpl"})).await;
    refused(&again, 401, "invalid_token");
    let read = managed(Method::GET, &client, None).await;
    assert_eq!(read.status, 200, "{read:?}");
    for name in ["registration_access_token", "client_secret"] {
        assert!(read.json()[name].is_string());
        assert_ne!(read.json()[name], client[name]);
    }
    refused(&managed(Method::GET, &client, None).await, 401, "invalid_token");
    let admin = token_at(&castellan, "console", "admin", "accounts groups").await;
    let list = "{dynamicallyRegisteredClients(templateClient: \"tmpl\") {
        edges {node {client_id status software_id scope}} totalCount}}";
    let listed = data(&query(&castellan, "/register/graphql", &admin, list).await);
    let listed = &listed["dynamicallyRegisteredClients"];
    assert_eq!(listed["totalCount"], 1);
    let node = &listed["edges"][0]["node"];
    assert_eq!(node["client_id"], client["client_id"]);
    assert_eq!(node["status"], "active");
    assert_eq!(node["software_id"], "tmpl");
    let secret = "{dynamicallyRegisteredClients(templateClient: \"tmpl\") {
        edges {node {client_secret}}}}";
    let answer = query(&castellan, "/register/graphql", &admin, secret).await;
    let error = &answer.json()["errors"][0]["extensions"]["classification"];
    assert_eq!(error, "ValidationError", "{answer:?}");
}

#[tokio::test]
async fn a_template_supplies_all_and_is_no_client_itself() {
    let castellan = serving(BY_TOKEN).await;
    for (metadata, is_made) in [
        (json!({"software_id": "tmpl", "software_version": "2", "contacts": ["a@b.test"]}), true),
        (json!({"software_id": "tmpl", "scope": "openid"}), true),
        (json!({"software_id": "tmpl", "redirect_uris": ["https://field.test/cb"]}), true),
        (json!({"software_id": "tmpl", "client_name": "Field app of Ann"}), true),
        (json!({"software_id": "tmpl", "scope": "openid orders:read"}), false),
        (json!({"software_id": "tmpl", "redirect_uris": ["https://evil.test/cb"]}), false),
        (json!({"software_id": "tmpl", "grant_types": ["authorization_code"]}), false),
        (json!({"software_id": "tmpl", "token_endpoint_auth_method": "none"}), false),
        (json!({"software_id": "tmpl", "client_name": "The portal"}), false),
        (json!({"software_id": "nothing"}), false),
        (json!({"software_id": "portal"}), false),
        (json!({"software_id": 7}), false),
    ] {
        let answer = asked(&castellan, &metadata).await;
        if is_made {
            registered(&answer);
        } else {
            refused(&answer, 400, "invalid_client_metadata");
        }
    }
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "tmpl"),
        ("client_secret", "s3cr3t-tmpl"),
    ];
    assert_eq!(castellan.token(&pairs).await.status, 401);
    // A client can be used, and cannot leave its template.
    let client = registered(&asked(&castellan, &json!({"software_id": "tmpl"})).await);
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", text(&client, "client_id")),
        ("client_secret", text(&client, "client_secret")),
        ("scope", "field:read"),
    ];
    assert_eq!(castellan.token(&pairs).await.status, 200);
    let body = web_app(&json!({"client_id": client["client_id"]}));
    refused(&managed(Method::PUT, &client, Some(&body)).await, 400, "invalid_client_metadata");
    let body = json!({"client_id": client["client_id"], "software_id": "tmpl"});
    let manager = machine_token(&castellan, "manager", "dcrm").await;
    assert_eq!(managed_with(Method::PUT, &client, &manager, Some(&body)).await.status, 200);
    assert_eq!(managed(Method::PUT, &client, Some(&body)).await.status, 200);
}

#[tokio::test]
async fn each_kind_of_registration_can_be_off() {
    let castellan = serving(&format!("{BY_TOKEN}templates = false\n")).await;
    let answer = asked(&castellan, &json!({"software_id": "tmpl"})).await;
    refused(&answer, 400, "invalid_client_metadata");
    let client = registered(&asked(&castellan, &web_app(&json!({"software_id": "tmpl"}))).await);
    assert_eq!(client["redirect_uris"], json!(["https://shop.test/cb"]));
    let castellan = serving(&format!("{BY_TOKEN}metadata = false\n")).await;
    refused(&asked(&castellan, &web_app(&json!({}))).await, 400, "invalid_client_metadata");
    registered(&asked(&castellan, &json!({"software_id": "tmpl"})).await);
}

#[tokio::test]
async fn a_template_that_gives_too_much_is_no_template() {
    let castellan = serving(BY_TOKEN).await;
    let template = |more: &str| {
        format!(
            "{{resourceType: Client, id: t, template: true, grant_types: [client_credentials], {more}}}"
        )
    };
    for (more, why) in [
        ("scope: [a]", "template: needs a secret"),
        ("secret: s3cr3t-t, scope: [dcr]", "scope"),
        ("secret: s3cr3t-t, scope: ['Castellan:*']", "scope"),
        ("secret: s3cr3t-t, active: false", "active"),
    ] {
        let applied = castellan.cli_with(&["apply", "-f", "-"], &template(more));
        let said = String::from_utf8_lossy(&applied.stderr).into_owned();
        assert!(!applied.status.success() && said.contains(why), "{said}");
    }
    let good = template("secret: s3cr3t-t, scope: [a]");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &good).status.success());
    let shown = castellan.said(&["get", "Client", "t", "--format", "json"]);
    assert!(castellan.cli_with(&["apply", "-f", "-"], &shown).status.success(), "{shown}");
}
