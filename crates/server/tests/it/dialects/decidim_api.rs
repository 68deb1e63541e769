//! `docs/contracts/decidim.md` §10, items 1 to 3 and 42.

use http::Method;
use serde_json::json;

use crate::support::{
    castellan::{Archive, Castellan, Plan},
    wire::Ask,
};

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

    let archive = Archive::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\nupstream = \"{}\"\n",
            archive.url
        ),
        ..Plan::default()
    })
    .await;
    let answer = castellan.graphql("/api", None, "{ Person(first: 1) { name } }").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["data"]["Person"][0]["name"].is_string(), "{answer:?}");
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

#[tokio::test]
async fn decidim_42_any_origin_may_call_and_none_with_the_browsers_credentials() {
    let castellan = Castellan::start(Plan::default()).await;
    for origin in ["https://app.test", "http://localhost:3000", "null"] {
        let answer = Ask::new(Method::OPTIONS, &castellan.at("/api"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type, x-jwt-aud")
            .send()
            .await;
        assert_eq!(answer.status, 204, "{origin}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{origin}");
        let allowed = answer.header("access-control-allow-headers").unwrap().to_lowercase();
        for name in ["authorization", "content-type", "x-jwt-aud"] {
            assert!(allowed.split(", ").any(|one| one == name), "{origin}: {allowed}");
        }
        assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{origin}");
        let asked = Ask::post(&castellan.at("/api"))
            .json(&json!({"query": "{ __typename }"}))
            .header("origin", origin)
            .send()
            .await;
        assert_eq!(
            (asked.status.as_u16(), asked.header("access-control-allow-origin")),
            (200, Some("*"))
        );
        assert_eq!(asked.header("access-control-allow-credentials"), None, "{origin}");
    }
}
