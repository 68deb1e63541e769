//! Secrets of clients (`design.md` rule 46) and what must not print.

use castellan_issuer::tokens::verify::Holder;
use castellan_issuer::{
    client_auth::ClientProof,
    error::TokenError,
    records::{Account, ApiCredential, Client},
};
use castellan_proto::Secret;
use serde_json::json;

use crate::house::{HUMAN_SECRET, House, Tab, generated, params, secret_of};

async fn client(house: &House, id: &str) -> Client {
    house.issuer.desk().get::<Client>(id, house.issuer.now()).await.unwrap().unwrap().body
}

async fn prove(house: &House, id: &str, secret: &str) -> Result<(), TokenError> {
    let proof = ClientProof::Basic(id.to_owned(), Secret::new(secret.to_owned()));
    house.issuer.prove_client(proof, None).await.map(|_| ())
}

#[tokio::test]
async fn what_castellan_made_is_kept_as_a_keyed_hash_and_all_else_as_argon2id() {
    let house = House::new().await;
    let made = client(&house, "shop").await.secret.unwrap();
    assert!(made.starts_with("keyed:") && !made.contains(&generated(1)));
    let chosen = client(&house, "portal").await.secret.unwrap();
    assert!(chosen.starts_with("$argon2id$") && !chosen.contains(HUMAN_SECRET));
    assert!(prove(&house, "shop", &generated(1)).await.is_ok());
    assert!(prove(&house, "portal", HUMAN_SECRET).await.is_ok());
}

#[tokio::test]
async fn the_stored_form_is_no_secret() {
    let house = House::new().await;
    for id in ["shop", "portal"] {
        let stored = client(&house, id).await.secret.unwrap();
        assert!(prove(&house, id, &stored).await.is_err());
    }
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_are_one_error_at_one_cost() {
    let house = House::new().await;
    let mut answers = Vec::new();
    for secret in ["wrong", "s3cr3t-portal\n", &generated(9)] {
        for id in ["shop", "portal", "own", "nobody", ""] {
            house.store.arm(None);
            let error = prove(&house, id, secret).await.unwrap_err();
            answers.push((error.to_string(), error.code(), house.store.verbs()));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_secret_that_looks_made_is_hashed_for_no_client_known_or_not() {
    let house = House::new().await;
    // With the pool full to the brim a hash is refused as busy, and so is seen.
    let waiting: Vec<_> = (0..400)
        .map(|_| {
            let issuer = house.issuer.clone();
            let secret = Secret::new("x".to_owned());
            tokio::spawn(async move { issuer.passwords().hash(&secret).await })
        })
        .collect();
    tokio::task::yield_now().await;
    for id in ["shop", "portal", "own", "nobody"] {
        let answer = prove(&house, id, &generated(9)).await;
        assert!(matches!(answer, Err(TokenError::InvalidClient { .. })), "{id}: {answer:?}");
    }
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_changed_secret_is_forgotten_at_once() {
    let house = House::new().await;
    for _ in 0..2 {
        assert!(prove(&house, "portal", HUMAN_SECRET).await.is_ok(), "remembered");
    }
    house.edit("portal", |portal| portal["secret"] = json!("another secret")).await;
    assert!(prove(&house, "portal", HUMAN_SECRET).await.is_err());
    assert!(prove(&house, "portal", "another secret").await.is_ok());
    house.edit("portal", |portal| portal["secret"] = json!(generated(5))).await;
    assert!(prove(&house, "portal", "another secret").await.is_err());
    assert!(prove(&house, "portal", &generated(5)).await.is_ok());
}

#[tokio::test]
async fn a_client_proves_itself_in_one_way() {
    let house = House::new().await;
    let secret = secret_of("shop").unwrap();
    let basic = || Some(("shop".to_owned(), Secret::new(secret.clone())));
    let grant = ("grant_type", "authorization_code");
    for pairs in [
        &[grant, ("client_id", "shop"), ("client_secret", &secret)][..],
        &[grant, ("client_id", "other")],
    ] {
        let answer = house.issuer.token(&params(pairs), basic(), None).await;
        assert!(matches!(answer, Err(TokenError::TwoProofs)));
    }
    let answer = house.issuer.token(&params(&[grant]), basic(), None).await;
    assert!(matches!(answer, Err(TokenError::Missing("code"))));
    assert!(matches!(
        house.issuer.token(&params(&[grant]), None, None).await,
        Err(TokenError::Missing(_))
    ));
}

#[tokio::test]
async fn nothing_secret_prints() {
    let house = House::new().await;
    let answer = house.tokens("shop").await;
    let shown = format!("{answer:?}");
    for secret in [&answer.access_token, answer.refresh_token.as_ref().unwrap()] {
        assert!(!shown.contains(&**secret));
    }
    let shop = client(&house, "shop").await;
    assert!(!format!("{shop:?}").contains(&shop.secret.clone().unwrap()));
    let now = house.issuer.now();
    let ada = house.issuer.desk().get::<Account>("ada-1", now).await.unwrap().unwrap();
    assert!(!format!("{ada:?}").contains("argon2"));
    let live = house.issuer.verify_access(&answer.access_token, Holder::Bearer).await.unwrap();
    assert!(!format!("{live:?}").contains("argon2"));
    house
        .apply(json!({"resourceType": "ApiCredential", "id": "n", "name": "N", "secret": "hush"}))
        .await;
    let id = "apicredential/n";
    let machine = house.issuer.desk().get::<ApiCredential>(id, now).await.unwrap().unwrap();
    assert!(!format!("{machine:?}").contains("argon2"));
    let tab = house.tab_of("ada-1").await;
    let next = house.begin("own", &tab, &[]).await.unwrap();
    assert!(!format!("{next:?}").contains("csl_code"));
    let next = house.begin("own", &Tab::new(), &[]).await.unwrap();
    assert!(!format!("{next:?}").contains("csl_flow"));
}

#[tokio::test]
async fn a_token_error_shows_nothing_of_the_request_but_a_short_scope() {
    let house = House::new().await;
    let long = format!("{}\u{7f}\n<script>", "x".repeat(300));
    let error = house.ask("robot", &[("grant_type", "client_credentials"), ("scope", &long)]).await;
    let text = error.unwrap_err().to_string();
    assert!(text.len() < 120 && !text.contains(['\n', '\u{7f}']), "{text}");
}
