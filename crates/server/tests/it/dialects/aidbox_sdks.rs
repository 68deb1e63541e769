//! `docs/contracts/aidbox.md` §11a: what the published SDKs ask for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{ANN, Asking, PORTAL, text},
    jose::claims,
    wire::Ask,
};

#[tokio::test]
async fn smart_configuration_says_what_the_metadata_says() {
    let castellan = Castellan::with_ann().await;
    let answer = Ask::get(&castellan.at("/.well-known/smart-configuration")).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let metadata = Ask::get(&castellan.at("/.well-known/oauth-authorization-server")).send().await;
    let (smart, metadata) = (answer.json(), metadata.json());
    for (name, value) in smart.as_object().unwrap() {
        match &**name {
            "capabilities" => assert!(value.as_array().unwrap().contains(&json!("client-public"))),
            name => assert_eq!(*value, metadata[name], "{name}"),
        }
    }
    for name in ["issuer", "jwks_uri", "token_endpoint", "scopes_supported"] {
        assert!(!smart[name].is_null(), "{name} is missing");
    }
}

#[tokio::test]
async fn userinfo_knows_a_session_and_401_says_that_there_is_none() {
    let castellan = Castellan::with_ann().await;
    let url = castellan.at("/auth/userinfo");
    let stranger = Ask::get(&url).send().await;
    assert_eq!(stranger.status, 401, "{stranger:?}");
    assert_eq!(stranger.header("www-authenticate"), Some("Bearer realm=\"castellan\""));

    let mut browser = Browser::as_ann(&castellan).await;
    let answer = browser.get(&url).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["sub"], "ann");
    assert_eq!(answer.json()["email"], "ann@example.test");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), None);

    let from =
        |site: &str| Ask::get(&url).header("cookie", &browser.jar()).header("sec-fetch-site", site);
    assert_eq!(from("same-origin").send().await.status, 200);
    assert_eq!(from("cross-site").send().await.status, 401, "another site's page");
    let session = browser.cookie("ASID").unwrap();
    let alone = Ask::get(&url).header("cookie", &format!("ASID={session}")).send().await;
    assert_eq!(alone.status, 401, "a session without the mark of its browser");
    let both = Ask::get(&url).header("cookie", &browser.jar()).bearer("garbage").send().await;
    assert_eq!(both.status, 401, "a bad token is not made good by a cookie");
}

#[tokio::test]
async fn a_script_signs_its_person_out_by_json() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let (url, userinfo) = (castellan.at("/auth/logout"), castellan.at("/auth/userinfo"));
    let post = || Ask::new(Method::POST, &url).json(&json!({}));
    let foreign = post().header("cookie", &browser.jar()).header("origin", "https://evil.test");
    assert_eq!(foreign.send().await.status, 403);
    assert_eq!(browser.get(&userinfo).await.status, 200, "still signed in");
    for body in ["{", "[]", "null", "{\"id_token_hint\":\"x\"}"] {
        let wrong = Ask::new(Method::POST, &url).body("application/json", body.to_owned());
        let answer = wrong.header("cookie", &browser.jar()).send().await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    assert_eq!(browser.get(&userinfo).await.status, 200, "what does not read ends nothing");

    let answer = browser.send(post().header("origin", &castellan.url)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({"frames": []}));
    assert_eq!(browser.get(&userinfo).await.status, 401, "signed out");
    assert_eq!(browser.send(post()).await.status, 200, "again changes nothing");
}

#[tokio::test]
async fn a_sign_in_goes_on_to_where_it_was_asked_to() {
    let castellan = Castellan::with_ann().await;
    let login = |url: &str, more: &str| {
        castellan.at(&format!("/auth/login?redirect_to={}{more}", URL_SAFE_NO_PAD.encode(url)))
    };
    let here = castellan.at("/account?tab=1");
    let mut browser = Browser::default();
    let begun = browser.get(&login(&here, "")).await;
    let signed_in = browser.sign_in(&castellan, &begun, ANN).await;
    assert_eq!(signed_in.location(), here);
    assert_eq!(browser.get(&login(&here, "")).await.location(), here, "at once from then on");

    let registered = browser.get(&login("https://portal.test/cb", "&client_id=portal")).await;
    assert_eq!(registered.location(), "https://portal.test/cb");
    for (url, more) in [
        ("https://evil.test/", ""),
        ("https://portal.test/cb", ""),
        ("https://portal.test/other", "&client_id=portal"),
        ("https://evil.test/", "&client_id=portal"),
        ("https://evil.test/", "&client_id=nobody"),
        (&format!("{}.evil.test/", castellan.url), ""),
        (&format!("{}@evil.test/", castellan.url), ""),
        (&format!("{}/\r\nx: y", castellan.url), ""),
        ("javascript:alert(1)", ""),
        ("//evil.test/", ""),
        ("", ""),
    ] {
        let answer = browser.get(&login(url, more)).await;
        let is_plain = url.is_empty();
        assert_eq!(answer.status, if is_plain { 303 } else { 400 }, "{url:?} {more}: {answer:?}");
        assert!(!is_plain || answer.location() == "/account");
    }
    let long = castellan.at(&format!("/{}", "x".repeat(2_048)));
    assert_eq!(browser.get(&login(&long, "")).await.status, 400, "too long for a Location");
    // Browsers hold the redirect after the form to the policy of its page.
    let mut other = Browser::default();
    let begun = other.get(&login("https://portal.test/cb", "&client_id=portal")).await;
    let page = other.get(&castellan.at(begun.location())).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https://portal.test"), "{policy}");
    let garbage = browser.get(&castellan.at("/auth/login?redirect_to=***")).await;
    assert_eq!(garbage.status, 400, "{garbage:?}");
}

#[tokio::test]
async fn aud_of_an_authorization_request_is_its_resource() {
    let castellan = Castellan::with_ann().await;
    let api = castellan.at("/api");
    let mut browser = Browser::default();
    let tokens = castellan.tokens(&mut browser, &Asking::portal().and("aud", &api), &PORTAL).await;
    assert_eq!(claims(text(&tokens, "access_token"))["aud"], json!(api));
    let other = Asking::portal().and("aud", "https://evil.test/");
    let refused = browser.get(&other.at(&castellan)).await;
    assert!(refused.location().contains("error=invalid_target"), "{refused:?}");
}
