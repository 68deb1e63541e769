//! Browser sessions (`design.md` rule 36) and the set-up link.

use castellan_issuer::{
    authorization::flow::{Answer, LoggedIn, Next},
    resources::ResourceKind,
    sign_in::setup::SetupError,
};
use castellan_proto::Secret;
use serde_json::json;

use crate::{
    faulty_store::{Extent, Moment, Plan},
    house::{House, PASSWORD, Tab, consent_flow, gone, login_flow},
    stories::setup_form,
};

async fn sign_in(house: &House, tab: &Tab, name: &str) -> Tab {
    let flow = login_flow(house.begin("own", tab, &[("prompt", "login")]).await.unwrap());
    let LoggedIn::Yes(cookie, next) = house.log_in(&flow, name, tab).await.unwrap() else {
        panic!("no");
    };
    gone(next);
    Tab { session: Some(cookie.text()), mark: tab.mark.clone(), source: None }
}

#[tokio::test]
async fn signing_in_makes_a_new_session_and_ends_the_one_before() {
    let house = House::new().await;
    let before = house.tab_of("bob-1").await;
    let after = sign_in(&house, &before, "ada").await;
    assert_ne!(before.session, after.session);
    assert!(!house.knows(&before).await);
    assert!(house.knows(&after).await);
}

#[tokio::test]
async fn a_wrong_password_changes_nothing() {
    let house = House::new().await;
    let tab = house.tab_of("bob-1").await;
    let flow = login_flow(house.begin("own", &tab, &[("prompt", "login")]).await.unwrap());
    let wrong = Secret::new("wrong".to_owned());
    for name in ["ada", "nobody", ""] {
        let answer = house.issuer.log_in(&flow, (name, &wrong), &tab.browser()).await.unwrap();
        assert!(matches!(answer, LoggedIn::No));
    }
    assert!(house.knows(&tab).await);
    assert!(matches!(house.log_in(&flow, "ada", &tab).await, Ok(LoggedIn::Yes(_, Next::Go(_)))));
}

