//! `docs/contracts/aidbox.md` §6.4: a first-party app that shows no page.

use http::Method;
use serde_json::json;

use crate::support::{
    castellan::Castellan,
    fixtures::{DOCUMENTS, assert_refused, text},
    wire::{Answer, Ask},
};

const APPS: &str = r#"
---
resourceType: Client
id: terminal
secret: s3cr3t-terminal
first_party: true
grant_types: [password, refresh_token]
scope: [openid, profile, "Query:*"]
---
resourceType: Client
id: game
first_party: true
grant_types: [password]
scope: ["Query:*"]
---
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
"#;

const TERMINAL: [(&str, &str); 2] =
    [("client_id", "terminal"), ("client_secret", "s3cr3t-terminal")];
const GAME: [(&str, &str); 1] = [("client_id", "game")];

async fn stage() -> Castellan {
    Castellan::with_documents(&format!("{DOCUMENTS}{APPS}")).await
}

async fn asked(
    castellan: &Castellan,
    app: &[(&str, &str)],
    (name, password): (&str, &str),
    more: &[(&str, &str)],
) -> Answer {
    let own = [("grant_type", "password"), ("username", name), ("password", password)];
    castellan.token(&[&own[..], app, more].concat()).await
}

#[tokio::test]
async fn a_first_party_app_gets_tokens_for_a_name_and_a_password() {
    let castellan = stage().await;
    let answer =
        asked(&castellan, &TERMINAL, ("ann", "pw-ann"), &[("scope", "openid Query:*")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    assert_eq!(tokens["scope"], "openid Query:*");
    assert!(!text(&tokens, "id_token").is_empty());
    let info = castellan.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(info.json()["sub"], "ann", "{info:?}");
    let again = castellan.refresh(text(&tokens, "refresh_token"), &TERMINAL).await;
    assert_eq!(again.status, 200, "{again:?}");

    // A public one, which gets no refresh tokens unless it says so; and by e-mail address.
    let answer = asked(&castellan, &GAME, ("ann@example.test", "pw-ann"), &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json().get("refresh_token"), None);
    // Its sessions are listed like others.
    let listed = castellan.cli(&["get", "Session", "-o", "yaml"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("terminal") && listed.contains("game"), "{listed}");
}

#[tokio::test]
async fn what_is_wrong_is_told_without_telling_who_there_is() {
    let castellan = stage().await;
    let wrong = asked(&castellan, &TERMINAL, ("ann", "pw-bob"), &[]).await;
    assert_refused(&wrong, 400, "invalid_grant");
    let unknown = asked(&castellan, &TERMINAL, ("nobody", "pw-ann"), &[]).await;
    assert_eq!((unknown.status, &unknown.body), (wrong.status, &wrong.body));

    let without = [("client_id", "terminal")];
    let answer = asked(&castellan, &without, ("ann", "pw-ann"), &[]).await;
    assert_refused(&answer, 401, "invalid_client");
    let answer = asked(&castellan, &TERMINAL, ("ann", "pw-ann"), &[("scope", "Mutation:*")]).await;
    assert_refused(&answer, 400, "invalid_scope");
    let own = [("grant_type", "password"), ("username", "ann")];
    assert_refused(&castellan.token(&[&own[..], &TERMINAL].concat()).await, 400, "invalid_request");
    let portal = [("client_id", "portal"), ("client_secret", "s3cr3t-portal")];
    let answer = asked(&castellan, &portal, ("ann", "pw-ann"), &[]).await;
    assert_refused(&answer, 400, "unauthorized_client");
}

/// Row 24 of `docs/security-cases.md`: guesses are counted at every door.
#[tokio::test]
async fn guesses_by_the_grant_are_counted_as_at_the_page() {
    let castellan = stage().await;
    let mut last = None;
    for _ in 0..20 {
        last = Some(asked(&castellan, &GAME, ("ann", "wrong"), &[]).await);
    }
    let last = last.unwrap();
    assert_eq!(last.status, 429, "{last:?}");
    assert!(last.header("retry-after").is_some(), "{last:?}");
    let right = asked(&castellan, &GAME, ("ann", "pw-ann"), &[]).await;
    assert_ne!(right.status, 200, "{right:?}");
}

/// An app of somebody else would learn the passwords of people.
#[tokio::test]
async fn third_party_clients_cannot_have_the_grant() {
    let castellan = stage().await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let admin = text(&castellan.token(&pairs).await.json(), "access_token").to_owned();
    let put = |document| {
        let ask = Ask::new(Method::PUT, &castellan.at("/Client/terminal")).bearer(&admin);
        async move { ask.json(&document).send().await }
    };
    let document = json!({
        "resourceType": "Client", "id": "terminal", "secret": "s3cr3t-terminal",
        "grant_types": ["password"], "scope": ["Query:*"],
    });
    let answer = put(document.clone()).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(answer.body.contains("first-party"), "{answer:?}");
    let needless = json!({"auth": {"password": {"secret_required": true}}, "first_party": true});
    let mut document = document;
    document.as_object_mut().unwrap().remove("secret");
    document.as_object_mut().unwrap().extend(needless.as_object().unwrap().clone());
    document["id"] = json!("other");
    let ask = Ask::new(Method::PUT, &castellan.at("/Client/other")).bearer(&admin);
    let answer = ask.json(&document).send().await;
    assert_eq!(answer.status, 422, "{answer:?}");
}
