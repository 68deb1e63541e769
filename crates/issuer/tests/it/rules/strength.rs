//! What an app asks of a sign-in: as a wish (`acr_values`), and as a condition (`require_second_factor`).

use castellan_issuer::{
    authorization::{
        next::{Answer, FlowError, Next, SignInOutcome},
        request::AuthorizeError,
    },
    request::params::Params,
    resources::Mode,
};
use castellan_proto::ErrorCode;
use serde_json::json;

use super::{
    passkey_sign_in::{asked, form, harness},
    passkeys::authenticator::Lies,
};
use crate::harness::{Harness, ISSUER, PASSWORD, Tab, documents, login_flow, params};

const WISH: (&str, &str) = ("acr_values", "urn:unknown urn:castellan:acr:passkey");

fn password() -> Params {
    params(&[("username", "ada"), ("password", PASSWORD)])
}

/// Signs in to the flow that begins for `client`, in `tab`, which has the session then.
async fn sign_in(harness: &Harness, client: &str, form: &Params, tab: &mut Tab) -> Next {
    let flow = login_flow(harness.begin(client, tab, &[WISH]).await.unwrap());
    match harness.issuer.sign_in(&flow, form, &tab.browser()).await.unwrap() {
        SignInOutcome::Yes(cookie, next) => {
            tab.session = Some(cookie.text());
            next
        }
        _ => panic!("the form is right"),
    }
}

#[tokio::test]
async fn a_wish_asks_once_more_whoever_can_fulfil_it() {
    let (harness, mut authenticator) = harness().await;
    let mut tab = harness.tab_of("ada-1").await;
    // She is signed in by a password, and has a passkey: she is asked, and a password will do.
    let next = sign_in(&harness, "own", &password(), &mut tab).await;
    assert!(matches!(next, Next::Go(_)), "{next:?}");
    // Consent is no reason to be asked again.
    let next = sign_in(&harness, "shop", &password(), &mut tab).await;
    let Next::Consent(flow) = next else { panic!("{next:?}") };
    let next = harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap();
    assert!(matches!(next, Next::Go(_)), "{next:?}");
    // In silence, nobody is asked.
    let silent = harness.begin("own", &tab, &[WISH, ("prompt", "none")]).await.unwrap();
    assert!(matches!(silent, Next::Go(_)), "{silent:?}");
    // Whoever has shown one is not asked, nor is whoever has none.
    let flow = login_flow(harness.begin("own", &tab, &[WISH]).await.unwrap());
    let used = authenticator.get(&asked(&harness, &flow), &Lies::none(ISSUER));
    let done = harness.issuer.sign_in(&flow, &form(&used), &tab.browser()).await.unwrap();
    let SignInOutcome::Yes(cookie, _) = done else { panic!("it is right") };
    tab.session = Some(cookie.text());
    let next = harness.begin("own", &tab, &[WISH]).await.unwrap();
    assert!(matches!(next, Next::Go(_)), "{next:?}");
    let bob = harness.tab_of("bob-1").await;
    let next = harness.begin("own", &bob, &[WISH]).await.unwrap();
    assert!(matches!(next, Next::Go(_)), "{next:?}");
}

/// `unmet_authentication_requirements`, for the app.
fn is_unmet(outcome: &Result<SignInOutcome, FlowError>) -> bool {
    let Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) = outcome else {
        return false;
    };
    *code == ErrorCode::UnmetAuthenticationRequirements
}

#[tokio::test]
async fn who_requires_a_second_factor_lets_nobody_in_by_a_password_alone() {
    let (harness, mut authenticator) = harness().await;
    harness.edit("own", |document| document["require_second_factor"] = json!(true)).await;
    let mut tab = harness.tab_of("ada-1").await;
    let silent = harness.begin("own", &tab, &[("prompt", "none")]).await;
    let Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) = silent else {
        panic!("{silent:?}")
    };
    assert_eq!(code, ErrorCode::LoginRequired);
    // Being signed in by a password is not enough, and neither is doing it again.
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let again = harness.issuer.sign_in(&flow, &password(), &tab.browser()).await;
    assert!(is_unmet(&again));
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let used = authenticator.get(&asked(&harness, &flow), &Lies::none(ISSUER));
    let done = harness.issuer.sign_in(&flow, &form(&used), &tab.browser()).await.unwrap();
    let SignInOutcome::Yes(cookie, Next::Go(_)) = done else { panic!("a passkey is enough") };
    tab.session = Some(cookie.text());
    assert!(matches!(harness.begin("own", &tab, &[]).await.unwrap(), Next::Go(_)));
    // A grant that could not ask for one is refused beside it.
    let mut document = documents().into_iter().find(|document| document["id"] == "own").unwrap();
    document["require_second_factor"] = json!(true);
    document["grant_types"] = json!(["authorization_code", "password"]);
    let refused = harness.issuer.apply(document, Mode::Write).await.unwrap_err().to_string();
    assert!(refused.contains("require_second_factor: the grant password"), "{refused}");
}
