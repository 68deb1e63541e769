//! Sessions that are ended from elsewhere than their browser (`docs/contracts/aidbox.md` §§4.4, 7):
//! what ends with them, for good, and what does not. Unless a test moves the clock, all of it
//! happens within one second.

use castellan_issuer::{
    error::OAuthError,
    records::Session,
    resources::ResourceKind,
    store::{Kind, Notice},
};
use serde_json::{Value, json};

use crate::{
    faulty_store::{Extent, Moment, Plan},
    harness::{Harness, PASSWORD, Tab, all},
};

/// A harness in which `own` hears of sign-outs.
async fn house_that_tells() -> Harness {
    let harness = Harness::new().await;
    let uri = json!("https://own.test");
    harness.edit("own", |client| client["backchannel_logout_uri"] = uri).await;
    harness
}

/// The tokens of `client` from the browser `tab`.
async fn tokens(harness: &Harness, client: &str, tab: &Tab) -> (String, String) {
    let code = harness.code(client, tab, &[]).await;
    let tokens = harness.redeem(client, &code).await.unwrap();
    (tokens.access_token, tokens.refresh_token.unwrap())
}

/// Whether both tokens of `client` are good.
async fn are_good(harness: &Harness, client: &str, tokens: &(String, String)) -> bool {
    let access = harness.holds(&tokens.0).await;
    let introspected = harness.introspect("robot", &tokens.1).await.unwrap();
    let refresh = introspected["active"] == json!(true);
    assert_eq!(access, refresh, "{client}: either both or neither");
    access
}

async fn close(harness: &Harness, token: &str) -> Result<Value, OAuthError> {
    harness.issuer.close_session_of(token, None).await
}

async fn shown(harness: &Harness, id: &str) -> Option<Value> {
    harness.issuer.describe(ResourceKind::SESSION, id).await.unwrap()
}

/// The `sid` of the browser sessions there are.
async fn sids(harness: &Harness) -> Vec<String> {
    let records = all(&harness.issuer, Kind::Session).await;
    let read = |body: &[u8]| serde_json::from_slice::<Session>(body).unwrap();
    records.iter().filter_map(|record| read(&record.body).sid).collect()
}

/// Everything of a person ends at once, for good, and whoever signs in afterwards in the same second
/// is signed in.
#[tokio::test]
async fn what_ends_everything_of_a_person_ends_it_in_the_same_second_and_for_good() {
    for how in ["password", "inactive", "asked"] {
        let harness = house_that_tells().await;
        let tab = harness.tab_of("ada-1").await;
        let before = tokens(&harness, "own", &tab).await;
        let waiting = harness.code("own", &tab, &[]).await;
        let of_bob = harness.tab_of("bob-1").await;
        match how {
            "password" => {
                harness.edit("ada-1", |ada| ada["password"] = json!("quite another one")).await;
                harness.edit("ada-1", |ada| ada["password"] = json!(PASSWORD)).await;
            }
            "inactive" => {
                harness.edit("ada-1", |ada| ada["inactive"] = json!(true)).await;
                assert!(!harness.knows(&tab).await && !are_good(&harness, "own", &before).await);
                let refused = harness.refresh("own", &before.1, &[]).await;
                assert!(matches!(refused, Err(OAuthError::UserInactive)), "{refused:?}");
                harness.edit("ada-1", |_| {}).await;
            }
            _ => assert!(harness.issuer.end_sessions_of("ada-1").await.unwrap()),
        }
        assert!(!harness.knows(&tab).await, "{how}: the browser session");
        assert!(!are_good(&harness, "own", &before).await, "{how}: the tokens");
        let refused = harness.refresh("own", &before.1, &[]).await;
        assert!(matches!(refused, Err(OAuthError::RefreshNotUsable)), "{how}: {refused:?}");
        assert!(harness.redeem("own", &waiting).await.is_err(), "{how}: the code");
        assert_eq!(harness.issuer.waiting_notification().unwrap().client, "own", "{how}");
        assert_eq!(harness.issuer.waiting_notification(), None, "{how}: once");
        assert!(harness.knows(&of_bob).await, "{how}: another person");

        let tab = harness.tab_of("ada-1").await;
        assert!(harness.knows(&tab).await, "{how}: a sign-in afterwards");
        let after = tokens(&harness, "own", &tab).await;
        assert!(are_good(&harness, "own", &after).await, "{how}: and its tokens");
        assert!(!are_good(&harness, "own", &before).await, "{how}: and still not those of before");
    }
}

