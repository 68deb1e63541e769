//! The ring of signing keys (`design.md` rules 45 and 46).

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
    house::{House, all, documents},
};

/// Leads, as `design.md` rule 45 asks: JWKS max-age, the bound of the feed, and clocks.
const LEAD: u64 = 330;
const DAY: u64 = 86_400;

async fn token(house: &House) -> String {
    let answer = house.ask("robot", &[("grant_type", "client_credentials")]).await;
    answer.unwrap().access_token
}

fn kid(token: &str) -> String {
    Compact::read(token).unwrap().header().kid.clone().unwrap()
}

fn published(house: &House) -> Vec<String> {
    let jwks = house.issuer.keyring().jwks(house.issuer.now());
    jwks.keys.into_iter().map(|key| key.kid.unwrap()).collect()
}

#[tokio::test]
async fn a_key_is_published_then_signs_then_verifies_then_is_dropped() {
    let house = House::new().await;
    house
        .edit("robot", |robot| {
            robot["auth"] = json!({"client_credentials": {"access_token_expiration": 3 * DAY}});
        })
        .await;
    let old = kid(&token(&house).await);
    assert_eq!(published(&house).len(), 3);
    house.issuer.rotate_keys().await.unwrap();
    assert_eq!(published(&house).len(), 6, "the new ones are published at once");

    house.later(LEAD - 1);
    let last = token(&house).await;
    assert_eq!(kid(&last), old, "and do not sign until everybody knows them");
    house.later(1);
    let first = token(&house).await;
    assert_ne!(kid(&first), old);
    assert!(published(&house).contains(&kid(&first)) && published(&house).contains(&old));
    assert!(house.holds(&last).await);

    house.later(3 * DAY - 2);
    assert!(house.again().await.holds(&last).await, "to its last second");
    house.later(31);
    assert!(!house.again().await.holds(&last).await);
    assert!(published(&house).contains(&old), "until nothing that it signed can be good");
    house.later(1);
    assert!(!published(&house).contains(&old));
    let first = token(&house).await;
    assert!(house.holds(&first).await);
    house.issuer.rotate_keys().await.unwrap();
    assert_eq!(house.issuer.keyring().keys().len(), 8, "what was dropped is forgotten");
}

#[tokio::test]
async fn some_key_signs_at_every_moment_however_often_they_are_rotated() {
    let house = House::new().await;
    for _ in 0..3 {
        house.issuer.rotate_keys().await.unwrap();
        for _ in 0..3 {
            house.later(110);
            let token = token(&house).await;
            assert!(published(&house).contains(&kid(&token)));
            assert!(house.holds(&token).await);
        }
    }
}

/// What an app's tokens live for may be changed while their key is on its way out.
#[tokio::test]
async fn a_key_is_kept_for_a_life_that_was_lengthened_before_its_last_signature() {
    let house = House::new().await;
    house.issuer.rotate_keys().await.unwrap();
    let month = json!({"client_credentials": {"access_token_expiration": 30 * DAY}});
    house.edit("robot", |robot| robot["auth"] = month).await;
    let issued = token(&house).await;
    house.later(30 * DAY - 1);
    assert!(house.again().await.holds(&issued).await, "to its last second");
    house.later(1 + LEAD + 30);
    assert!(!published(&house).contains(&kid(&issued)));
}

/// An app reads the keys when it starts, and an ID token by another one is none to it.
#[tokio::test]
async fn what_an_app_is_to_get_is_signed_by_a_key_that_was_published_with_the_app() {
    let house = House::new().await;
    let mut document = documents().into_iter().find(|document| document["id"] == "own").unwrap();
    document["id_token_signed_response_alg"] = json!("EdDSA");
    document["access_token_signed_response_alg"] = json!("PS256");
    document["userinfo_signed_response_alg"] = json!("ES256");
    document["introspection_signed_response_alg"] = json!("ES256");
    let before = published(&house).len();
    house.issuer.apply(document.clone(), Mode::DryRun).await.unwrap();
    assert_eq!(published(&house).len(), before, "nothing was written");
    house.apply(document).await;
    let known = published(&house);
    assert_eq!(known.len(), before + 4);
    let tab = house.tab_of("ada-1").await;
    let code = house.code("own", &tab, &[("scope", "openid")]).await;
    let tokens = house.redeem("own", &code).await.unwrap();
    for token in [tokens.id_token.unwrap(), tokens.access_token] {
        assert!(known.contains(&kid(&token)), "it was not published before it signed");
    }
    assert_eq!(published(&house).len(), known.len());
    house.apply(documents().remove(2)).await;
    assert_eq!(published(&house).len(), known.len(), "one key for all who ask for it");
}

