//! `docs/contracts/aidbox.md` §12: clients, and the browser's way to a code.

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{ANN, Asking, DOCUMENTS, assert_refused, assert_sent_back},
    wire::Ask,
};

const PORTAL_CB: &str = "https://portal.test/cb";
const SPA_CB: &str = "https://spa.test/cb";

#[tokio::test]
async fn aidbox_01_a_client_is_created_and_its_secret_is_not_shown() {
    let castellan = Castellan::start(crate::support::castellan::Plan::default()).await;
    let applied = castellan.cli_with(&["apply", "-f", "-"], DOCUMENTS);
    let said = String::from_utf8(applied.stdout).unwrap();
    assert!(applied.status.success());
    assert!(said.contains("created Client/portal"), "{said}");
    assert!(!said.contains("s3cr3t"), "{said}");
}

#[tokio::test]
async fn aidbox_02_a_client_applied_again_is_unchanged_and_reads_back_without_its_secret() {
    let castellan = Castellan::with_ann().await;
    let again = castellan.cli_with(&["apply", "-f", "-"], DOCUMENTS);
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(said.contains("unchanged Client/portal"), "{said}");
    for format in ["yaml", "json"] {
        let shown = castellan.said(&["get", "Client", "portal", "--format", format]);
        assert!(shown.contains("https://portal.test/cb"), "{shown}");
        for secret in ["s3cr3t", "secret:", "\"secret\"", "argon2", "keyed:"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn aidbox_03_an_unknown_client_is_never_redirected() {
    let castellan = Castellan::with_ann().await;
    let asking = Asking::of("nope", "https://evil.test");
    let answer = Ask::get(&asking.at(&castellan)).send().await;
    assert_refused(&answer, 400, "invalid_client");
    let answer = Browser::default().get(&asking.at(&castellan)).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.header("location").is_none(), "{answer:?}");
}

#[tokio::test]
async fn aidbox_04_a_foreign_address_is_never_redirected_to() {
    let castellan = Castellan::with_ann().await;
    let asking = Asking::portal().with("redirect_uri", "https://evil.test/cb");
    let answer = Ask::get(&asking.at(&castellan)).send().await;
    assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn aidbox_05_a_redirect_uri_is_compared_byte_for_byte() {
    let castellan = Castellan::with_ann().await;
    for other in [
        "https://portal.test/cb/",
        "https://portal.test/cb?x=1",
        "https://portal.test/cb#x",
        "https://PORTAL.test/cb",
        "https://portal.test:443/cb",
        "https://portal.test@evil.test/cb",
        "http://portal.test/cb",
    ] {
        let asking = Asking::portal().with("redirect_uri", other);
        let answer = Ask::get(&asking.at(&castellan)).send().await;
        assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn aidbox_06_an_unknown_response_type_is_told_to_the_client() {
    let castellan = Castellan::with_ann().await;
    let asking = Asking::portal().with("response_type", "foo");
    let answer = Ask::get(&asking.at(&castellan)).send().await;
    assert_sent_back(&answer, PORTAL_CB, "unsupported_response_type");
    assert_eq!(answer.location_param("iss").as_deref(), Some(&*castellan.url));
}

#[tokio::test]
async fn aidbox_07_whoever_is_not_signed_in_is_asked_to() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let answer = browser.get(&Asking::portal().at(&castellan)).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(answer.location().starts_with("/auth/login?flow="), "{answer:?}");
    let form = browser.get(&castellan.at(answer.location())).await;
    assert_eq!(form.status, 200, "{form:?}");
    assert!(
        form.body.contains("The portal") && form.body.contains("name=\"password\""),
        "{form:?}"
    );
}

#[tokio::test]
async fn aidbox_08_a_wrong_password_signs_nobody_in() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let asked = browser.get(&Asking::portal().at(&castellan)).await;
    let mut said = Vec::new();
    for name in ["ann", "nobody"] {
        let answer = browser.sign_in(&castellan, &asked, (name, "wrong")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.header("location").is_none(), "{answer:?}");
        assert!(answer.header("set-cookie").is_none(), "{answer:?}");
        // The name that was typed comes back, whether there is such a person or not.
        let typed = format!("value=\"{name}\"");
        said.push(answer.photograph().replace(&typed, "value=\"(typed)\""));
    }
    assert_eq!(said[0], said[1], "the name and the password are not told apart");
    let again = browser.get(&Asking::portal().at(&castellan)).await;
    assert!(again.location().starts_with("/auth/login?flow="), "{again:?}");
}

#[tokio::test]
async fn aidbox_09_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let asked = browser.get(&Asking::portal().at(&castellan)).await;
    let answer = browser.sign_in(&castellan, &asked, ANN).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("ASID=csl_session_"), "{cookie}");
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    // The issuer of the test is plain http on loopback.
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn aidbox_10_the_grant_page_names_the_client_and_what_it_asks_for() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let asking = Asking::portal().with("scope", "openid profile Mutation:Person:Create");
    let answer = browser.get(&asking.at(&castellan)).await;
    assert!(answer.location().starts_with("/auth/consent?flow="), "{answer:?}");
    let page = browser.get(&castellan.at(answer.location())).await;
    assert_eq!(page.status, 200, "{page:?}");
    for text in ["The portal", "Ann Roe", "profile", "Mutation:Person:Create"] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
}

#[tokio::test]
async fn aidbox_11_a_no_is_told_to_the_client_and_leaves_no_grant() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let asked = browser.get(&Asking::portal().at(&castellan)).await;
    let answer = browser.decide(&castellan, &asked, "deny").await;
    assert_sent_back(&answer, PORTAL_CB, "access_denied");
    assert_eq!(castellan.grants(), 0);
}