#[tokio::test]
async fn a_person_who_is_made_again_within_a_second_inherits_nothing() {
    let harness = house_that_tells().await;
    let tab = harness.tab_of("ada-1").await;
    let before = tokens(&harness, "own", &tab).await;
    harness.issuer.remove(ResourceKind::USER, "ada-1").await.unwrap();
    assert_eq!(harness.issuer.waiting_notification().unwrap().client, "own", "its apps are told");
    harness.edit("ada-1", |_| {}).await;
    assert!(!harness.knows(&tab).await && !are_good(&harness, "own", &before).await);
    assert!(harness.knows(&harness.tab_of("ada-1").await).await);
}

#[tokio::test]
async fn everything_of_a_client_ends_and_nothing_of_another() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let (before, others) =
        (tokens(&harness, "own", &tab).await, tokens(&harness, "portal", &tab).await);
    let waiting = harness.code("own", &tab, &[]).await;
    assert!(harness.issuer.end_sessions_of_client("own").await.unwrap());
    assert!(!harness.issuer.end_sessions_of_client("nobody").await.unwrap());
    assert!(!are_good(&harness, "own", &before).await);
    assert!(harness.refresh("own", &before.1, &[]).await.is_err());
    assert!(harness.redeem("own", &waiting).await.is_err(), "a code of before");
    assert!(are_good(&harness, "portal", &others).await);
    assert!(harness.knows(&tab).await, "the browser session is not the client's");
    let after = tokens(&harness, "own", &tab).await;
    assert!(are_good(&harness, "own", &after).await);
    // Its document is written again, and revives nothing.
    harness.edit("own", |client| client["name"] = json!("Ours")).await;
    assert!(!are_good(&harness, "own", &before).await && are_good(&harness, "own", &after).await);
}

#[tokio::test]
async fn a_third_party_token_ends_its_own_family_alone() {
    let harness = house_that_tells().await;
    let tab = harness.tab_of("ada-1").await;
    let (shop, other) =
        (tokens(&harness, "shop", &tab).await, tokens(&harness, "shop", &tab).await);
    let own = tokens(&harness, "own", &tab).await;
    let closed = close(&harness, &shop.0).await.unwrap();
    assert_eq!((&closed["active"], &closed["client"]["id"]), (&json!(false), &json!("shop")));
    assert!(!are_good(&harness, "shop", &shop).await);
    assert!(harness.refresh("shop", &shop.1, &[]).await.is_err());
    assert!(are_good(&harness, "shop", &other).await, "another authorization of the same app");
    assert!(are_good(&harness, "own", &own).await && harness.knows(&tab).await);
    assert_eq!(harness.issuer.waiting_notification(), None);
    assert!(matches!(close(&harness, &shop.0).await, Err(OAuthError::InvalidToken)));
    assert!(matches!(close(&harness, &other.1).await, Err(OAuthError::InvalidToken)), "refresh");
}

#[tokio::test]
async fn a_first_party_token_ends_what_first_party_apps_share_and_no_other() {
    let harness = house_that_tells().await;
    let (tab, elsewhere) = (harness.tab_of("ada-1").await, harness.tab_of("ada-1").await);
    let own = tokens(&harness, "own", &tab).await;
    let (portal, shop) =
        (tokens(&harness, "portal", &tab).await, tokens(&harness, "shop", &tab).await);
    let at_work = tokens(&harness, "own", &elsewhere).await;
    let waiting = harness.code("portal", &tab, &[]).await;
    let closed = close(&harness, &own.0).await.unwrap();
    let sid = closed["parent"]["id"].as_str().unwrap();
    assert!(!harness.knows(&tab).await);
    assert!(!are_good(&harness, "own", &own).await && !are_good(&harness, "portal", &portal).await);
    assert!(harness.refresh("portal", &portal.1, &[]).await.is_err());
    assert!(harness.redeem("portal", &waiting).await.is_err(), "a code that was on its way");
    assert!(are_good(&harness, "shop", &shop).await, "nothing of a third-party client's");
    assert!(harness.knows(&elsewhere).await && are_good(&harness, "own", &at_work).await);
    assert_eq!(harness.issuer.waiting_notification().unwrap().client, "own");
    assert_eq!(harness.issuer.waiting_notification(), None);
    assert!(matches!(close(&harness, &own.0).await, Err(OAuthError::InvalidToken)));
    let parent = shown(&harness, sid).await.unwrap();
    assert_eq!((&parent["active"], &parent["type"]), (&json!(false), &json!("browser")));

    // Signing in there again begins another session.
    let again = harness.tab_of("ada-1").await;
    assert!(are_good(&harness, "own", &tokens(&harness, "own", &again).await).await);
}

