//! Signing in by a passkey, and showing one after a password.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::{
    Settings,
    authorization::next::{FlowError, Next, SignInOutcome},
    management::accounts::Actor,
    request::params::Params,
    settings::RelyingParty,
};
use serde_json::{Value, json};

use super::passkeys::authenticator::{Authenticator, Lies, encoded};
use crate::harness::{Harness, ISSUER, PASSWORD, Plot, Tab, login_flow, params};

const PASSKEY: &str = "urn:castellan:acr:passkey";

/// A place whose ada has a passkey.
pub(super) async fn harness() -> (Harness, Authenticator) {
    let party =
        RelyingParty { id: "id.castellan.test".to_owned(), origins: vec![ISSUER.to_owned()] };
    let settings = Settings { passkeys: Some(party), ..Settings::default() };
    let harness = Harness::with(Plot { settings, ..Plot::default() }).await;
    let nobody = Actor::default();
    let (state, options) = harness.issuer.begin_passkey_of(&nobody, "ada-1", "Key").await.unwrap();
    let mut authenticator = Authenticator::new(-7);
    let response = authenticator.create(&options, &Lies::none(ISSUER));
    let response = encoded(response.to_string().as_bytes());
    harness.issuer.complete_passkey(&nobody, "ada-1", &state, &response).await.unwrap();
    (harness, authenticator)
}

/// What the page of `flow` asks authenticators.
pub(super) fn asked(harness: &Harness, flow: &str) -> Value {
    let method = harness.issuer.sign_in_methods().find(|method| method.name() == "passkey");
    method.unwrap().request(&harness.issuer, flow).unwrap()
}

/// The form that the script sends.
pub(super) fn form(response: &Value) -> Params {
    params(&[("method", "passkey"), ("response", &response.to_string())])
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The claims of an ID token that begins with the sign-in of `tab`.
async fn told(harness: &Harness, tab: &Tab) -> Value {
    let code = harness.code("own", tab, &[]).await;
    claims(&harness.redeem("own", &code).await.unwrap().id_token.unwrap())
}

#[tokio::test]
async fn a_passkey_signs_in_once_and_only_where_it_was_asked_for() {
    let (harness, mut authenticator) = harness().await;
    let mut tab = Tab::new();
    let other = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let options = asked(&harness, &flow);
    assert_ne!(options["challenge"], asked(&harness, &other)["challenge"]);
    assert_eq!(
        options["challenge"],
        asked(&harness, &flow)["challenge"],
        "a reload changes nothing"
    );
    assert_eq!(options.get("allowCredentials"), None, "it tells nothing of anybody");
    let response = authenticator.get(&options, &Lies::none(ISSUER));
    // Neither in another flow of the same browser, nor in another browser.
    let elsewhere = harness.issuer.sign_in(&other, &form(&response), &tab.browser()).await.unwrap();
    assert!(matches!(elsewhere, SignInOutcome::No(_)));
    let stranger = harness.issuer.sign_in(&flow, &form(&response), &Tab::new().browser()).await;
    assert!(matches!(stranger, Err(FlowError::Expired)));
    let signed_in = harness.issuer.sign_in(&flow, &form(&response), &tab.browser()).await.unwrap();
    let SignInOutcome::Yes(cookie, _) = signed_in else { panic!("it is right") };
    let again = harness.issuer.sign_in(&flow, &form(&response), &tab.browser()).await;
    assert!(matches!(again, Err(FlowError::Expired)), "once");
    tab.session = Some(cookie.text());
    let token = told(&harness, &tab).await;
    assert_eq!(token["sub"], "ada-1");
    assert_eq!(token["amr"], json!(["pop", "user", "mfa"]));
    assert_eq!(token["acr"], PASSKEY);
}

/// It is two factors in one, so that nobody is asked for another one.
#[tokio::test]
async fn a_passkey_is_asked_for_after_a_password_and_is_enough_by_itself() {
    let (harness, mut authenticator) = harness().await;
    let (issuer, actor) = (&harness.issuer, Actor::operator());
    let begun = issuer.start_mfa_setup(&actor, "ada-1", &[PASSKEY]).await.unwrap();
    let state = begun["state"].as_str().unwrap();
    issuer.complete_mfa_setup(&actor, "ada-1", state).await.unwrap();
    let mut tab = Tab::new();
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let typed = params(&[("username", "ada"), ("password", PASSWORD)]);
    let half = issuer.sign_in(&flow, &typed, &tab.browser()).await.unwrap();
    let SignInOutcome::Further(Next::SecondFactor(flow)) = half else { panic!("a password alone") };
    let view = issuer.view_flow(&flow, &tab.browser()).await.unwrap();
    let forms = view.second_factors.unwrap();
    assert_eq!(
        forms.iter().map(|form| form.method).collect::<Vec<_>>(),
        ["passkey", "recovery-code"]
    );
    let options = forms[0].request.clone().unwrap();
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1);
    let wrong = Lies { signs_wrongly: true, ..Lies::none(ISSUER) };
    let response = authenticator.get(&options, &wrong);
    let refused = issuer.show_second_factor(&flow, &form(&response), &tab.browser()).await.unwrap();
    assert!(matches!(refused, SignInOutcome::No(_)));
    let response = authenticator.get(&options, &Lies::none(ISSUER));
    let done = issuer.show_second_factor(&flow, &form(&response), &tab.browser()).await.unwrap();
    let SignInOutcome::Yes(cookie, _) = done else { panic!("it is right") };
    tab.session = Some(cookie.text());
    let token = told(&harness, &tab).await;
    assert_eq!(token["amr"], json!(["pwd", "pop", "user", "mfa"]));
    assert_eq!(token["acr"], PASSKEY);

    let mut tab = Tab::new();
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let response = authenticator.get(&asked(&harness, &flow), &Lies::none(ISSUER));
    let done = issuer.sign_in(&flow, &form(&response), &tab.browser()).await.unwrap();
    let SignInOutcome::Yes(cookie, _) = done else { panic!("a passkey is enough") };
    tab.session = Some(cookie.text());
    assert_eq!(told(&harness, &tab).await["acr"], PASSKEY);
    // The last passkey stays as long as it is asked for.
    let device = castellan_issuer::records::Passkey::device_id(&authenticator.id);
    let all = castellan_issuer::managers::Allowed::ALL;
    assert!(issuer.delete_device(&actor, "ada-1", &device, all).await.is_err());
}

#[tokio::test]
async fn without_passkeys_there_is_no_such_way() {
    let harness = Harness::new().await;
    assert!(harness.issuer.sign_in_methods().all(|method| method.name() != "passkey"));
    let tab = Tab::new();
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let outcome = harness.issuer.sign_in(&flow, &form(&json!({})), &tab.browser()).await;
    assert!(matches!(outcome, Err(FlowError::Expired)));
    let begun = harness.issuer.start_mfa_setup(&Actor::operator(), "ada-1", &[PASSKEY]).await;
    assert!(begun.is_err());
}