#[tokio::test]
async fn another_node_takes_over_new_keys_at_a_notice() {
    let (house, mut told) = (House::new().await, Vec::new());
    let other = house.again().await;
    let cursor = other.issuer.liveness().poll(&*other.store, None, |_| {}).await.unwrap().cursor;
    house.issuer.rotate_keys().await.unwrap();
    let heard = |subject: &str| told.push(other.issuer.is_keyring(subject));
    other.issuer.liveness().poll(&*other.store, Some(&cursor), heard).await.unwrap();
    assert_eq!(told, [true]);
    other.issuer.reload_keys().await.unwrap();
    house.later(LEAD);
    assert!(other.holds(&token(&house).await).await);
}

#[tokio::test]
async fn a_ring_of_another_master_key_refuses_to_open_and_nothing_is_made_beside_it() {
    let house = House::new().await;
    let before = all(&house.issuer, Kind::Keyring).await;
    let mut parts = house.parts();
    parts.master = MasterKey::generate();
    let opened = Issuer::open(parts).await;
    assert!(matches!(opened, Err(KeyringError::Sealed)));
    assert_eq!(all(&house.issuer, Kind::Keyring).await, before);
}

#[tokio::test]
async fn a_ring_that_cannot_be_read_is_not_replaced() {
    let house = House::new().await;
    house.store.arm(Plan { verb: 1, moment: Moment::Before, extent: Extent::Once });
    assert!(matches!(Issuer::open(house.parts()).await, Err(KeyringError::Store(_))));
    assert_eq!(house.store.verbs(), ["get_many"]);
}

#[tokio::test]
async fn no_private_key_is_readable_in_the_store() {
    let house = House::new().await;
    let ring = all(&house.issuer, Kind::Keyring).await.remove(0).body;
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
async fn ring(house: &House) -> serde_json::Value {
    serde_json::from_slice(&all(&house.issuer, Kind::Keyring).await[0].body).unwrap()
}

#[tokio::test]
async fn nothing_is_put_in_the_ring_that_an_older_build_could_not_read() {
    let house = House::new().await;
    let record = all(&house.issuer, Kind::Keyring).await.remove(0);
    house.store.delete(&record.key, None, Notice::Silent, house.issuer.now()).await.unwrap();
    house.store.admit_older(true);
    let house = house.again().await;
    let made = ring(&house).await;
    assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    let mut document = documents().remove(2);
    document["backchannel_logout_uri"] = json!("https://portal.example/gone");

    let refused = house.issuer.apply(document.clone(), Mode::Write).await.unwrap_err();
    assert!(refused.to_string().contains("`castellan migrate --finish`"), "{refused}");
    assert!(matches!(house.issuer.reseal_keys().await, Err(KeyringError::Older)));
    assert_eq!(ring(&house).await, made, "nothing was changed");
    let client = house.issuer.describe(ResourceKind::Client, "own").await.unwrap().unwrap();
    assert_eq!(client.get("backchannel_logout_uri"), None);

    // Whoever cannot tell does not write it either.
    house.store.admit_older(false);
    for verb in 1.. {
        house.store.arm(Plan { verb, moment: Moment::Before, extent: Extent::Once });
        let done = house.issuer.apply(document.clone(), Mode::Write).await;
        let (failed, verbs) = (house.store.failed(), house.store.verbs());
        house.store.arm(None);
        if !failed {
            break;
        }
        assert!(matches!(done, Err(ApplyError::Store(_))), "{verbs:?}: {done:?}");
        if verbs.last() == Some(&"admits_older") {
            assert_eq!(ring(&house).await, made, "{verbs:?}");
        }
    }
    house.apply(document).await;
    house.issuer.reseal_keys().await.unwrap();
    let now = ring(&house).await;
    assert!(now["root"].is_string());
    assert!(now["keys"].as_array().unwrap().iter().any(|key| key["usage"] == "logout"));
}
