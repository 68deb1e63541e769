//! `contracts/decidim.md` §10, items 1 to 3.

use serde_json::json;

use crate::castellan::{Archive, Castellan, Plan};

#[tokio::test]
async fn decidim_01_without_a_token_nobody_is_signed_in() {
    let castellan = Castellan::start(Plan::default()).await;
    let answer = castellan.graphql("/api", None, "{ session { user { id name nickname } } }").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({"data": {"session": null}}));
}

#[tokio::test]
async fn decidim_02_reads_are_public() {
    let castellan = Castellan::start(Plan::default()).await;
    let answer = castellan.graphql("/api", None, "{ __typename }").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({"data": {"__typename": "Query"}}));
}

#[tokio::test]
async fn decidim_03_a_mutation_without_a_token_changes_nothing() {
    let archive = Archive::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\nsession = \"local\"\n\
             upstream = \"{}\"\n",
            archive.url
        ),
        ..Plan::default()
    })
    .await;
    let read =
        castellan.graphql("/api", None, "{ Person(first: 1) { name } session { user { id } } }");
    let read = read.await.json();
    assert!(read["data"]["Person"][0]["name"].is_string(), "{read}");
    assert_eq!(read["data"]["session"], json!(null));
    let write = "mutation { CreatePerson(identifier: \"x\", name: \"x\") { name } }";
    let answer = castellan.graphql("/api", None, write).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["data"], json!(null), "{body}");
    assert_eq!(body["errors"][0]["path"], json!(["CreatePerson"]));
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let there = archive.ask("{ Person(identifier: \"x\") { name } }").await;
    assert_eq!(there, json!({"data": {"Person": []}}));
}
