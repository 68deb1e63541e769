//! Browser sessions (`docs/rules.md` rule 36) and the set-up link.

use argon2::{Argon2, password_hash::PasswordHasher as _};
use castellan_issuer::{
    authorization::{
        next::{Answer, FlowError, Next, SignInOutcome},
        request::AuthorizeError,
    },
    records::{Account, Session},
    resources::ResourceKind,
    secrets::policy::Unacceptable,
    sign_in::setup::SetupError,
    store::Notice,
};
use castellan_proto::{ErrorCode, Secret};
use serde_json::json;

use crate::{
    faulty_store::{Extent, Moment, Plan},
    harness::{Harness, PASSWORD, Tab, consent_flow, gone, login_flow, params},
    stories::setup_form,
};

async fn sign_in(harness: &Harness, tab: &Tab, name: &str) -> Tab {
    let flow = login_flow(harness.begin("own", tab, &[("prompt", "login")]).await.unwrap());
    let SignInOutcome::Yes(cookie, next) = harness.sign_in(&flow, name, tab).await.unwrap() else {
        panic!("no");
    };
    gone(next);
    tab.with(&cookie.text())
}

#[tokio::test]
async fn signing_in_makes_a_new_session_and_ends_the_one_before() {
    let harness = Harness::new().await;
    let before = harness.tab_of("bob-1").await;
    let after = sign_in(&harness, &before, "ada").await;
    assert_ne!(before.session, after.session);
    assert!(!harness.knows(&before).await);
    assert!(harness.knows(&after).await);
}

#[tokio::test]
async fn a_wrong_password_changes_nothing() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("bob-1").await;
    let flow = login_flow(harness.begin("own", &tab, &[("prompt", "login")]).await.unwrap());
    for name in ["ada", "nobody", ""] {
        let form = params(&[("username", name), ("password", "wrong")]);
        let answer = harness.issuer.sign_in(&flow, &form, &tab.browser()).await.unwrap();
        assert!(matches!(answer, SignInOutcome::No(_)));
    }
    assert!(harness.knows(&tab).await);
    assert!(matches!(
        harness.sign_in(&flow, "ada", &tab).await,
        Ok(SignInOutcome::Yes(_, Next::Go(_)))
    ));
}

#[tokio::test]
async fn a_wrong_name_costs_what_a_wrong_password_costs() {
    let harness = Harness::new().await;
    let wrong = Secret::new("wrong".to_owned());
    let mut costs = Vec::new();
    for name in ["ada", "ada@example.org", "ada-1", "nobody", "nobody@example.org"] {
        harness.store.arm(None);
        assert!(harness.issuer.sign_in_with_password(name, &wrong).await.unwrap().is_none());
        // The first guess at somebody inserts what a later one replaces: a write is a write.
        let write = |verb: &&str| matches!(*verb, "insert" | "replace");
        let verbs = harness.store.verbs().into_iter();
        costs.push(verbs.map(|verb| if write(&verb) { "write" } else { verb }).collect::<Vec<_>>());
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[tokio::test]
async fn a_session_ends_unused_after_its_idle_time_and_used_after_its_whole_time() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    harness.later(8 * 3_600 - 1);
    assert!(harness.knows(&tab).await, "and is used");
    harness.later(8 * 3_600 - 1);
    assert!(harness.knows(&tab).await);
    harness.later(8 * 3_600);
    assert!(!harness.knows(&tab).await);

    let tab = harness.tab_of("ada-1").await;
    for _ in 0..30 * 4 - 1 {
        harness.later(6 * 3_600);
        assert!(harness.knows(&tab).await);
    }
    harness.later(6 * 3_600);
    assert!(!harness.knows(&tab).await, "30 days");
}

#[tokio::test]
async fn a_session_without_its_browser_is_none() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let cookie = tab.session.clone().unwrap();
    let (mut bare, stolen) = (tab.browser(), Tab::new().with(&cookie));
    bare.mark = None;
    assert!(harness.issuer.signed_in(&bare).await.unwrap().is_none());
    assert!(!harness.knows(&stolen).await);
    login_flow(harness.begin("own", &stolen, &[]).await.unwrap());
    // Nor does anybody end it, or take it over, from elsewhere.
    harness.issuer.sign_out(&stolen.browser()).await.unwrap();
    sign_in(&harness, &stolen, "ada").await;
    assert!(harness.knows(&tab).await);
}