#[tokio::test]
async fn a_wrong_name_costs_what_a_wrong_password_costs() {
    let house = House::new().await;
    let wrong = Secret::new("wrong".to_owned());
    let mut costs = Vec::new();
    for name in ["ada", "ada@example.org", "ada-1", "nobody", "nobody@example.org"] {
        house.store.arm(None);
        assert!(house.issuer.sign_in(name, &wrong).await.unwrap().is_none());
        // The first guess at somebody inserts what a later one replaces: a write is a write.
        let write = |verb: &&str| matches!(*verb, "insert" | "replace");
        let verbs = house.store.verbs().into_iter();
        costs.push(verbs.map(|verb| if write(&verb) { "write" } else { verb }).collect::<Vec<_>>());
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[tokio::test]
async fn a_session_ends_unused_after_its_idle_time_and_used_after_its_whole_time() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    house.later(8 * 3_600 - 1);
    assert!(house.knows(&tab).await, "and is used");
    house.later(8 * 3_600 - 1);
    assert!(house.knows(&tab).await);
    house.later(8 * 3_600);
    assert!(!house.knows(&tab).await);

    let tab = house.tab_of("ada-1").await;
    for _ in 0..30 * 4 - 1 {
        house.later(6 * 3_600);
        assert!(house.knows(&tab).await);
    }
    house.later(6 * 3_600);
    assert!(!house.knows(&tab).await, "30 days");
}

#[tokio::test]
async fn prompt_login_and_max_age_ask_for_the_password() {
    let house = House::new().await;
    let tab = sign_in(&house, &Tab::new(), "ada").await;
    login_flow(house.begin("own", &tab, &[("prompt", "login")]).await.unwrap());
    house.later(100);
    gone(house.begin("own", &tab, &[("max_age", "100")]).await.unwrap());
    let flow = login_flow(house.begin("own", &tab, &[("max_age", "99")]).await.unwrap());
    // Slow at typing, and yet only once.
    house.later(1_000);
    let answer = house.log_in(&flow, "ada", &tab).await.unwrap();
    assert!(matches!(answer, LoggedIn::Yes(_, Next::Go(_))));
}

#[tokio::test]
async fn a_form_is_over_after_half_an_hour() {
    let house = House::new().await;
    let tab = Tab::new();
    let flow = login_flow(house.begin("own", &tab, &[]).await.unwrap());
    house.later(1_800);
    assert!(house.log_in(&flow, "ada", &tab).await.is_err());
}

#[tokio::test]
async fn a_new_person_under_an_old_id_inherits_nothing() {
    let house = House::new().await;
    let (tab, tokens) = (house.tab_of("ada-1").await, house.tokens("shop").await);
    let waiting = house.code("own", &tab, &[]).await;
    house.issuer.remove(ResourceKind::User, "ada-1").await.unwrap();
    assert!(!house.knows(&tab).await);
    assert!(!house.holds(&tokens.access_token).await);
    house.later(1);
    house.edit("ada-1", |_| {}).await;
    assert!(!house.knows(&tab).await, "the session of before");
    assert!(!house.holds(&tokens.access_token).await, "the token of before");
    assert!(house.refresh("shop", &tokens.refresh_token.unwrap(), &[]).await.is_err());
    assert!(house.redeem("own", &waiting).await.is_err(), "the code of before");
    let tab = house.tab_of("ada-1").await;
    assert!(matches!(house.begin("shop", &tab, &[]).await, Ok(Next::Consent(_))));
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let house = House::new().await;
    let (tab, tokens) = (house.tab_of("ada-1").await, house.tokens("own").await);
    house.later(1);
    house.edit("ada-1", |ada| ada["name"] = json!({"formatted": "Ada L."})).await;
    assert!(house.knows(&tab).await, "the same password again");
    house.edit("ada-1", |ada| ada["password"] = json!("quite another password")).await;
    assert!(!house.knows(&tab).await);
    assert!(!house.holds(&tokens.access_token).await);
    assert!(house.refresh("own", &tokens.refresh_token.unwrap(), &[]).await.is_err());
    assert!(house.knows(&house.tab_of("ada-1").await).await);
}

#[tokio::test]
async fn a_second_link_makes_no_second_first_administrator() {
    let house = House::empty().await;
    let links =
        [house.issuer.offer_setup().await.unwrap(), house.issuer.offer_setup().await.unwrap()]
            .map(|link| link.unwrap().text());
    house.issuer.set_up(setup_form(&links[0], "root")).await.unwrap();
    for link in &links {
        let again = house.issuer.set_up(setup_form(link, "mallory")).await;
        assert!(matches!(again, Err(SetupError::Spent)));
    }
    assert!(house.issuer.offer_setup().await.unwrap().is_none());
}

#[tokio::test]
async fn a_link_survives_a_mistake_in_the_form_and_not_its_day() {
    let house = House::empty().await;
    let link = house.issuer.offer_setup().await.unwrap().unwrap().text();
    let mut form = setup_form(&link, "no name");
    assert!(matches!(house.issuer.set_up(form).await, Err(SetupError::Name)));
    form = setup_form(&link, "root");
    form.again = Secret::new(format!("{PASSWORD}."));
    assert!(matches!(house.issuer.set_up(form).await, Err(SetupError::Differ)));
    form = setup_form(&link, "root");
    form.password = Secret::new("short".to_owned());
    assert!(matches!(house.issuer.set_up(form).await, Err(SetupError::Short)));
    house.later(86_400);
    let late = house.issuer.set_up(setup_form(&link, "root")).await;
    assert!(matches!(late, Err(SetupError::Spent)));
    house.apply(json!({"resourceType": "User", "id": "cli", "userName": "cli"})).await;
    assert!(house.issuer.offer_setup().await.unwrap().is_none());
}

/// A house in which `own` hears of sign-outs.
async fn house_that_tells() -> House {
    let house = House::new().await;
    house.edit("own", |client| client["backchannel_logout_uri"] = json!("https://own.test")).await;
    house
}

#[tokio::test]
async fn a_sign_out_that_says_it_is_done_has_told_of_it_whatever_went_wrong() {
    for verb in 1.. {
        for moment in [Moment::Before, Moment::After] {
            let house = house_that_tells().await;
            let tab = house.tab_of("ada-1").await;
            house.code("own", &tab, &[]).await;
            house.store.arm(Plan { verb, moment, extent: Extent::Once });
            let outcome = house.issuer.sign_out(&tab.browser()).await;
            let failed = house.store.failed();
            assert_eq!(outcome.is_err(), failed);
            house.store.arm(None);
            house.issuer.sign_out(&tab.browser()).await.unwrap();
            assert!(!house.knows(&tab).await);
            let word = house.issuer.waiting_word().unwrap();
            assert_eq!((&*word.client, &*word.uri), ("own", "https://own.test"));
            if !failed {
                assert_eq!(house.issuer.waiting_word(), None, "once");
                assert!(verb > 1);
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_session_goes_on_for_apps_or_they_are_told_whatever_went_wrong() {
    for verb in 1.. {
        for moment in [Moment::Before, Moment::After] {
            let house = house_that_tells().await;
            let tab = house.tab_of("ada-1").await;
            house.code("own", &tab, &[]).await;
            let flow = login_flow(house.begin("own", &tab, &[("prompt", "login")]).await.unwrap());
            house.store.arm(Plan { verb, moment, extent: Extent::Once });
            let outcome = house.log_in(&flow, "ada", &tab).await;
            let failed = house.store.failed();
            house.store.arm(None);
            let told = house.issuer.waiting_word().is_some();
            let Ok(LoggedIn::Yes(cookie, _)) = outcome else {
                assert!(failed && (told || house.knows(&tab).await), "{verb} {moment:?}");
                continue;
            };
            assert!(!told);
            let tab = Tab { session: Some(cookie.text()), ..tab };
            house.issuer.sign_out(&tab.browser()).await.unwrap();
            assert!(house.issuer.waiting_word().is_some());
            if !failed {
                return;
            }
        }
    }
}

#[tokio::test]
async fn nobody_is_told_of_a_session_in_which_they_had_no_part() {
    let house = house_that_tells().await;
    let tab = house.tab_of("ada-1").await;
    house.code("lens", &tab, &[]).await;
    house.begin("own", &tab, &[("prompt", "login")]).await.unwrap();
    house.issuer.sign_out(&tab.browser()).await.unwrap();
    assert_eq!(house.issuer.waiting_word(), None);
}

#[tokio::test]
async fn a_new_password_ends_the_session_for_apps_as_well() {
    let house = house_that_tells().await;
    let before = house.tab_of("ada-1").await;
    house.code("own", &before, &[]).await;
    house.later(1);
    house.edit("ada-1", |person| person["password"] = json!("another long password")).await;
    house.edit("ada-1", |person| person["password"] = json!(PASSWORD)).await;
    house.later(1);
    sign_in(&house, &before, "ada").await;
    assert!(house.issuer.waiting_word().is_some());
}

#[tokio::test]
async fn whoever_is_somebody_else_ends_the_session_for_apps_as_well() {
    let house = house_that_tells().await;
    let tab = house.tab_of("ada-1").await;
    house.code("own", &tab, &[]).await;
    let flow = consent_flow(house.begin("shop", &tab, &[]).await.unwrap());
    let next = house.issuer.consent(&flow, Answer::Switch, &tab.browser()).await.unwrap();
    login_flow(next);
    assert_eq!(house.issuer.waiting_word().unwrap().client, "own");
}
