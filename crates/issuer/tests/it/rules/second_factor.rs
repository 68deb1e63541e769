//! The second factor (`docs/second-factor.md`), below HTTP: a password alone opens nothing.

use castellan_issuer::{
    authorization::next::{Next, SignInOutcome},
    error::OAuthError,
    management::accounts::Actor,
    records::Account,
    secrets::totp::TotpKey,
    session::browser::Browser,
    sign_in::name_and_password::NameAndPassword,
};
use castellan_proto::{Secret, Timestamp};
use serde_json::Value;

use crate::harness::{Harness, PASSWORD, Tab, login_flow, params};

const TOTP: &str = "urn:castellan:acr:totp";

fn text<'a>(from: &'a Value, name: &str) -> &'a str {
    from[name].as_str().unwrap()
}

/// The key that is written as `text` (RFC 4648 §6).
fn key(text: &str) -> TotpKey {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = text.chars().flat_map(|letter| {
        let value = letters.find(letter).unwrap();
        (0..5).rev().map(move |bit| (value >> bit) & 1 == 1)
    });
    let bits: Vec<bool> = bits.collect();
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| (byte << 1) | u8::from(*bit));
    TotpKey::of(&bits.chunks_exact(8).map(byte).collect::<Vec<_>>())
}

/// Ada opts in to codes of an app, which has the key.
async fn opt_in(harness: &Harness) -> TotpKey {
    let (issuer, actor) = (&harness.issuer, Actor::operator());
    let begun = issuer.start_totp_device(&actor, "ada-1", "phone", "Castellan").await.unwrap();
    let key = key(text(&begun, "key"));
    let code = key.code_at(issuer.now());
    let state = text(&begun, "state");
    assert!(issuer.complete_totp_device(&actor, "ada-1", state, &code).await.unwrap());
    let begun = issuer.start_mfa_setup(&actor, "ada-1", &[TOTP]).await.unwrap();
    issuer.complete_mfa_setup(&actor, "ada-1", text(&begun, "state")).await.unwrap();
    key
}

#[tokio::test]
async fn case_17_a_password_alone_proves_nobody_who_opted_in() {
    let harness = Harness::new().await;
    let issuer = &harness.issuer;
    let (password, browser) = (Secret::new(PASSWORD.to_owned()), Browser::default());
    assert!(issuer.sign_in_with_password("Ada", &password).await.unwrap().is_some());
    opt_in(&harness).await;
    let needed = |error: Option<OAuthError>| matches!(error, Some(OAuthError::SecondFactorNeeded));
    for name in ["Ada", "ada-1", "ada@example.org"] {
        assert!(needed(issuer.sign_in_with_password(name, &password).await.err()), "{name}");
        assert!(needed(issuer.prove_by_password(name, &password, &browser).await.err()), "{name}");
        let typed = NameAndPassword { name, password: &password };
        assert!(needed(issuer.person_of_request(typed, None).await.err()), "{name}");
    }
    let wrong = Secret::new("another one".to_owned());
    assert!(issuer.sign_in_with_password("Ada", &wrong).await.unwrap().is_none(), "tells nothing");
    // Whoever forgot to ask gets no session, and none of before counts.
    let ada = issuer.repository().get::<Account>("ada-1", issuer.now()).await.unwrap().unwrap();
    let tab = Tab::new();
    assert!(issuer.open_session((ada.id, ada.body), &tab.browser()).await.is_err());
    let bob = issuer.sign_in_with_password("Bob", &password).await.unwrap();
    assert!(bob.is_some(), "nobody else is asked");
}

#[tokio::test]
async fn a_second_factor_is_taken_for_whom_it_was_asked() {
    let harness = Harness::new().await;
    let before = harness.tab_of("ada-1").await;
    let key = opt_in(&harness).await;
    assert!(!harness.knows(&before).await, "it began with a password alone");
    let tab = Tab::new();
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let SignInOutcome::Further(Next::SecondFactor(flow)) =
        harness.sign_in(&flow, "Ada", &tab).await.unwrap()
    else {
        panic!("she is asked for more")
    };
    let view = harness.issuer.view_flow(&flow, &tab.browser()).await.unwrap();
    let methods: Vec<_> = view.second_factors.unwrap().iter().map(|form| form.method).collect();
    assert_eq!(methods, ["totp", "recovery-code"]);
    let next = Timestamp(harness.issuer.now().0 + 30);
    let form = params(&[("code", &key.code_at(next))]);
    let other = Tab::new();
    let elsewhere = harness.issuer.show_second_factor(&flow, &form, &other.browser()).await;
    assert!(elsewhere.is_err(), "it is bound to its browser");
    let shown = harness.issuer.show_second_factor(&flow, &form, &tab.browser()).await.unwrap();
    let SignInOutcome::Yes(cookie, Next::Go(_)) = shown else { panic!("the code is right") };
    assert!(harness.knows(&tab.with(&cookie.text())).await);
}
