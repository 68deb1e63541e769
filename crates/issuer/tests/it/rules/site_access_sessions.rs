//! Sessions at a SiteAccess (`docs/contracts/ibexa.md` §2), and the tokens of their requests.

use castellan_issuer::{
    request::source::Source,
    session::{
        browser::{Browser, SignedIn},
        site_access::Opened,
    },
};
use castellan_proto::{Opaque, OpaqueKind, Secret};

use crate::harness::{Harness, PASSWORD};

async fn open(harness: &Harness, name: &str) -> (Opaque, SignedIn) {
    match opened(harness, name, None).await {
        Opened::New(cookie, signed_in) => (cookie, *signed_in),
        other => panic!("{other:?}"),
    }
}

async fn opened(harness: &Harness, name: &str, before: Option<&SignedIn>) -> Opened {
    let password = Secret::new(PASSWORD.to_owned());
    let proven = harness.issuer.prove_by_password(name, &password, &Browser::default()).await;
    let proven = proven.unwrap().unwrap();
    harness.issuer.open_session_at("site", "site", proven, before).await.unwrap()
}

async fn knows(harness: &Harness, site_access: &str, cookie: &Opaque) -> bool {
    harness.issuer.session_at(site_access, cookie).await.unwrap().is_some()
}

fn copy(cookie: &Opaque) -> Opaque {
    Opaque::read(OpaqueKind::Session, &cookie.text()).unwrap()
}

#[tokio::test]
async fn a_session_is_one_at_its_own_site_access_alone() {
    let harness = Harness::new().await;
    let (cookie, signed_in) = open(&harness, "ada").await;
    assert_eq!(signed_in.account_id, "ada-1");
    assert!(knows(&harness, "site", &cookie).await);
    assert!(!knows(&harness, "admin", &cookie).await);
    // Nor is it one of the pages, whatever mark the browser has.
    let tab = harness.tab_of("ada-1").await;
    assert!(harness.knows(&tab).await);
    assert!(!harness.knows(&tab.with(&cookie.text())).await);
    // And one of the pages is none at a SiteAccess.
    let page = tab.browser().session.unwrap();
    assert!(!knows(&harness, "site", &page).await);
    harness.issuer.close_session_at("site", &page).await.unwrap();
    assert!(harness.knows(&tab).await);

    harness.issuer.close_session_at("admin", &cookie).await.unwrap();
    assert!(knows(&harness, "site", &cookie).await);
    harness.issuer.close_session_at("site", &cookie).await.unwrap();
    assert!(!knows(&harness, "site", &cookie).await);
}

/// `docs/rules.md` rule 48: nobody is locked out where they have signed in before.
#[tokio::test]
async fn guesses_from_elsewhere_lock_nobody_out() {
    let harness = Harness::new().await;
    let shows = async |password: &str, from: &str| {
        let source = Some(Source::Address(from.parse().unwrap()));
        let browser = Browser { source, ..Browser::default() };
        let password = Secret::new(password.to_owned());
        harness.issuer.prove_by_password("ada", &password, &browser).await.map(|one| one.is_some())
    };
    assert!(shows(PASSWORD, "203.0.113.7").await.unwrap());
    for n in 0..10 {
        assert!(!shows("wrong", &format!("192.0.2.{n}")).await.unwrap());
    }
    assert!(shows(PASSWORD, "198.51.100.1").await.is_err(), "nobody knows that place");
    assert!(shows(PASSWORD, "203.0.113.7").await.unwrap());
}

#[tokio::test]
async fn only_ones_own_session_at_the_same_place_goes_on() {
    let harness = Harness::new().await;
    let (cookie, ada) = open(&harness, "ada").await;
    assert!(matches!(opened(&harness, "ada", Some(&ada)).await, Opened::Same));
    assert!(matches!(opened(&harness, "bob", Some(&ada)).await, Opened::Other));
    assert!(knows(&harness, "site", &cookie).await);
    let page = harness.issuer.signed_in(&harness.tab_of("ada-1").await.browser()).await.unwrap();
    assert!(matches!(opened(&harness, "ada", page.as_ref()).await, Opened::New(..)));
    assert!(matches!(opened(&harness, "bob", page.as_ref()).await, Opened::Other));
}

#[tokio::test]
async fn it_ends_unused_or_after_its_whole_time_and_with_all_others() {
    let harness = Harness::new().await;
    let (cookie, _) = open(&harness, "ada").await;
    harness.later(8 * 3_600 - 1);
    assert!(harness.issuer.refresh_session_at("site", &cookie).await.unwrap().is_some());
    harness.later(8 * 3_600 - 1);
    assert!(knows(&harness, "site", &cookie).await);
    harness.later(8 * 3_600);
    assert!(!knows(&harness, "site", &cookie).await);

    let (cookie, _) = open(&harness, "ada").await;
    for _ in 0..30 * 4 {
        harness.later(6 * 3_600);
        let _ = harness.issuer.refresh_session_at("site", &cookie).await.unwrap();
    }
    assert!(!knows(&harness, "site", &cookie).await);

    let (cookie, _) = open(&harness, "ada").await;
    harness.issuer.end_sessions_of("ada-1").await.unwrap();
    assert!(!knows(&harness, "site", &cookie).await);
}

#[tokio::test]
async fn people_see_it_among_theirs_and_end_it_there() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let (cookie, _) = open(&harness, "ada").await;
    let person = harness.issuer.signed_in(&tab.browser()).await.unwrap().unwrap();
    assert_eq!(harness.issuer.own_sessions(&person).await.unwrap().len(), 2);
    harness.issuer.end_other_sessions(&person).await.unwrap();
    assert!(!knows(&harness, "site", &cookie).await);
    assert!(harness.knows(&tab).await);
}

#[tokio::test]
async fn a_token_is_of_one_session_and_never_the_same_text() {
    let harness = Harness::new().await;
    let ((_, one), (_, other)) = (open(&harness, "ada").await, open(&harness, "ada").await);
    let issuer = &harness.issuer;
    let (first, second) = (issuer.masked_csrf_token(&one), issuer.masked_csrf_token(&one));
    assert_ne!(first, second);
    for token in [&first, &second] {
        assert!(issuer.masked_csrf_matches(&one, token));
        assert!(!issuer.masked_csrf_matches(&other, token));
    }
    // What masks it is not part of it.
    let (_, rest) = first.split_once('.').unwrap();
    assert!(issuer.masked_csrf_matches(&one, &format!("x.{rest}")));
    // That of a form is another one.
    let form = issuer.csrf_token(&one.session);
    assert!(!issuer.masked_csrf_matches(&one, &form));
    let nothing = "A".repeat(43);
    assert!(!issuer.masked_csrf_matches(&one, &format!("x.{nothing}.{form}")));
}

/// Whoever has a session of a record without a cookie's secret has nothing.
#[tokio::test]
async fn a_cookie_is_its_secret_and_not_its_record() {
    let harness = Harness::new().await;
    let (cookie, signed_in) = open(&harness, "ada").await;
    assert!(knows(&harness, "site", &copy(&cookie)).await);
    let record = Opaque::carrying(OpaqueKind::Session, signed_in.session.into_bytes());
    assert!(!knows(&harness, "site", &record).await);
}
