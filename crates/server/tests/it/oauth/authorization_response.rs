//! Every answer of the authorization endpoint says who gave it (RFC 9207 §2), and the sign-in page
//! knows who is expected.

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, SPA},
};

/// What an app of other people may be told without anybody being asked anything.
const ERRORS: [(&str, &str, &str); 5] = [
    ("prompt", "none", "login_required"),
    ("response_type", "token", "unsupported_response_type"),
    ("scope", "openid Mutation:Everything:*", "invalid_scope"),
    ("code_challenge_method", "plain", "invalid_request"),
    ("resource", "https://elsewhere.test/", "invalid_target"),
];

#[tokio::test]
async fn every_answer_names_its_issuer() {
    let castellan = Castellan::with_ann().await;
    for (name, value, error) in ERRORS {
        let asking = Asking::spa().with("scope", "openid").with(name, value);
        let answer = Browser::default().get(&asking.at(&castellan)).await;
        assert_eq!(answer.location_param("error").as_deref(), Some(error), "{answer:?}");
        assert_eq!(answer.location_param("iss").as_ref(), Some(&castellan.url), "{error}");
        assert_eq!(answer.location_param("state").as_deref(), Some("somestate"), "{error}");

        let url = asking.with("response_mode", "form_post").at(&castellan);
        let page = Browser::default().get(&url).await;
        assert_eq!(page.hidden("error").as_deref(), Some(error), "{page:?}");
        assert_eq!(page.hidden("iss").as_ref(), Some(&castellan.url), "{error}");
    }
    let mut browser = Browser::as_ann(&castellan).await;
    let denied = browser.get(&Asking::portal().at(&castellan)).await;
    let denied = browser.decide(&castellan, &denied, "deny").await;
    assert_eq!(denied.location_param("error").as_deref(), Some("access_denied"), "{denied:?}");
    assert_eq!(denied.location_param("iss").as_ref(), Some(&castellan.url));
    let code = browser.walk(&castellan, &Asking::spa()).await;
    assert_eq!(code.location_param("iss").as_ref(), Some(&castellan.url));
    let code = code.location_param("code").unwrap();
    assert_eq!(castellan.redeem(&code, &SPA).await.status, 200);
}

#[tokio::test]
async fn the_sign_in_page_knows_who_is_expected() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let hinted =
        Asking::spa().with("login_hint", "ann@example.test").with("ui_locales", "fr de en");
    let begun = browser.get(&hinted.at(&castellan)).await;
    let form = browser.get(&castellan.at(begun.location())).await;
    assert!(form.body.contains("value=\"ann@example.test\""), "{form:?}");
    let hostile = Asking::spa().with("login_hint", "\"><script>alert(1)</script>");
    let begun = browser.get(&hostile.at(&castellan)).await;
    let form = browser.get(&castellan.at(begun.location())).await;
    assert!(!form.body.contains("<script>alert"), "{form:?}");
}
