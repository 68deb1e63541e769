//! The ring of signing keys (`docs/rules.md` rules 45 and 46).

use castellan_issuer::{
    Issuer,
    keys::{KeyringError, MasterKey},
    resources::{ApplyError, Mode, ResourceKind},
    store::{Kind, Notice, Store as _},
};
use castellan_proto::jose::Compact;
use serde_json::json;

use crate::{
    faulty_store::{Extent, Moment, Plan},
    harness::{Harness, all, documents},
};

/// Leads, as `docs/rules.md` rule 45 asks: JWKS max-age, the bound of the feed, and clocks.
const LEAD: u64 = 330;
const DAY: u64 = 86_400;

async fn token(harness: &Harness) -> String {
    let answer = harness.ask("robot", &[("grant_type", "client_credentials")]).await;
    answer.unwrap().access_token
}

fn kid(token: &str) -> String {
    Compact::read(token).unwrap().header().kid.clone().unwrap()
}

fn published(harness: &Harness) -> Vec<String> {
    let jwks = harness.issuer.keyring().jwks(harness.issuer.now());
    jwks.keys.into_iter().map(|key| key.kid.unwrap()).collect()
}

#[tokio::test]
async fn a_key_is_published_then_signs_then_verifies_then_is_dropped() {
    let harness = Harness::new().await;
    harness
        .edit("robot", |robot| {
            robot["auth"] = json!({"client_credentials": {"access_token_expiration": 3 * DAY}});
        })
        .await;
    let old = kid(&token(&harness).await);
    assert_eq!(published(&harness).len(), 3);
    harness.issuer.rotate_keys().await.unwrap();
    assert_eq!(published(&harness).len(), 6, "the new ones are published at once");

    harness.later(LEAD - 1);
    let last = token(&harness).await;
    assert_eq!(kid(&last), old, "and do not sign until everybody knows them");
    harness.later(1);
    let first = token(&harness).await;
    assert_ne!(kid(&first), old);
    assert!(published(&harness).contains(&kid(&first)) && published(&harness).contains(&old));
    assert!(harness.holds(&last).await);

    harness.later(3 * DAY - 2);
    assert!(harness.again().await.holds(&last).await, "to its last second");
    harness.later(31);
    assert!(!harness.again().await.holds(&last).await);
    assert!(published(&harness).contains(&old), "until nothing that it signed can be good");
    harness.later(1);
    assert!(!published(&harness).contains(&old));
    let first = token(&harness).await;
    assert!(harness.holds(&first).await);
    harness.issuer.rotate_keys().await.unwrap();
    assert_eq!(harness.issuer.keyring().keys().len(), 8, "what was dropped is forgotten");
}

#[tokio::test]
async fn some_key_signs_at_every_moment_however_often_they_are_rotated() {
    let harness = Harness::new().await;
    for _ in 0..3 {
        harness.issuer.rotate_keys().await.unwrap();
        for _ in 0..3 {
            harness.later(110);
            let token = token(&harness).await;
            assert!(published(&harness).contains(&kid(&token)));
            assert!(harness.holds(&token).await);
        }
    }
}

/// What an app's tokens live for may be changed while their key is on its way out.
#[tokio::test]
async fn a_key_is_kept_for_a_life_that_was_lengthened_before_its_last_signature() {
    let harness = Harness::new().await;
    harness.issuer.rotate_keys().await.unwrap();
    let month = json!({"client_credentials": {"access_token_expiration": 30 * DAY}});
    harness.edit("robot", |robot| robot["auth"] = month).await;
    let issued = token(&harness).await;
    harness.later(30 * DAY - 1);
    assert!(harness.again().await.holds(&issued).await, "to its last second");
    harness.later(1 + LEAD + 30);
    assert!(!published(&harness).contains(&kid(&issued)));
}

/// An app reads the keys when it starts, and an ID token by another one is none to it.
#[tokio::test]
async fn what_an_app_is_to_get_is_signed_by_a_key_that_was_published_with_the_app() {
    let harness = Harness::new().await;
    let mut document = documents().into_iter().find(|document| document["id"] == "own").unwrap();
    document["id_token_signed_response_alg"] = json!("EdDSA");
    document["access_token_signed_response_alg"] = json!("PS256");
    document["userinfo_signed_response_alg"] = json!("ES256");
    // Which a public one cannot ask for.
    let mut other = documents().into_iter().find(|document| document["id"] == "shop").unwrap();
    other["introspection_signed_response_alg"] = json!("ES256");
    let before = published(&harness).len();
    harness.issuer.apply(document.clone(), Mode::DryRun).await.unwrap();
    assert_eq!(published(&harness).len(), before, "nothing was written");
    harness.apply(document).await;
    harness.apply(other).await;
    let known = published(&harness);
    assert_eq!(known.len(), before + 4);
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("own", &tab, &[("scope", "openid")]).await;
    let tokens = harness.redeem("own", &code).await.unwrap();
    for token in [tokens.id_token.unwrap(), tokens.access_token] {
        assert!(known.contains(&kid(&token)), "it was not published before it signed");
    }
    assert_eq!(published(&harness).len(), known.len());
    harness.apply(documents().remove(2)).await;
    assert_eq!(published(&harness).len(), known.len(), "one key for all who ask for it");
}

