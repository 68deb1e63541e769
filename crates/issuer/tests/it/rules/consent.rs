//! Consent (`docs/rules.md` rule 35) and what binds it to a browser and a person.

use castellan_issuer::{
    authorization::{
        next::{Answer, FlowError, Next, SignInOutcome},
        request::AuthorizeError,
    },
    error::OAuthError,
    resources::ResourceKind,
};
use castellan_proto::ErrorCode;

use crate::harness::{Harness, Plot, Tab, consent_flow, gone, login_flow};

fn refused(next: Result<Next, FlowError>) -> ErrorCode {
    match next {
        Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) => code,
        other => panic!("{other:?}"),
    }
}

async fn agree(harness: &Harness, client: &str, tab: &Tab, more: &[(&str, &str)]) {
    let flow = consent_flow(harness.begin(client, tab, more).await.unwrap());
    gone(harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap());
}

#[tokio::test]
async fn the_first_party_is_not_asked_for() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    gone(harness.begin("own", &tab, &[]).await.unwrap());
    consent_flow(harness.begin("own", &tab, &[("prompt", "consent")]).await.unwrap());
}

#[tokio::test]
async fn a_public_third_party_is_asked_for_every_time() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    for _ in 0..3 {
        agree(&harness, "phone", &tab, &[]).await;
    }
    let next = harness.begin("phone", &tab, &[("prompt", "none")]).await;
    assert_eq!(refused(next), ErrorCode::ConsentRequired);
}

#[tokio::test]
async fn a_confidential_third_party_is_remembered_until_it_wants_more() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    agree(&harness, "shop", &tab, &[("scope", "openid")]).await;
    gone(harness.begin("shop", &tab, &[("scope", "openid")]).await.unwrap());
    agree(&harness, "shop", &tab, &[("scope", "api:read Mutation:Order:Make")]).await;
    gone(harness.begin("shop", &tab, &[("scope", "openid api:read")]).await.unwrap());
    let wider = ("scope", "Mutation:Order:*");
    consent_flow(harness.begin("shop", &tab, &[wider]).await.unwrap());
    consent_flow(
        harness.begin("shop", &tab, &[("scope", "openid"), ("prompt", "consent")]).await.unwrap(),
    );
    let bobs = harness.tab_of("bob-1").await;
    consent_flow(harness.begin("shop", &bobs, &[("scope", "openid")]).await.unwrap());
}

#[tokio::test]
async fn a_widened_alias_is_asked_for_again() {
    let aliases = vec![("api:read", "digest-1")];
    let harness = Harness::with(Plot { aliases, ..Plot::default() }).await;
    let tab = harness.tab_of("ada-1").await;
    agree(&harness, "shop", &tab, &[]).await;
    gone(harness.begin("shop", &tab, &[]).await.unwrap());
    let harness = harness.replotted(vec![("api:read", "digest-2")]).await;
    gone(harness.begin("shop", &tab, &[("scope", "openid")]).await.unwrap());
    agree(&harness, "shop", &tab, &[]).await;
    gone(harness.begin("shop", &tab, &[]).await.unwrap());
}

