//! Passkeys, used: who it is, counted before it is checked, once with each counter.

#[path = "../../../../../tests/support/authenticator.rs"]
pub(super) mod authenticator;

use std::sync::Arc;

use authenticator::{Authenticator, Lies, UP_UV, encoded};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::{
    Settings,
    error::OAuthError,
    management::accounts::{AccountError, Actor},
    managers::Allowed,
    records::Account,
    settings::RelyingParty,
};
use serde_json::{Value, json};

use crate::{
    harness::{Harness, ISSUER, Plot, Tab},
    races::race,
};

async fn harness() -> Arc<Harness> {
    let party =
        RelyingParty { id: "id.castellan.test".to_owned(), origins: vec![ISSUER.to_owned()] };
    let settings = Settings { passkeys: Some(party), ..Settings::default() };
    Arc::new(Harness::with(Plot { settings, ..Plot::default() }).await)
}

async fn start(harness: &Harness, account: &str) -> Result<(String, Value), AccountError> {
    let begun = harness.issuer.start_passkey(&Actor::default(), account, "Key").await?;
    let options = begun["credentialOptionsJson"].as_str().unwrap();
    let options: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(options).unwrap()).unwrap();
    Ok((begun["state"].as_str().unwrap().to_owned(), options["publicKey"].clone()))
}

async fn complete(
    harness: &Harness,
    (account, state): (&str, &str),
    response: &Value,
) -> Result<(), AccountError> {
    let response = encoded(response.to_string().as_bytes());
    harness.issuer.complete_passkey(&Actor::default(), account, state, &response).await
}

async fn register(harness: &Harness, account: &str, authenticator: &mut Authenticator) {
    let (state, options) = start(harness, account).await.unwrap();
    let response = authenticator.create(&options, &Lies::none(ISSUER));
    complete(harness, (account, &state), &response).await.unwrap();
}

/// What a page asks, and the challenge in it.
struct Request {
    challenge: String,
    options: Value,
}

fn request(harness: &Harness) -> Request {
    let challenge = encoded(&castellan_proto::random::<32>());
    let options = harness.issuer.passkey_request(None, &challenge).unwrap();
    Request { challenge, options }
}

/// Whom `authenticator` proves to the page of `harness`, about which `lies` lies.
async fn used(
    harness: &Harness,
    (authenticator, lies): (&mut Authenticator, &Lies),
    expected: Option<&str>,
) -> Result<Option<String>, OAuthError> {
    let request = request(harness);
    let response = authenticator.get(&request.options, lies).to_string();
    let browser = Tab::new().browser();
    let challenge = &*request.challenge;
    Ok(harness
        .issuer
        .check_passkey(challenge, &response, expected, &browser)
        .await?
        .map(|stored| stored.id))
}

/// The devices of an account, by its record.
macro_rules! devices {
    ($harness:expr, $id:expr) => {{
        let now = $harness.issuer.now();
        let stored = $harness.issuer.repository().get::<Account>($id, now).await.unwrap();
        stored.unwrap().body.attached.devices.clone()
    }};
}

#[tokio::test]
async fn a_passkey_proves_whose_it_is() {
    let harness = harness().await;
    let truth = Lies::none(ISSUER);
    for algorithm in [-7, -8, -257] {
        let mut authenticator = Authenticator::new(algorithm);
        register(&harness, "ada-1", &mut authenticator).await;
        for expected in [None, Some("ada-1")] {
            let proven = used(&harness, (&mut authenticator, &truth), expected).await.unwrap();
            assert_eq!(proven.as_deref(), Some("ada-1"));
        }
        let other = used(&harness, (&mut authenticator, &truth), Some("bob-1")).await.unwrap();
        assert_eq!(other, None);
    }
    let mut stranger = Authenticator::new(-7);
    let mut options = start(&harness, "bob-1").await.unwrap().1;
    stranger.create(&options, &truth);
    assert_eq!(used(&harness, (&mut stranger, &truth), None).await.unwrap(), None);
    // Who has to be known is asked for their own passkeys; an authenticator that names nobody will do.
    let now = harness.issuer.now();
    let ada = harness.issuer.repository().get::<Account>("ada-1", now).await.unwrap().unwrap();
    options = harness.issuer.passkey_request(Some(&ada.body), "AAAA").unwrap();
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 3);
    assert_eq!(options["userVerification"], "required");
}