/// Of builds before there was a bond.
#[tokio::test]
async fn a_session_that_is_bound_to_no_browser_is_none_and_may_be_ended() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let (repository, now) = (harness.issuer.repository(), harness.issuer.now());
    let id = tab.browser().session.unwrap().digest().text();
    let mut held = repository.get::<Session>(&id, now).await.unwrap().unwrap();
    held.body.browser = None;
    repository.replace(&held, Notice::Tell, now).await.unwrap();
    assert!(!harness.knows(&tab).await);
    harness.issuer.sign_out(&tab.browser()).await.unwrap();
    let ended = repository.get::<Session>(&id, now).await.unwrap().unwrap();
    assert_eq!(ended.body.ended, Some(now), "it stays listed as closed");
}

#[tokio::test]
async fn prompt_login_and_max_age_ask_for_the_password() {
    let harness = Harness::new().await;
    let tab = sign_in(&harness, &Tab::new(), "ada").await;
    login_flow(harness.begin("own", &tab, &[("prompt", "login")]).await.unwrap());
    harness.later(100);
    gone(harness.begin("own", &tab, &[("max_age", "100")]).await.unwrap());
    let flow = login_flow(harness.begin("own", &tab, &[("max_age", "99")]).await.unwrap());
    // Slow at typing, and yet only once.
    harness.later(1_000);
    let answer = harness.sign_in(&flow, "ada", &tab).await.unwrap();
    assert!(matches!(answer, SignInOutcome::Yes(_, Next::Go(_))));
}

/// Within the second of the sign-in, too, and whether a page may be shown or not.
#[tokio::test]
async fn max_age_0_is_prompt_login() {
    let harness = Harness::new().await;
    let tab = sign_in(&harness, &Tab::new(), "ada").await;
    let silent = [("max_age", "0"), ("prompt", "none")];
    let refused = harness.begin("own", &tab, &silent).await;
    let Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) = refused else {
        panic!("{:?}", refused.map(drop));
    };
    assert_eq!(code, ErrorCode::LoginRequired);
    let flow = login_flow(harness.begin("own", &tab, &[("max_age", "0")]).await.unwrap());
    let answer = harness.sign_in(&flow, "ada", &tab).await.unwrap();
    assert!(matches!(answer, SignInOutcome::Yes(_, Next::Go(_))));
}

#[tokio::test]
async fn a_form_is_over_after_half_an_hour() {
    let harness = Harness::new().await;
    let tab = Tab::new();
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    harness.later(1_800);
    assert!(harness.sign_in(&flow, "ada", &tab).await.is_err());
}

#[tokio::test]
async fn a_new_person_under_an_old_id_inherits_nothing() {
    let harness = Harness::new().await;
    let (tab, tokens) = (harness.tab_of("ada-1").await, harness.tokens("shop").await);
    let waiting = harness.code("own", &tab, &[]).await;
    harness.issuer.remove(ResourceKind::USER, "ada-1").await.unwrap();
    assert!(!harness.knows(&tab).await);
    assert!(!harness.holds(&tokens.access_token).await);
    harness.later(1);
    harness.edit("ada-1", |_| {}).await;
    assert!(!harness.knows(&tab).await, "the session of before");
    assert!(!harness.holds(&tokens.access_token).await, "the token of before");
    assert!(harness.refresh("shop", &tokens.refresh_token.unwrap(), &[]).await.is_err());
    assert!(harness.redeem("own", &waiting).await.is_err(), "the code of before");
    let tab = harness.tab_of("ada-1").await;
    assert!(matches!(harness.begin("shop", &tab, &[]).await, Ok(Next::Consent(_))));
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let harness = Harness::new().await;
    let (tab, tokens) = (harness.tab_of("ada-1").await, harness.tokens("own").await);
    harness.later(1);
    harness.edit("ada-1", |ada| ada["name"] = json!({"formatted": "Ada L."})).await;
    assert!(harness.knows(&tab).await, "the same password again");
    harness.edit("ada-1", |ada| ada["password"] = json!("quite another password")).await;
    assert!(!harness.knows(&tab).await);
    assert!(!harness.holds(&tokens.access_token).await);
    assert!(harness.refresh("own", &tokens.refresh_token.unwrap(), &[]).await.is_err());
    assert!(harness.knows(&harness.tab_of("ada-1").await).await);
}

