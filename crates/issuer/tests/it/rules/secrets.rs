//! Secrets of clients (`docs/rules.md` rule 46) and what must not print.

use castellan_issuer::tokens::verified::Holder;
use castellan_issuer::{
    client_auth::{BasicAuth, ClientCredentials},
    error::OAuthError,
    records::{Account, ApiCredential, Client},
};
use castellan_proto::Secret;
use serde_json::json;

use crate::harness::{HUMAN_SECRET, Harness, Tab, generated, params, secret_of};

async fn client(harness: &Harness, id: &str) -> Client {
    harness.issuer.repository().get::<Client>(id, harness.issuer.now()).await.unwrap().unwrap().body
}

async fn prove(harness: &Harness, id: &str, secret: &str) -> Result<(), OAuthError> {
    let proof = ClientCredentials::Basic(id.to_owned(), Secret::new(secret.to_owned()));
    harness.issuer.authenticate_client(proof, None).await.map(|_| ())
}

#[tokio::test]
async fn what_castellan_made_is_kept_as_a_keyed_hash_and_all_else_as_argon2id() {
    let harness = Harness::new().await;
    let made = client(&harness, "shop").await.secret.unwrap();
    assert!(made.starts_with("keyed:") && !made.contains(&generated(1)));
    let chosen = client(&harness, "portal").await.secret.unwrap();
    assert!(chosen.starts_with("$argon2id$") && !chosen.contains(HUMAN_SECRET));
    assert!(prove(&harness, "shop", &generated(1)).await.is_ok());
    assert!(prove(&harness, "portal", HUMAN_SECRET).await.is_ok());
}

#[tokio::test]
async fn the_stored_form_is_no_secret() {
    let harness = Harness::new().await;
    for id in ["shop", "portal"] {
        let stored = client(&harness, id).await.secret.unwrap();
        assert!(prove(&harness, id, &stored).await.is_err());
    }
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_are_one_error_at_one_cost() {
    let harness = Harness::new().await;
    let mut answers = Vec::new();
    for secret in ["wrong", "s3cr3t-portal\n", &generated(9)] {
        for id in ["shop", "portal", "own", "nobody", ""] {
            harness.store.arm(None);
            let error = prove(&harness, id, secret).await.unwrap_err();
            answers.push((error.to_string(), error.code(), harness.store.verbs()));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_secret_that_looks_made_is_hashed_for_no_client_known_or_not() {
    let harness = Harness::new().await;
    // With the pool full to the brim a hash is refused as busy, and so is seen.
    let filler = Secret::new("nothing but a filler".to_owned());
    let filler = harness.issuer.settings().secrets.secret(&filler).unwrap();
    let waiting: Vec<_> = (0..400)
        .map(|_| {
            let (issuer, secret) = (harness.issuer.clone(), filler.clone());
            tokio::spawn(async move { issuer.passwords().hash(&secret).await })
        })
        .collect();
    tokio::task::yield_now().await;
    for id in ["shop", "portal", "own", "nobody"] {
        let answer = prove(&harness, id, &generated(9)).await;
        assert!(matches!(answer, Err(OAuthError::InvalidClient { .. })), "{id}: {answer:?}");
    }
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_changed_secret_is_forgotten_at_once() {
    let harness = Harness::new().await;
    for _ in 0..2 {
        assert!(prove(&harness, "portal", HUMAN_SECRET).await.is_ok(), "remembered");
    }
    harness.edit("portal", |portal| portal["secret"] = json!("another secret")).await;
    assert!(prove(&harness, "portal", HUMAN_SECRET).await.is_err());
    assert!(prove(&harness, "portal", "another secret").await.is_ok());
    harness.edit("portal", |portal| portal["secret"] = json!(generated(5))).await;
    assert!(prove(&harness, "portal", "another secret").await.is_err());
    assert!(prove(&harness, "portal", &generated(5)).await.is_ok());
}

#[tokio::test]
async fn a_client_proves_itself_in_one_way() {
    let harness = Harness::new().await;
    let secret = secret_of("shop").unwrap();
    let basic = || {
        let secret = Secret::new(secret.clone());
        Some(BasicAuth { client_id: "shop".to_owned(), secret })
    };
    let grant = ("grant_type", "authorization_code");
    for pairs in [
        &[grant, ("client_id", "shop"), ("client_secret", &secret)][..],
        &[grant, ("client_id", "other")],
    ] {
        let answer = harness.issuer.token(&params(pairs), basic(), None).await;
        assert!(matches!(answer, Err(OAuthError::TwoProofs)));
    }
    let answer = harness.issuer.token(&params(&[grant]), basic(), None).await;
    assert!(matches!(answer, Err(OAuthError::Missing("code"))));
    assert!(matches!(
        harness.issuer.token(&params(&[grant]), None, None).await,
        Err(OAuthError::Missing(_))
    ));
}

#[tokio::test]
async fn nothing_secret_prints() {
    let harness = Harness::new().await;
    let answer = harness.tokens("shop").await;
    let shown = format!("{answer:?}");
    for secret in [&answer.access_token, answer.refresh_token.as_ref().unwrap()] {
        assert!(!shown.contains(&**secret));
    }
    let shop = client(&harness, "shop").await;
    assert!(!format!("{shop:?}").contains(&shop.secret.clone().unwrap()));
    let now = harness.issuer.now();
    let ada = harness.issuer.repository().get::<Account>("ada-1", now).await.unwrap().unwrap();
    assert!(!format!("{ada:?}").contains("argon2"));
    let live = harness.issuer.verify_access(&answer.access_token, Holder::Bearer).await.unwrap();
    assert!(!format!("{live:?}").contains("argon2"));
    harness
        .apply(
            json!({"resourceType": "ApiCredential", "id": "n", "name": "N", "secret": "hush hush"}),
        )
        .await;
    let id = "apicredential/n";
    let machine = harness.issuer.repository().get::<ApiCredential>(id, now).await.unwrap().unwrap();
    assert!(!format!("{machine:?}").contains("argon2"));
    let tab = harness.tab_of("ada-1").await;
    let next = harness.begin("own", &tab, &[]).await.unwrap();
    assert!(!format!("{next:?}").contains("csl_code"));
    let next = harness.begin("own", &Tab::new(), &[]).await.unwrap();
    assert!(!format!("{next:?}").contains("csl_flow"));
}

#[tokio::test]
async fn a_token_error_shows_nothing_of_the_request_but_a_short_scope() {
    let harness = Harness::new().await;
    let long = format!("{}\u{7f}\n<script>", "x".repeat(300));
    let error =
        harness.ask("robot", &[("grant_type", "client_credentials"), ("scope", &long)]).await;
    let text = error.unwrap_err().to_string();
    assert!(text.len() < 120 && !text.contains(['\n', '\u{7f}']), "{text}");
}
