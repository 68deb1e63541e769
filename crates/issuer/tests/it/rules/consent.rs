//! Consent (`design.md` rule 35) and what binds it to a browser and a person.

use castellan_issuer::{
    authorization::{
        flow::{Answer, FlowError, LoggedIn, Next},
        request::AuthorizeError,
    },
    error::TokenError,
    resources::ResourceKind,
};
use castellan_proto::ErrorCode;

use crate::house::{House, Plot, Tab, consent_flow, gone, login_flow};

fn refused(next: Result<Next, FlowError>) -> ErrorCode {
    match next {
        Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) => code,
        other => panic!("{other:?}"),
    }
}

async fn agree(house: &House, client: &str, tab: &Tab, more: &[(&str, &str)]) {
    let flow = consent_flow(house.begin(client, tab, more).await.unwrap());
    gone(house.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap());
}

#[tokio::test]
async fn the_first_party_is_not_asked_for() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    gone(house.begin("own", &tab, &[]).await.unwrap());
    consent_flow(house.begin("own", &tab, &[("prompt", "consent")]).await.unwrap());
}

#[tokio::test]
async fn a_public_third_party_is_asked_for_every_time() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    for _ in 0..3 {
        agree(&house, "phone", &tab, &[]).await;
    }
    let next = house.begin("phone", &tab, &[("prompt", "none")]).await;
    assert_eq!(refused(next), ErrorCode::ConsentRequired);
}

#[tokio::test]
async fn a_confidential_third_party_is_remembered_until_it_wants_more() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    agree(&house, "shop", &tab, &[("scope", "openid")]).await;
    gone(house.begin("shop", &tab, &[("scope", "openid")]).await.unwrap());
    agree(&house, "shop", &tab, &[("scope", "api:read Mutation:Order:Make")]).await;
    gone(house.begin("shop", &tab, &[("scope", "openid api:read")]).await.unwrap());
    let wider = ("scope", "Mutation:Order:*");
    consent_flow(house.begin("shop", &tab, &[wider]).await.unwrap());
    consent_flow(
        house.begin("shop", &tab, &[("scope", "openid"), ("prompt", "consent")]).await.unwrap(),
    );
    let bobs = house.tab_of("bob-1").await;
    consent_flow(house.begin("shop", &bobs, &[("scope", "openid")]).await.unwrap());
}

#[tokio::test]
async fn a_widened_alias_is_asked_for_again() {
    let aliases = vec![("api:read", "digest-1")];
    let house = House::with(Plot { aliases, ..Plot::default() }).await;
    let tab = house.tab_of("ada-1").await;
    agree(&house, "shop", &tab, &[]).await;
    gone(house.begin("shop", &tab, &[]).await.unwrap());
    let house = house.replotted(vec![("api:read", "digest-2")]).await;
    gone(house.begin("shop", &tab, &[("scope", "openid")]).await.unwrap());
    agree(&house, "shop", &tab, &[]).await;
    gone(house.begin("shop", &tab, &[]).await.unwrap());
}