#[tokio::test]
async fn an_authenticator_that_names_nobody_proves_only_who_is_expected() {
    let harness = harness().await;
    let mut authenticator = Authenticator::new(-7);
    register(&harness, "ada-1", &mut authenticator).await;
    for (expected, proven) in [(None, None), (Some("ada-1"), Some("ada-1"))] {
        let request = request(&harness);
        let mut response = authenticator.get(&request.options, &Lies::none(ISSUER));
        response["response"]["userHandle"] = Value::Null;
        let (response, browser) = (response.to_string(), Tab::new().browser());
        let challenge = &*request.challenge;
        let found =
            harness.issuer.check_passkey(challenge, &response, expected, &browser).await.unwrap();
        assert_eq!(found.map(|stored| stored.id).as_deref(), proven);
    }
}

#[tokio::test]
async fn a_use_that_is_not_right_proves_nothing() {
    let harness = harness().await;
    let mut authenticator = Authenticator::new(-7);
    register(&harness, "ada-1", &mut authenticator).await;
    let lies: [fn(&mut Lies); 8] = [
        |lies| lies.origin = "https://evil.test".to_owned(),
        |lies| lies.rp_id = Some("evil.test".to_owned()),
        |lies| lies.challenge = Some(encoded(&[0; 32])),
        |lies| lies.challenge = Some(String::new()),
        |lies| lies.kind = Some("webauthn.create"),
        |lies| lies.flags = 0x01,
        |lies| lies.flags = UP_UV | 0x08,
        |lies| lies.signs_wrongly = true,
    ];
    for lie in lies {
        let mut told = Lies::none(ISSUER);
        lie(&mut told);
        let proven = used(&harness, (&mut authenticator, &told), None).await.unwrap();
        assert_eq!(proven, None, "{told:?}");
    }
    let browser = Tab::new().browser();
    for unreadable in ["", "{}", "[]", "\u{0}"] {
        let challenge = &*encoded(&[7; 32]);
        let proven =
            harness.issuer.check_passkey(challenge, unreadable, None, &browser).await.unwrap();
        assert!(proven.is_none(), "{unreadable:?}");
    }
    let truth = Lies::none(ISSUER);
    assert!(used(&harness, (&mut authenticator, &truth), None).await.unwrap().is_some());
}

/// Rule 48: a right one after too many wrong ones has to wait.
#[tokio::test]
async fn attempts_are_counted_before_they_are_checked() {
    let harness = harness().await;
    let mut authenticator = Authenticator::new(-7);
    register(&harness, "ada-1", &mut authenticator).await;
    let wrong = Lies { signs_wrongly: true, ..Lies::none(ISSUER) };
    for _ in 0..10 {
        assert_eq!(used(&harness, (&mut authenticator, &wrong), None).await.unwrap(), None);
    }
    let truth = Lies::none(ISSUER);
    let right = used(&harness, (&mut authenticator, &truth), None).await;
    assert!(matches!(right, Err(OAuthError::Throttled(_))), "{right:?}");
    harness.later(3_600);
    let proven = used(&harness, (&mut authenticator, &truth), None).await.unwrap();
    assert_eq!(proven.as_deref(), Some("ada-1"));
}

#[tokio::test]
async fn neither_an_inactive_account_nor_an_expired_or_deleted_passkey_proves_anything() {
    let harness = harness().await;
    let truth = Lies::none(ISSUER);
    let mut authenticator = Authenticator::new(-7);
    register(&harness, "ada-1", &mut authenticator).await;
    harness.edit("ada-1", |document| document["active"] = json!(false)).await;
    assert_eq!(used(&harness, (&mut authenticator, &truth), None).await.unwrap(), None);
    // A document says nothing of devices, so that they stay.
    harness.edit("ada-1", |_| {}).await;
    assert!(used(&harness, (&mut authenticator, &truth), None).await.unwrap().is_some());
    let device = devices!(harness, "ada-1")[0].device_id.clone();
    let ends = json!({"expiresAt": harness.issuer.now().0 + 1});
    let nobody = Actor::default();
    harness
        .issuer
        .update_device(&nobody, "ada-1", &device, ends.as_object().unwrap())
        .await
        .unwrap();
    assert!(used(&harness, (&mut authenticator, &truth), None).await.unwrap().is_some());
    harness.later(1);
    assert_eq!(used(&harness, (&mut authenticator, &truth), None).await.unwrap(), None);
    assert!(harness.issuer.delete_device(&nobody, "ada-1", &device, Allowed::ALL).await.unwrap());
    assert_eq!(used(&harness, (&mut authenticator, &truth), None).await.unwrap(), None);
}