/// RFC 8265 §4.2: the same keys give other characters on another device.
#[tokio::test]
async fn a_password_opens_however_its_letters_were_composed() {
    let harness = Harness::new().await;
    let (composed, decomposed) = ("caf\u{e9} au lait noir!", "cafe\u{301} au lait noir!");
    let opens = async |typed: &str| {
        let typed = Secret::new(typed.to_owned());
        harness.issuer.sign_in_with_password("ada", &typed).await.unwrap().is_some()
    };
    let stored = async || {
        let now = harness.issuer.now();
        let account = harness.issuer.repository().get::<Account>("ada-1", now).await;
        account.unwrap().unwrap()
    };
    for set in [composed, decomposed] {
        harness.edit("ada-1", |ada| ada["password"] = json!(set)).await;
        assert!(
            opens(composed).await && opens(decomposed).await && !opens("cafe au lait noir!").await
        );
        let before = stored().await.body.password;
        harness.edit("ada-1", |ada| ada["password"] = json!(composed)).await;
        assert_eq!(stored().await.body.password, before, "the same password again");
    }

    // As earlier versions hashed what was typed, decomposed.
    let old = Argon2::default().hash_password(decomposed.as_bytes()).unwrap().to_string();
    let old = Some(&*old);
    let mut held = stored().await;
    held.body.password = old.map(ToOwned::to_owned);
    harness.issuer.repository().replace(&held, Notice::Tell, harness.issuer.now()).await.unwrap();
    let tab = harness.tab_of("ada-1").await;
    assert!(!opens("cafe au lait noir!").await);
    assert_eq!(stored().await.body.password.as_deref(), old);
    assert!(opens(composed).await);
    let anew = stored().await.body.password;
    assert_ne!(anew.as_deref(), old, "once");
    assert!(opens(decomposed).await && opens(composed).await);
    assert_eq!(stored().await.body.password, anew, "and no more");
    assert!(harness.knows(&tab).await, "it is no other password");
}

#[tokio::test]
async fn a_second_link_makes_no_second_first_administrator() {
    let (harness, browser) = (Harness::empty().await, Tab::new().browser());
    let links =
        [harness.issuer.offer_setup().await.unwrap(), harness.issuer.offer_setup().await.unwrap()]
            .map(|link| link.unwrap().text());
    harness.issuer.set_up(setup_form(&links[0], "root"), &browser).await.unwrap();
    for link in &links {
        let again = harness.issuer.set_up(setup_form(link, "mallory"), &browser).await;
        assert!(matches!(again, Err(SetupError::Spent)));
    }
    assert!(harness.issuer.offer_setup().await.unwrap().is_none());
}

#[tokio::test]
async fn a_link_survives_a_mistake_in_the_form_and_not_its_day() {
    let (harness, browser) = (Harness::empty().await, Tab::new().browser());
    let link = harness.issuer.offer_setup().await.unwrap().unwrap().text();
    let mut form = setup_form(&link, "no name");
    assert!(matches!(harness.issuer.set_up(form, &browser).await, Err(SetupError::Name)));
    form = setup_form(&link, "root");
    form.again = Secret::new(format!("{PASSWORD}."));
    assert!(matches!(harness.issuer.set_up(form, &browser).await, Err(SetupError::Differ)));
    form = setup_form(&link, "root");
    form.password = Secret::new(" \u{200b}".repeat(12));
    let blank = harness.issuer.set_up(form, &browser).await;
    assert!(matches!(blank, Err(SetupError::Password(Unacceptable::Blank))));
    form = setup_form(&link, "root");
    form.password = Secret::new("eleven char".to_owned());
    assert!(matches!(
        harness.issuer.set_up(form, &browser).await,
        Err(SetupError::Password(Unacceptable::Short(12)))
    ));
    harness.later(86_400);
    let late = harness.issuer.set_up(setup_form(&link, "root"), &browser).await;
    assert!(matches!(late, Err(SetupError::Spent)));
}

#[tokio::test]
async fn a_link_holds_as_long_as_no_administrator_can_sign_in() {
    let (harness, browser) = (Harness::empty().await, Tab::new().browser());
    let link = harness.issuer.offer_setup().await.unwrap().unwrap().text();
    let user = |id: &str, group: &str, inactive: bool| {
        json!({
            "resourceType": "User", "id": id, "userName": id, "inactive": inactive,
            "groups": [{"value": group}],
        })
    };
    // Neither other people nor an administrator who may not sign in end it.
    harness.apply(user("cli", "archivists", false)).await;
    harness.apply(user("gone", "administrators", true)).await;
    assert!(harness.issuer.check_setup(&link).await.is_ok());
    // A name of somebody else does not use it up.
    for taken in ["cli", "CLI"] {
        let taken = harness.issuer.set_up(setup_form(&link, taken), &browser).await;
        assert!(matches!(taken, Err(SetupError::Taken)));
    }
    let second = harness.issuer.offer_setup().await.unwrap().unwrap().text();
    harness.issuer.set_up(setup_form(&link, "root"), &browser).await.unwrap();
    let late = harness.issuer.set_up(setup_form(&second, "mallory"), &browser).await;
    assert!(matches!(late, Err(SetupError::Spent)));
    assert!(harness.issuer.offer_setup().await.unwrap().is_none());
    // Nor is it offered where an administrator was added by hand.
    let other = Harness::empty().await;
    let link = other.issuer.offer_setup().await.unwrap().unwrap().text();
    other.apply(user("ops", "administrators", false)).await;
    assert!(matches!(other.issuer.check_setup(&link).await, Err(SetupError::Spent)));
    assert!(other.issuer.offer_setup().await.unwrap().is_none());
}