#[tokio::test]
async fn prompt_none_asks_nothing() {
    let house = House::new().await;
    let none = [("prompt", "none")];
    assert_eq!(refused(house.begin("own", &Tab::new(), &none).await), ErrorCode::LoginRequired);
    let tab = house.tab_of("ada-1").await;
    gone(house.begin("own", &tab, &none).await.unwrap());
    assert_eq!(refused(house.begin("shop", &tab, &none).await), ErrorCode::ConsentRequired);
    let both = [("prompt", "none login")];
    assert_eq!(refused(house.begin("own", &tab, &both).await), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn a_refusal_goes_to_the_client_and_is_not_remembered() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let flow = consent_flow(house.begin("shop", &tab, &[]).await.unwrap());
    let denied = house.issuer.consent(&flow, Answer::Deny, &tab.browser()).await;
    assert_eq!(refused(denied), ErrorCode::AccessDenied);
    let late = house.issuer.consent(&flow, Answer::Allow, &tab.browser()).await;
    assert!(matches!(late, Err(FlowError::Lost)), "no is no");
    consent_flow(house.begin("shop", &tab, &[]).await.unwrap());
}

#[tokio::test]
async fn case_12_forms_belong_to_the_browser_that_began() {
    let house = House::new().await;
    let (victim, attacker) = (Tab::new(), Tab::new());
    let flow = login_flow(house.begin("shop", &attacker, &[]).await.unwrap());
    assert!(matches!(house.log_in(&flow, "ada", &victim).await, Err(FlowError::Lost)));
    assert!(house.issuer.view_flow(&flow, &victim.browser()).await.is_err());

    let attacker = house.tab_of("bob-1").await;
    let flow = consent_flow(house.begin("shop", &attacker, &[]).await.unwrap());
    let victim = house.tab_of("ada-1").await;
    let agreed = house.issuer.consent(&flow, Answer::Allow, &victim.browser()).await;
    assert!(matches!(agreed, Err(FlowError::Lost)));
    // Not even in the same browser, if another session came in.
    let mixed = Tab { session: victim.session.clone(), mark: attacker.mark.clone(), source: None };
    let agreed = house.issuer.consent(&flow, Answer::Allow, &mixed.browser()).await;
    assert!(matches!(agreed, Err(FlowError::Lost)));
    assert!(house.issuer.agreed("ada-1").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sign_in_form_is_no_consent_form() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let flow = login_flow(house.begin("shop", &tab, &[("prompt", "login")]).await.unwrap());
    let agreed = house.issuer.consent(&flow, Answer::Allow, &tab.browser()).await;
    assert!(matches!(agreed, Err(FlowError::Lost)));
}

#[tokio::test]
async fn somebody_else_may_take_over_by_signing_in() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let flow = consent_flow(house.begin("shop", &tab, &[]).await.unwrap());
    let next = house.issuer.consent(&flow, Answer::Switch, &tab.browser()).await.unwrap();
    assert!(!house.knows(&tab).await, "Ada is signed out");
    let LoggedIn::Yes(cookie, next) = house.log_in(&login_flow(next), "bob", &tab).await.unwrap()
    else {
        panic!("no");
    };
    let flow = consent_flow(next);
    let tab = Tab { session: Some(cookie.text()), ..tab };
    gone(house.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap());
    assert!(house.issuer.agreed("ada-1").await.unwrap().is_empty());
    assert_eq!(house.issuer.agreed("bob-1").await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_withdrawn_stays_dead_when_it_is_agreed_to_again() {
    let house = House::new().await;
    let old = house.tokens("shop").await;
    let waiting = house.code("shop", &house.tab_of("ada-1").await, &[]).await;
    assert!(house.issuer.withdraw("ada-1", "shop").await.unwrap());
    let refresh = old.refresh_token.unwrap();
    let renewed = house.refresh("shop", &refresh, &[]).await;
    assert!(matches!(renewed, Err(TokenError::RefreshNotUsable)));
    // In the same second, too.
    let new = house.tokens("shop").await;
    assert!(house.holds(&new.access_token).await);
    assert!(!house.holds(&old.access_token).await);
    assert!(house.refresh("shop", &refresh, &[]).await.is_err());
    assert!(matches!(house.redeem("shop", &waiting).await, Err(TokenError::CodeNotRedeemable)));
}

#[tokio::test]
async fn a_new_client_under_an_old_id_inherits_no_consent() {
    let house = House::new().await;
    let old = house.tokens("shop").await;
    house.issuer.remove(ResourceKind::Client, "shop").await.unwrap();
    house.later(1);
    house.edit("shop", |_| {}).await;
    assert!(!house.holds(&old.access_token).await);
    assert!(house.refresh("shop", &old.refresh_token.unwrap(), &[]).await.is_err());
    let tab = house.tab_of("ada-1").await;
    agree(&house, "shop", &tab, &[("scope", "openid")]).await;
    let all = house.issuer.agreed("ada-1").await.unwrap();
    assert_eq!(all[0].scopes, ["openid"], "nothing is left of what was agreed to before");
    gone(house.begin("shop", &tab, &[("scope", "openid")]).await.unwrap());
}
