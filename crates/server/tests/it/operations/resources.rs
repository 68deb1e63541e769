//! Resources over HTTP (`docs/contracts/aidbox.md` §1, §12 items 1 and 2), for administrators only.

use http::Method;
use serde_json::json;

use crate::support::{
    castellan::Castellan,
    wire::{Answer, Ask},
};

const DOCUMENTS: &str = r#"
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*", "Mutation:*"]
---
resourceType: Client
id: reader
secret: a-secret-for-the-reader
grant_types: [client_credentials]
scope: ["Castellan:Client:Read", "*"]
"#;

const PORTAL: &str = "resourceType: Client
id: another
secret: s3cr3t-portal
grant_types: [code]
auth:
  authorization_code:
    redirect_uri: https://portal.test/cb
    secret_required: true
";

async fn token(castellan: &Castellan, id: &str, secret: &str) -> String {
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let answer = castellan.token(&pairs).await;
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn admin(castellan: &Castellan) -> String {
    token(castellan, "admin-tool", "a-secret-for-the-tool").await
}

async fn put(castellan: &Castellan, token: &str, path: &str, yaml: &str) -> Answer {
    Ask::new(Method::PUT, &castellan.at(path))
        .bearer(token)
        .header("accept", "text/yaml")
        .body("text/yaml", yaml.to_owned())
        .send()
        .await
}

#[tokio::test]
async fn aidbox_01_and_02_a_client_is_put_in_yaml_and_never_shows_its_secret() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let admin = admin(&castellan).await;
    let created = put(&castellan, &admin, "/Client/portal", PORTAL).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.header("content-type"), Some("text/yaml; charset=utf-8"));
    // The id in the path is the one that is written (case 20).
    assert!(created.body.contains("id: portal"), "{created:?}");
    assert!(!created.body.contains("s3cr3t"), "{created:?}");
    assert_eq!(put(&castellan, &admin, "/Client/portal", PORTAL).await.status, 200);
    let read = Ask::get(&castellan.at("/Client/portal")).bearer(&admin).send().await;
    assert_eq!(read.status, 200);
    assert!(!read.body.contains("secret\":") && !read.body.contains("argon2"), "{read:?}");
    assert!(read.json()["meta"]["versionId"].is_string(), "{read:?}");
    let missing = Ask::get(&castellan.at("/Client/another")).bearer(&admin).send().await;
    assert_eq!(missing.status, 404);
    let gone = Ask::new(Method::DELETE, &castellan.at("/Client/portal")).bearer(&admin);
    assert_eq!(gone.send().await.status, 200);
    let again = Ask::new(Method::DELETE, &castellan.at("/Client/portal")).bearer(&admin);
    assert_eq!(again.send().await.status, 204);
}

#[tokio::test]
async fn whoever_may_read_may_not_write_and_no_wildcard_reaches_in() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let reader = token(&castellan, "reader", "a-secret-for-the-reader").await;
    let listed = Ask::get(&castellan.at("/Client")).bearer(&reader).send().await;
    assert_eq!(listed.json()["total"], 2, "{listed:?}");
    assert_eq!(put(&castellan, &reader, "/Client/x", PORTAL).await.status, 403);
    let users = Ask::get(&castellan.at("/User")).bearer(&reader).send().await;
    assert_eq!(
        (users.status.as_u16(), &*users.body),
        (
            403,
            r#"{"resourceType":"OperationOutcome","id":"forbidden","issue":[{"severity":"fatal","code":"forbidden","diagnostics":"Forbidden"}],"text":{"status":"generated","div":"Forbidden"}}"#
        )
    );
    let nobody = Ask::get(&castellan.at("/User")).send().await;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer realm=\"castellan\""));
}

#[tokio::test]
async fn a_document_that_is_wrong_is_refused_and_changes_nothing() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let admin = admin(&castellan).await;
    for (yaml, status) in [
        ("resourceType: User", 422),
        ("resourceType: Client\nnope: 1", 422),
        ("resourceType: Client\ngrant_types: [password]", 422),
        ("{", 400),
        ("a: 1\n---\nb: 2", 400),
        ("- 1", 400),
    ] {
        let answer = put(&castellan, &admin, "/Client/x", yaml).await;
        assert_eq!(answer.status, status, "{yaml}: {answer:?}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
    let other = Ask::new(Method::PUT, &castellan.at("/Client/x")).bearer(&admin);
    assert_eq!(other.body("text/plain", "x").send().await.status, 415);
    let odd = Ask::new(Method::PUT, &castellan.at("/Client/a%20b")).bearer(&admin);
    assert_eq!(odd.json(&json!({})).send().await.status, 422);
    let read = Ask::get(&castellan.at("/Client/x")).bearer(&admin).send().await;
    assert_eq!(read.status, 404);
}

#[tokio::test]
async fn apply_goes_to_a_running_server_too() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let admin = admin(&castellan).await;
    let documents = format!("{PORTAL}---\nresourceType: User\nid: bob\nuserName: bob\n");
    let apply = ["apply", "-f", "-", "--server", &castellan.url, "--token"];
    let applied = castellan.cli_with(&[&apply[..], &[&admin]].concat(), &documents);
    let said = String::from_utf8(applied.stdout).unwrap();
    assert_eq!(said, "created Client/another\ncreated User/bob\n");
    let refused = castellan.cli_with(&[&apply[..], &["wrong"]].concat(), &documents);
    assert!(!refused.status.success());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("401") && !why.contains("s3cr3t"), "{why}");
}