/// Whatever fails on the way: as long as the token is good, it can be presented again, and when it
/// is not, all of it is over.
#[tokio::test]
async fn a_session_that_was_closed_half_is_closed_whole_by_trying_again() {
    for verb in 1.. {
        for moment in [Moment::Before, Moment::After] {
            let harness = house_that_tells().await;
            let tab = harness.tab_of("ada-1").await;
            let own = tokens(&harness, "own", &tab).await;
            let portal = tokens(&harness, "portal", &tab).await;
            harness.store.arm(Plan { verb, moment, extent: Extent::Once });
            let outcome = close(&harness, &own.0).await;
            let failed = harness.store.failed();
            harness.store.arm(None);
            assert_eq!(outcome.is_err(), failed, "{verb} {moment:?}: {outcome:?}");
            if failed {
                let again = close(&harness, &own.0).await;
                assert!(
                    matches!(again, Ok(_) | Err(OAuthError::InvalidToken)),
                    "{verb} {moment:?}: {again:?}"
                );
            }
            assert!(!harness.knows(&tab).await, "{verb} {moment:?}");
            assert!(!are_good(&harness, "own", &own).await, "{verb} {moment:?}");
            assert!(!are_good(&harness, "portal", &portal).await, "{verb} {moment:?}");
            assert!(harness.issuer.waiting_notification().is_some(), "{verb} {moment:?}");
            if !failed {
                assert!(verb > 3);
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_closed_session_is_listed_until_it_would_have_expired() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let sid = sids(&harness).await.pop().unwrap();
    let shop = tokens(&harness, "shop", &tab).await;
    let listed = async |id: &str| shown(&harness, id).await.map(|one| one["active"].clone());
    let family = close(&harness, &shop.0).await.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(listed(&sid).await, Some(json!(true)));
    harness.issuer.sign_out(&tab.browser()).await.unwrap();
    assert_eq!(listed(&sid).await, Some(json!(false)));
    assert_eq!(listed(&family).await, Some(json!(false)));
    harness.later(8 * 3_600 - 1);
    assert_eq!(listed(&sid).await, Some(json!(false)));
    harness.later(1);
    assert_eq!(listed(&sid).await, None, "its cookie would be worthless by now");
    assert_eq!(listed(&family).await, Some(json!(false)), "its refresh token would not");
    harness.later(30 * 86_400);
    assert_eq!(listed(&family).await, None);
}

/// A refresh token of `portal` would never expire; its row goes all the same.
#[tokio::test]
async fn a_family_without_an_end_has_one_once_it_is_closed() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let (access, _) = tokens(&harness, "portal", &tab).await;
    let closed = close(&harness, &access).await.unwrap();
    let id = closed["id"].as_str().unwrap();
    harness.later(30 * 86_400 - 1);
    assert!(shown(&harness, id).await.is_some());
    harness.later(1);
    assert!(shown(&harness, id).await.is_none());
}

/// As sessions of older versions are stored: they work, are over with their person, and have names
/// once they were used.
#[tokio::test]
async fn a_session_without_names_works_and_gets_them() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let unname = async || {
        let id = tab.browser().session.unwrap().digest().text();
        let (repository, now) = (harness.issuer.repository(), harness.issuer.now());
        let mut held = repository.get::<Session>(&id, now).await.unwrap().unwrap();
        held.body.sid = None;
        repository.replace(&held, Notice::Silent, now).await.unwrap();
    };
    unname().await;
    assert!(harness.knows(&tab).await);
    assert_eq!(sids(&harness).await, [""; 0]);
    harness.later(60);
    assert!(harness.knows(&tab).await);
    let sid = sids(&harness).await.pop().unwrap();
    assert_eq!(shown(&harness, &sid).await.unwrap()["user"]["id"], "ada-1");
    unname().await;
    harness.issuer.end_sessions_of("ada-1").await.unwrap();
    assert!(!harness.knows(&tab).await);
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else_by_its_name() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let sid = sids(&harness).await.pop().unwrap();
    for (account, sid) in [("bob-1", &*sid), ("ada-1", "nobody"), ("nobody", &sid)] {
        assert!(!harness.issuer.close_browser_session(account, sid).await.unwrap());
    }
    assert!(harness.knows(&tab).await);
    assert!(harness.issuer.close_browser_session("ada-1", &sid).await.unwrap());
    assert!(!harness.knows(&tab).await);
}