/// What an authenticator with a counter says counts once, also at the same moment and on two nodes.
#[tokio::test(flavor = "multi_thread")]
async fn of_uses_with_one_counter_one_counts() {
    let harness = harness().await;
    let mut authenticator = Authenticator::new(-7);
    authenticator.counter = 1;
    register(&harness, "ada-1", &mut authenticator).await;
    let request = request(&harness);
    let response = authenticator.get(&request.options, &Lies::none(ISSUER)).to_string();
    let uses = race(&harness, move |harness, _| {
        let (challenge, response) = (request.challenge.clone(), response.clone());
        async move {
            let proven = harness
                .issuer
                .check_passkey(&challenge, &response, None, &Tab::new().browser())
                .await;
            proven.is_ok_and(|stored| stored.is_some())
        }
    });
    assert_eq!(uses.into_iter().filter(|used| *used).count(), 1);
    assert_eq!(devices!(harness, "ada-1")[0].passkey.as_ref().unwrap().sign_count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_registrations_one_succeeds() {
    let harness = harness().await;
    let (state, options) = start(&harness, "ada-1").await.unwrap();
    let response = Authenticator::new(-7).create(&options, &Lies::none(ISSUER));
    let all = race(&harness, move |harness, _| {
        let (state, response) = (state.clone(), response.clone());
        async move { complete(&harness, ("ada-1", &state), &response).await.is_ok() }
    });
    assert_eq!(all.into_iter().filter(|done| *done).count(), 1);
    assert_eq!(devices!(harness, "ada-1").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_two_accounts_register_at_once_belongs_to_one() {
    let harness = harness().await;
    let mut authenticator = Authenticator::new(-7);
    let mut begun = Vec::new();
    for account in ["ada-1", "bob-1"] {
        let (state, options) = start(&harness, account).await.unwrap();
        let response = authenticator.create(&options, &Lies::none(ISSUER));
        begun.push((account, state, response));
    }
    let begun = Arc::new(begun);
    let all = race(&harness, move |harness, racer| {
        let begun = Arc::clone(&begun);
        async move {
            let (account, state, response) = &begun[racer % 2];
            complete(&harness, (account, state), response).await.is_ok()
        }
    });
    assert_eq!(all.into_iter().filter(|done| *done).count(), 1);
    let owned = devices!(harness, "ada-1").len() + devices!(harness, "bob-1").len();
    assert_eq!(owned, 1);
}

/// `docs/security-cases.md` row 19: an expired passkey that somebody else lets live again signs in.
#[tokio::test]
async fn whoever_is_not_in_all_groups_of_a_person_changes_none_of_their_passkeys() {
    let harness = harness().await;
    register(&harness, "ada-1", &mut Authenticator::new(-7)).await;
    harness.edit("ada-1", |document| document["groups"] = json!([{"value": "staff"}])).await;
    let device = devices!(harness, "ada-1")[0].device_id.clone();
    let nobody = Actor::default();
    for fields in [json!({"expiresAt": 1}), json!({"expiresAt": null}), json!({"alias": "other"})] {
        let said = harness
            .issuer
            .update_device(&nobody, "ada-1", &device, fields.as_object().unwrap())
            .await;
        assert!(matches!(said, Err(AccountError::Denied(_))), "{fields}: {said:?}");
    }
    let said = harness.issuer.delete_device(&nobody, "ada-1", &device, Allowed::ALL).await;
    assert!(matches!(said, Err(AccountError::Denied(_))), "{said:?}");
    assert!(
        harness
            .issuer
            .delete_device(&Actor::operator(), "ada-1", &device, Allowed::ALL)
            .await
            .unwrap()
    );
}