/// A harness in which `own` hears of sign-outs.
async fn house_that_tells() -> Harness {
    let harness = Harness::new().await;
    harness
        .edit("own", |client| client["backchannel_logout_uri"] = json!("https://own.test"))
        .await;
    harness
}

#[tokio::test]
async fn a_sign_out_that_says_it_is_done_has_told_of_it_whatever_went_wrong() {
    for verb in 1.. {
        for moment in [Moment::Before, Moment::After] {
            let harness = house_that_tells().await;
            let tab = harness.tab_of("ada-1").await;
            harness.code("own", &tab, &[]).await;
            harness.store.arm(Plan { verb, moment, extent: Extent::Once });
            let outcome = harness.issuer.sign_out(&tab.browser()).await;
            let failed = harness.store.failed();
            assert_eq!(outcome.is_err(), failed);
            harness.store.arm(None);
            harness.issuer.sign_out(&tab.browser()).await.unwrap();
            assert!(!harness.knows(&tab).await);
            let word = harness.issuer.waiting_notification().unwrap();
            assert_eq!((&*word.client, &*word.uri), ("own", "https://own.test"));
            if !failed {
                assert_eq!(harness.issuer.waiting_notification(), None, "once");
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
            let harness = house_that_tells().await;
            let tab = harness.tab_of("ada-1").await;
            harness.code("own", &tab, &[]).await;
            let flow =
                login_flow(harness.begin("own", &tab, &[("prompt", "login")]).await.unwrap());
            harness.store.arm(Plan { verb, moment, extent: Extent::Once });
            let outcome = harness.sign_in(&flow, "ada", &tab).await;
            let failed = harness.store.failed();
            harness.store.arm(None);
            let told = harness.issuer.waiting_notification().is_some();
            let Ok(SignInOutcome::Yes(cookie, _)) = outcome else {
                assert!(failed && (told || harness.knows(&tab).await), "{verb} {moment:?}");
                continue;
            };
            assert!(!told);
            let tab = Tab { session: Some(cookie.text()), ..tab };
            harness.issuer.sign_out(&tab.browser()).await.unwrap();
            assert!(harness.issuer.waiting_notification().is_some());
            if !failed {
                return;
            }
        }
    }
}

#[tokio::test]
async fn nobody_is_told_of_a_session_in_which_they_had_no_part() {
    let harness = house_that_tells().await;
    let tab = harness.tab_of("ada-1").await;
    harness.code("lens", &tab, &[]).await;
    harness.begin("own", &tab, &[("prompt", "login")]).await.unwrap();
    harness.issuer.sign_out(&tab.browser()).await.unwrap();
    assert_eq!(harness.issuer.waiting_notification(), None);
}

#[tokio::test]
async fn a_new_password_ends_the_session_for_apps_as_well() {
    let harness = house_that_tells().await;
    let before = harness.tab_of("ada-1").await;
    harness.code("own", &before, &[]).await;
    harness.later(1);
    harness.edit("ada-1", |person| person["password"] = json!("another long password")).await;
    harness.edit("ada-1", |person| person["password"] = json!(PASSWORD)).await;
    harness.later(1);
    sign_in(&harness, &before, "ada").await;
    assert!(harness.issuer.waiting_notification().is_some());
}

#[tokio::test]
async fn whoever_is_somebody_else_ends_the_session_for_apps_as_well() {
    let harness = house_that_tells().await;
    let tab = harness.tab_of("ada-1").await;
    harness.code("own", &tab, &[]).await;
    let flow = consent_flow(harness.begin("shop", &tab, &[]).await.unwrap());
    let next = harness.issuer.consent(&flow, Answer::Switch, &tab.browser()).await.unwrap();
    login_flow(next);
    assert_eq!(harness.issuer.waiting_notification().unwrap().client, "own");
}
