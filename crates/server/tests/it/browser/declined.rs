//! A person says no where they are asked who they are.

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, assert_sent_back},
};

/// Nobody is asked for consent any more, and no is an answer all the same.
#[tokio::test]
async fn a_person_says_no_on_the_sign_in_page_though_the_app_was_agreed_to_before() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    browser.code(&castellan, &Asking::portal()).await;
    for (mut browser, asking, to) in [
        (browser, Asking::portal().with("prompt", "login"), "https://portal.test/cb"),
        (Browser::default(), Asking::spa(), "https://spa.test/cb"),
    ] {
        let begun = browser.get(&asking.at(&castellan)).await;
        let form = browser.get(&castellan.at(begun.location())).await;
        let button = "<button class=\"second\" name=\"decision\" value=\"deny\" formnovalidate>";
        assert!(form.body.contains(button), "{form:?}");
        let flow = form.hidden("flow").unwrap();
        // Only in the browser that was asked.
        let pairs = [("flow", &*flow), ("username", ""), ("password", ""), ("decision", "deny")];
        let elsewhere = Browser::default().post(&castellan.at("/auth/login"), &pairs).await;
        assert_eq!((elsewhere.status.as_u16(), elsewhere.header("location")), (400, None));
        let denied = browser.post(&castellan.at("/auth/login"), &pairs).await;
        assert_sent_back(&denied, to, "access_denied");
        assert_eq!(denied.location_param("state").as_deref(), Some("somestate"));
        assert_eq!(denied.location_param("iss").as_ref(), Some(&castellan.url));
        let again = browser.post(&castellan.at("/auth/login"), &pairs).await;
        assert_eq!((again.status.as_u16(), again.header("location")), (400, None), "once");
    }
}

#[tokio::test]
async fn there_is_nobody_to_say_no_to_without_an_app() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let form = browser.get(&castellan.at(begun.location())).await;
    assert!(!form.body.contains("decision"), "{form:?}");
}