#[tokio::test]
async fn aidbox_12_a_yes_leads_back_with_a_code_and_leaves_one_grant() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let asked = browser.get(&Asking::portal().at(&castellan)).await;
    let answer = browser.decide(&castellan, &asked, "allow").await;
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.location().starts_with("https://portal.test/cb?code="), "{answer:?}");
    assert_eq!(answer.location_param("state").as_deref(), Some("somestate"));
    assert_eq!(castellan.grants(), 1);
}

#[tokio::test]
async fn aidbox_13_who_has_agreed_is_not_asked_again() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let first = browser.code(&castellan, &Asking::portal()).await;
    let again = browser.get(&Asking::portal().at(&castellan)).await;
    assert_eq!(again.status, 302, "{again:?}");
    assert_ne!(again.location_param("code").unwrap(), first);
    assert_eq!(castellan.grants(), 1);
}

#[tokio::test]
async fn aidbox_14_a_new_scope_is_asked_for() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    browser.code(&castellan, &Asking::portal()).await;
    let wider = Asking::portal().with("scope", "openid profile Mutation:Person:Create");
    let answer = browser.get(&wider.at(&castellan)).await;
    assert!(answer.location().starts_with("/auth/consent?flow="), "{answer:?}");
    let narrower = Asking::portal().with("scope", "openid");
    let answer = browser.get(&narrower.at(&castellan)).await;
    assert!(answer.location_param("code").is_some(), "{answer:?}");
    let foreign = Asking::portal().with("scope", "openid Mutation:Place:Create");
    let answer = browser.get(&foreign.at(&castellan)).await;
    assert_sent_back(&answer, PORTAL_CB, "invalid_scope");
}

#[tokio::test]
async fn aidbox_15_an_app_of_the_house_asks_for_no_consent() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let answer = browser.get(&Asking::spa().at(&castellan)).await;
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.location().starts_with("https://spa.test/cb?code="), "{answer:?}");
    assert_eq!(castellan.grants(), 0);
}

#[tokio::test]
async fn aidbox_16_a_public_client_must_send_a_challenge() {
    let castellan = Castellan::with_ann().await;
    let asking = Asking::spa().without("code_challenge").without("code_challenge_method");
    let answer = Ask::get(&asking.at(&castellan)).send().await;
    assert_sent_back(&answer, SPA_CB, "invalid_request");
    let answer = Ask::get(&Asking::spa().without("code_challenge").at(&castellan)).send().await;
    assert_sent_back(&answer, SPA_CB, "invalid_request");
}

#[tokio::test]
async fn aidbox_17_only_s256_is_a_method() {
    let castellan = Castellan::with_ann().await;
    for asking in [
        Asking::spa().with("code_challenge_method", "plain"),
        Asking::spa().with("code_challenge_method", "s256"),
        Asking::spa().without("code_challenge_method"),
        Asking::spa().with("code_challenge", "short"),
    ] {
        let answer = Ask::get(&asking.at(&castellan)).send().await;
        assert_sent_back(&answer, SPA_CB, "invalid_request");
    }
}

#[tokio::test]
async fn aidbox_18_state_comes_back_as_it_went() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    for state in ["a&b= é", "a+b", "%2B", "<script>", "#", "\r\n", "漢字"] {
        let asking = Asking::spa().with("state", state);
        let answer = browser.get(&asking.at(&castellan)).await;
        assert_eq!(answer.location_param("state").as_deref(), Some(state), "{answer:?}");
        let refused = browser.get(&asking.with("response_type", "foo").at(&castellan)).await;
        assert_eq!(refused.location_param("state").as_deref(), Some(state), "{refused:?}");
    }
    let without = browser.get(&Asking::spa().without("state").at(&castellan)).await;
    assert_eq!(without.location_param("state"), None);
}

#[tokio::test]
async fn aidbox_42_twenty_wrong_passwords_are_slowed_down() {
    let castellan = Castellan::with_ann().await;
    let mut said = Vec::new();
    for name in ["ann", "nobody"] {
        let mut browser = Browser::default();
        let asked = browser.get(&Asking::portal().at(&castellan)).await;
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(browser.sign_in(&castellan, &asked, (name, "wrong")).await);
        }
        let slowed: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
        assert!(!slowed.is_empty(), "{:?}", answers.last());
        assert!(slowed[0].header("retry-after").is_some(), "{:?}", slowed[0]);
        let text = slowed[0].body.split("role=\"alert\">").nth(1).unwrap();
        said.push(text.split(" in ").next().unwrap().to_owned());
    }
    assert_eq!(said, ["Too many attempts. Try again"; 2]);
}
