//! The main job, once through.

use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::{Archive, Castellan, Plan},
    fixtures::{CHALLENGE, VERIFIER},
};

#[tokio::test]
async fn a_person_signs_in_and_their_app_writes() {
    let archive = Archive::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"archive\"\npath = \"/graphql\"\ndialect = \"trompa\"\nupstream = \"{}\"\n",
            archive.url
        ),
        documents: r#"
resourceType: User
id: ada
userName: ada
password: pw-ada-12
---
resourceType: Client
id: app
grant_types: [authorization_code, refresh_token]
scope: [openid, "Mutation:Person:*"]
redirect_uris: ["https://app.test/cb"]
"#
        .to_owned(),
        ..Plan::default()
    })
    .await;
    let mut browser = Browser::default();
    let authorize = castellan.at(&format!(
        "/auth/authorize?response_type=code&client_id=app&redirect_uri=https://app.test/cb&state=s&\
         scope=openid+Mutation:Person:*&code_challenge={CHALLENGE}&code_challenge_method=S256"
    ));
    let asked = browser.get(&authorize).await;
    let signed_in = browser.sign_in(&castellan, &asked, ("ada", "pw-ada-12")).await;
    let agreed = browser.decide(&castellan, &signed_in, "allow").await;
    assert_eq!(agreed.status, 302, "{agreed:?}");
    assert_eq!(agreed.location_param("state").as_deref(), Some("s"));
    let code = agreed.location_param("code").unwrap();
    let token = castellan
        .token(&[
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ])
        .await;
    assert_eq!(token.status, 200, "{token:?}");
    let token = token.json();
    let access = token["access_token"].as_str().unwrap();
    let write = "mutation { CreatePerson(name: \"Ada\") { name } }";
    let denied = castellan.graphql("/graphql", None, write).await;
    assert_eq!(denied.json()["data"], json!({"CreatePerson": null}));
    let id = denied.json()["errors"][0]["extensions"]["decision"].as_str().unwrap().to_owned();
    let allowed = castellan.graphql("/graphql", Some(access), write).await;
    assert_eq!(allowed.json(), json!({"data": {"CreatePerson": {"name": "Ada"}}}));
    let why = castellan.said(&["explain", &id]);
    assert!(why.contains("Mutation:Person:Create"), "{why}");
    let refreshed = castellan
        .token(&[
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", token["refresh_token"].as_str().unwrap()),
        ])
        .await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
}
