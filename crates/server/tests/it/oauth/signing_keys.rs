//! Signing keys: every algorithm for whoever asks for it, new ones in time, and one that is taken out
//! at once.

use castellan_proto::jose::Algorithm;
use serde_json::json;

use crate::{
    operations::nodes::{config, within_the_bound},
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{Asking, PORTAL, RESOURCE_SERVER, text},
        jose::{header, proven},
    },
};

const SVC: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "s3cr3t-svc")];

async fn token(castellan: &Castellan) -> String {
    let answer = castellan.token(&SVC).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.json(), "access_token").to_owned()
}

async fn holds(castellan: &Castellan, token: &str) -> bool {
    let pairs = [&RESOURCE_SERVER[..], &[("token", token)]].concat();
    let ask = crate::support::wire::Ask::post(&castellan.at("/auth/introspect")).form(&pairs);
    ask.send().await.json()["active"] == true
}

#[tokio::test]
async fn every_algorithm_signs_for_the_client_that_asks_for_it() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let jwks = "/.well-known/jwks.json";
    for algorithm in Algorithm::ASYMMETRIC {
        let portal = castellan.said(&["get", "Client", "portal", "--format", "json"]);
        let mut portal: serde_json::Value = serde_json::from_str(&portal).unwrap();
        portal["access_token_signed_response_alg"] = json!(algorithm);
        portal["id_token_signed_response_alg"] = json!(algorithm);
        portal["secret"] = json!("s3cr3t-portal");
        portal["first_party"] = json!(true);
        let applied = castellan.cli_with(&["apply", "-f", "-"], &portal.to_string());
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let mut tokens = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
        within_the_bound("the client is another", async || {
            tokens = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
            header(text(&tokens, "access_token"))["alg"] == algorithm.as_str()
        })
        .await;
        for name in ["access_token", "id_token"] {
            let jwt = text(&tokens, name);
            assert_eq!(header(jwt)["alg"], algorithm.as_str(), "{name}");
            proven(&castellan, jwks, (jwt, algorithm)).await;
        }
        let userinfo = castellan.userinfo(text(&tokens, "access_token")).await;
        assert_eq!(userinfo.status, 200, "{userinfo:?}");
        // One kind each (`docs/rules.md` rule 26): never by the same key.
        let kid = |name: &str| header(text(&tokens, name))["kid"].clone();
        assert_ne!(kid("access_token"), kid("id_token"));
    }
}

#[tokio::test]
async fn a_key_that_is_retired_signed_nothing_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("shared.db").display());
    let config = config(&url);
    let issuer = format!("http://localhost:{}", crate::support::castellan::free_port());
    let plan = |documents: &str| Plan {
        config: config.clone(),
        documents: documents.to_owned(),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        issuer: Some(issuer.clone()),
        ..Plan::default()
    };
    let one = Castellan::start(plan(crate::support::fixtures::DOCUMENTS)).await;
    let two = Castellan::start(plan("")).await;
    let before = token(&one).await;
    assert!(holds(&one, &before).await && holds(&two, &before).await);
    let kid = header(&before)["kid"].as_str().unwrap().to_owned();
    let unknown = one.cli(&["key", "retire", "nobody"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no signing key has that id"));
    let said = one.said(&["key", "retire", &kid]);
    assert!(!said.contains(&kid), "{said}");
    for node in [&one, &two] {
        for _ in 0..80 {
            if !holds(node, &before).await {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert!(!holds(node, &before).await, "it still holds at a node");
        let after = token(node).await;
        assert_ne!(header(&after)["kid"], kid.as_str(), "another one signs in its place");
        assert!(holds(&one, &after).await && holds(&two, &after).await);
    }
}

#[tokio::test]
async fn new_keys_come_in_time_and_without_a_gap() {
    let mut castellan = Castellan::start(Plan {
        config: "[tokens]\nrotate_keys = \"30d\"\n".to_owned(),
        documents: crate::support::fixtures::DOCUMENTS.to_owned(),
        ..Plan::default()
    })
    .await;
    let kid = header(&token(&castellan).await)["kid"].clone();
    let month = 30 * 86_400;
    castellan.advance_to(month - 60);
    castellan.restart().await;
    assert_eq!(header(&token(&castellan).await)["kid"], kid, "not yet");
    castellan.advance_to(month + 60);
    castellan.restart().await;
    for _ in 0..80 {
        if castellan.said(&["key", "list"]).contains("signs in") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let last = token(&castellan).await;
    assert_eq!(
        header(&last)["kid"],
        kid,
        "those of before sign until everybody knows the new ones"
    );
    castellan.advance_to(month + 60 + 400);
    let next = token(&castellan).await;
    assert_ne!(header(&next)["kid"], kid);
    assert!(holds(&castellan, &last).await && holds(&castellan, &next).await);
}