#[tokio::test]
async fn prompt_none_asks_nothing() {
    let harness = Harness::new().await;
    let none = [("prompt", "none")];
    assert_eq!(refused(harness.begin("own", &Tab::new(), &none).await), ErrorCode::LoginRequired);
    let tab = harness.tab_of("ada-1").await;
    gone(harness.begin("own", &tab, &none).await.unwrap());
    assert_eq!(refused(harness.begin("shop", &tab, &none).await), ErrorCode::ConsentRequired);
    let both = [("prompt", "none login")];
    assert_eq!(refused(harness.begin("own", &tab, &both).await), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn a_refusal_goes_to_the_client_and_is_not_remembered() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let flow = consent_flow(harness.begin("shop", &tab, &[]).await.unwrap());
    let denied = harness.issuer.consent(&flow, Answer::Deny, &tab.browser()).await;
    assert_eq!(refused(denied), ErrorCode::AccessDenied);
    let late = harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await;
    assert!(matches!(late, Err(FlowError::Expired)), "no is no");
    consent_flow(harness.begin("shop", &tab, &[]).await.unwrap());
}

#[tokio::test]
async fn case_12_forms_belong_to_the_browser_that_began() {
    let harness = Harness::new().await;
    let (victim, attacker) = (Tab::new(), Tab::new());
    let flow = login_flow(harness.begin("shop", &attacker, &[]).await.unwrap());
    assert!(matches!(harness.sign_in(&flow, "ada", &victim).await, Err(FlowError::Expired)));
    assert!(harness.issuer.view_flow(&flow, &victim.browser()).await.is_err());

    let attacker = harness.tab_of("bob-1").await;
    let flow = consent_flow(harness.begin("shop", &attacker, &[]).await.unwrap());
    let victim = harness.tab_of("ada-1").await;
    let agreed = harness.issuer.consent(&flow, Answer::Allow, &victim.browser()).await;
    assert!(matches!(agreed, Err(FlowError::Expired)));
    // Not even in the same browser, if another session came in.
    let mixed = Tab { session: victim.session.clone(), mark: attacker.mark.clone(), source: None };
    let agreed = harness.issuer.consent(&flow, Answer::Allow, &mixed.browser()).await;
    assert!(matches!(agreed, Err(FlowError::Expired)));
    assert!(harness.issuer.agreed("ada-1").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sign_in_form_is_no_consent_form() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let flow = login_flow(harness.begin("shop", &tab, &[("prompt", "login")]).await.unwrap());
    let agreed = harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await;
    assert!(matches!(agreed, Err(FlowError::Expired)));
}

#[tokio::test]
async fn somebody_else_may_take_over_by_signing_in() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let flow = consent_flow(harness.begin("shop", &tab, &[]).await.unwrap());
    let next = harness.issuer.consent(&flow, Answer::Switch, &tab.browser()).await.unwrap();
    assert!(!harness.knows(&tab).await, "Ada is signed out");
    let SignInOutcome::Yes(cookie, next) =
        harness.sign_in(&login_flow(next), "bob", &tab).await.unwrap()
    else {
        panic!("no");
    };
    let flow = consent_flow(next);
    let tab = Tab { session: Some(cookie.text()), ..tab };
    gone(harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap());
    assert!(harness.issuer.agreed("ada-1").await.unwrap().is_empty());
    assert_eq!(harness.issuer.agreed("bob-1").await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_withdrawn_stays_dead_when_it_is_agreed_to_again() {
    let harness = Harness::new().await;
    let old = harness.tokens("shop").await;
    let waiting = harness.code("shop", &harness.tab_of("ada-1").await, &[]).await;
    assert!(harness.issuer.withdraw("ada-1", "shop").await.unwrap());
    let refresh = old.refresh_token.unwrap();
    let renewed = harness.refresh("shop", &refresh, &[]).await;
    assert!(matches!(renewed, Err(OAuthError::RefreshNotUsable)));
    // In the same second, too.
    let new = harness.tokens("shop").await;
    assert!(harness.holds(&new.access_token).await);
    assert!(!harness.holds(&old.access_token).await);
    assert!(harness.refresh("shop", &refresh, &[]).await.is_err());
    assert!(matches!(harness.redeem("shop", &waiting).await, Err(OAuthError::CodeNotRedeemable)));
}

#[tokio::test]
async fn a_new_client_under_an_old_id_inherits_no_consent() {
    let harness = Harness::new().await;
    let old = harness.tokens("shop").await;
    harness.issuer.remove(ResourceKind::CLIENT, "shop").await.unwrap();
    harness.later(1);
    harness.edit("shop", |_| {}).await;
    assert!(!harness.holds(&old.access_token).await);
    assert!(harness.refresh("shop", &old.refresh_token.unwrap(), &[]).await.is_err());
    let tab = harness.tab_of("ada-1").await;
    agree(&harness, "shop", &tab, &[("scope", "openid")]).await;
    let all = harness.issuer.agreed("ada-1").await.unwrap();
    assert_eq!(all[0].scopes, ["openid"], "nothing is left of what was agreed to before");
    gone(harness.begin("shop", &tab, &[("scope", "openid")]).await.unwrap());
}

/// OIDC Core §5.5: an essential claim is had by itself, if the app may have the scope that opens it
/// and the person agrees to it.
#[tokio::test]
async fn an_essential_claim_is_asked_for_and_had_without_its_scope() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    agree(&harness, "shop", &tab, &[("scope", "openid")]).await;
    let asked = r#"{"userinfo": {"email": {"essential": true}, "nickname": {"essential": true},
        "phone_number": {"essential": true}}, "id_token": {"name": {"essential": true}, "email": null}}"#;
    let more = [("scope", "openid"), ("claims", asked)];
    for _ in 0..2 {
        let flow = consent_flow(harness.begin("shop", &tab, &more).await.unwrap());
        let shown = harness.issuer.view_flow(&flow, &tab.browser()).await.unwrap();
        assert_eq!(shown.claims, ["email", "name", "nickname"]);
        assert_eq!(shown.scopes, ["openid"]);
    }
    let code = harness.code("shop", &tab, &more).await;
    let answer = harness.redeem("shop", &code).await.unwrap();
    assert_eq!(answer.scope, "openid");
    let (_, told) = harness.issuer.userinfo(&answer.access_token, None).await.unwrap();
    assert_eq!(told, serde_json::json!({"sub": "ada-1", "email": "Ada@Example.org"}));
    let id_token = castellan_proto::jose::Compact::read(answer.id_token.as_ref().unwrap())
        .unwrap()
        .claimed::<serde_json::Value>()
        .unwrap();
    assert_eq!((id_token["name"].as_str(), id_token.get("email")), (Some("Ada"), None));
    // It was agreed to, and is remembered; with less to come no more is told.
    gone(harness.begin("shop", &tab, &more).await.unwrap());
    let code = harness.code("shop", &tab, &[("scope", "openid")]).await;
    let answer = harness.redeem("shop", &code).await.unwrap();
    let (_, told) = harness.issuer.userinfo(&answer.access_token, None).await.unwrap();
    assert_eq!(told, serde_json::json!({"sub": "ada-1"}));
    // What the app may not have any more it is not told, whatever was agreed to.
    let code = harness.code("shop", &tab, &more).await;
    let answer = harness.redeem("shop", &code).await.unwrap();
    harness.edit("shop", |shop| shop["scope"] = serde_json::json!(["openid"])).await;
    let (_, told) = harness.issuer.userinfo(&answer.access_token, None).await.unwrap();
    assert_eq!(told, serde_json::json!({"sub": "ada-1"}));
    let code = harness.code("shop", &tab, &more).await;
    assert!(harness.redeem("shop", &code).await.is_ok(), "nothing is left to be asked for");
}