#[tokio::test]
async fn another_node_takes_over_new_keys_at_a_notice() {
    let (harness, mut told) = (Harness::new().await, Vec::new());
    let other = harness.again().await;
    let cursor = other.issuer.liveness().poll(&*other.store, None, |_| {}).await.unwrap().cursor;
    harness.issuer.rotate_keys().await.unwrap();
    let heard = |subject: &str| told.push(other.issuer.is_keyring(subject));
    other.issuer.liveness().poll(&*other.store, Some(&cursor), heard).await.unwrap();
    assert_eq!(told, [true]);
    other.issuer.reload_keys().await.unwrap();
    harness.later(LEAD);
    assert!(other.holds(&token(&harness).await).await);
}

#[tokio::test]
async fn a_ring_of_another_master_key_refuses_to_open_and_nothing_is_made_beside_it() {
    let harness = Harness::new().await;
    let before = all(&harness.issuer, Kind::Keyring).await;
    let mut parts = harness.parts();
    parts.master = MasterKey::generate();
    let opened = Issuer::open(parts).await;
    assert!(matches!(opened, Err(KeyringError::Sealed)));
    assert_eq!(all(&harness.issuer, Kind::Keyring).await, before);
}

#[tokio::test]
async fn a_ring_that_cannot_be_read_is_not_replaced() {
    let harness = Harness::new().await;
    harness.store.arm(Plan { verb: 1, moment: Moment::Before, extent: Extent::Once });
    assert!(matches!(Issuer::open(harness.parts()).await, Err(KeyringError::Store(_))));
    assert_eq!(harness.store.verbs(), ["get_many"]);
}

#[tokio::test]
async fn no_private_key_is_readable_in_the_store() {
    let harness = Harness::new().await;
    let ring = all(&harness.issuer, Kind::Keyring).await.remove(0).body;
    let ring: serde_json::Value = serde_json::from_slice(&ring).unwrap();
    for key in ring["keys"].as_array().unwrap() {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let sealed = URL_SAFE_NO_PAD.decode(key["pkcs8"].as_str().unwrap()).unwrap();
        // A PKCS#8 document begins with a DER sequence and an integer 0 or 1.
        assert!(!sealed.windows(3).any(|window| window == [0x02, 0x01, 0x00]) || sealed[0] != 0x30);
        let alg = if key["alg"] == "ES256" {
            castellan_proto::jose::Algorithm::Es256
        } else {
            castellan_proto::jose::Algorithm::Rs256
        };
        assert!(castellan_proto::jose::SigningKey::from_pkcs8(alg, &sealed).is_err());
    }
}

/// The ring as it is kept.
async fn ring(harness: &Harness) -> serde_json::Value {
    serde_json::from_slice(&all(&harness.issuer, Kind::Keyring).await[0].body).unwrap()
}

#[tokio::test]
async fn nothing_is_put_in_the_ring_that_an_older_build_could_not_read() {
    let harness = Harness::new().await;
    let record = all(&harness.issuer, Kind::Keyring).await.remove(0);
    harness.store.delete(&record.key, None, Notice::Silent, harness.issuer.now()).await.unwrap();
    harness.store.admit_older(true);
    let harness = harness.again().await;
    let made = ring(&harness).await;
    assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    let mut document = documents().remove(2);
    document["backchannel_logout_uri"] = json!("https://portal.example/gone");

    let refused = harness.issuer.apply(document.clone(), Mode::Write).await.unwrap_err();
    assert!(refused.to_string().contains("`castellan migrate --finish`"), "{refused}");
    assert!(matches!(harness.issuer.reseal_keys().await, Err(KeyringError::Older)));
    assert_eq!(ring(&harness).await, made, "nothing was changed");
    let client = harness.issuer.describe(ResourceKind::CLIENT, "own").await.unwrap().unwrap();
    assert_eq!(client.get("backchannel_logout_uri"), None);

    // Whoever cannot tell does not write it either.
    harness.store.admit_older(false);
    for verb in 1.. {
        harness.store.arm(Plan { verb, moment: Moment::Before, extent: Extent::Once });
        let done = harness.issuer.apply(document.clone(), Mode::Write).await;
        let (failed, verbs) = (harness.store.failed(), harness.store.verbs());
        harness.store.arm(None);
        if !failed {
            break;
        }
        assert!(matches!(done, Err(ApplyError::Store(_))), "{verbs:?}: {done:?}");
        if verbs.last() == Some(&"admits_older") {
            assert_eq!(ring(&harness).await, made, "{verbs:?}");
        }
    }
    harness.apply(document).await;
    harness.issuer.reseal_keys().await.unwrap();
    let now = ring(&harness).await;
    assert!(now["root"].is_string());
    assert!(now["keys"].as_array().unwrap().iter().any(|key| key["usage"] == "logout"));
}
