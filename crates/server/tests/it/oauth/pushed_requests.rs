//! Pushed authorization requests (RFC 9126), and scripts of an app's own origin at the endpoints that
//! are about it.

use castellan_proto::{Opaque, OpaqueKind};
use serde_json::Value;

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{ANN, Asking, DOCUMENTS, PORTAL, SPA, assert_refused, text},
    wire::{Answer, Ask},
};

/// Apps that hand their requests over themselves, and one that scripts may speak for.
const MORE: &str = r#"
---
resourceType: Client
id: strict
secret: s3cr3t-strict
first_party: true
grant_types: [authorization_code]
scope: [openid]
redirect_uris: ["https://strict.test/cb"]
require_pushed_authorization_requests: true
---
resourceType: Client
id: script
first_party: true
grant_types: [authorization_code]
scope: [openid]
redirect_uris: ["https://script.test/cb"]
allowed_origins: ["https://script.test"]
"#;

async fn start() -> Castellan {
    Castellan::with_documents(&format!("{DOCUMENTS}{MORE}")).await
}

async fn push(castellan: &Castellan, asking: &Asking, proof: &[(&str, &str)]) -> Answer {
    let pairs: Vec<_> =
        asking.pairs().into_iter().filter(|(name, _)| *name != "client_id").collect();
    Ask::post(&castellan.at("/auth/par")).form(&[proof, &pairs].concat()).send().await
}

/// Where the browser is sent with the reference in `pushed`.
fn reference(castellan: &Castellan, client: &str, pushed: &Value) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", client)
        .append_pair("request_uri", text(pushed, "request_uri"))
        .finish();
    castellan.at(&format!("/auth/authorize?{query}"))
}

#[tokio::test]
async fn a_request_is_pushed_and_carried_by_reference_once() {
    let castellan = start().await;
    let answer = push(&castellan, &Asking::portal(), &PORTAL).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let pushed = answer.json();
    assert_eq!(pushed["expires_in"], 60);
    assert!(text(&pushed, "request_uri").starts_with("urn:ietf:params:oauth:request_uri:"));

    let mut browser = Browser::as_ann(&castellan).await;
    let url = reference(&castellan, "portal", &pushed);
    // What stands beside the reference does not count.
    let asked = browser.get(&format!("{url}&scope=profile&redirect_uri=https://evil.test")).await;
    let answer = browser.decide(&castellan, &asked, "allow").await;
    assert!(answer.location().starts_with("https://portal.test/cb?code="), "{answer:?}");
    assert_eq!(answer.location_param("state").as_deref(), Some("somestate"));
    let code = answer.location_param("code").unwrap();
    let tokens = castellan.redeem(&code, &PORTAL).await;
    assert_eq!(tokens.json()["scope"], "openid profile", "{tokens:?}");
    let again = Ask::get(&url).send().await;
    assert_refused(&again, 400, "invalid_request");
}

/// FAPI 2.0 Security Profile §5.3.2.2, note 3: the answer uses it up, and not the first visit.
#[tokio::test]
async fn a_reference_may_be_opened_again_in_its_browser_until_it_is_answered() {
    let castellan = start().await;
    let pushed = push(&castellan, &Asking::portal(), &PORTAL).await.json();
    let url = reference(&castellan, "portal", &pushed);
    let (mut browser, mut other) = (Browser::default(), Browser::as_ann(&castellan).await);
    let first = browser.get(&url).await;
    assert!(first.location().starts_with("/auth/login"), "{first:?}");
    // Long after it would have been over had nobody opened it.
    castellan.advance_to(600);
    for _ in 0..3 {
        let again = browser.get(&url).await;
        assert!(again.location().starts_with("/auth/login"), "{again:?}");
        let refused = other.get(&url).await;
        assert_eq!((refused.status.as_u16(), refused.header("location")), (400, None));
    }
    let (one, two) = (browser.get(&url).await, browser.get(&url).await);
    let one = browser.sign_in(&castellan, &one, ANN).await;
    let two = browser.sign_in(&castellan, &two, ANN).await;
    // Both pages lead to a question, and one of them to a code.
    let again = browser.get(&url).await;
    assert!(again.location().starts_with("/auth/consent"), "{again:?}");
    let answer = browser.decide(&castellan, &two, "allow").await;
    assert!(answer.location_param("code").is_some(), "{answer:?}");
    for late in [&one, &again] {
        let refused = browser.decide(&castellan, late, "allow").await;
        assert_eq!((refused.status.as_u16(), refused.header("location")), (400, None));
    }
    let refused = browser.get(&url).await;
    assert_eq!((refused.status.as_u16(), refused.header("location")), (400, None));
}

/// A no is an answer, too, be it the person's or ours.
#[tokio::test]
async fn a_no_uses_a_reference_up() {
    let castellan = start().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let pushed = push(&castellan, &Asking::portal(), &PORTAL).await.json();
    let url = reference(&castellan, "portal", &pushed);
    let asked = browser.get(&url).await;
    let denied = browser.decide(&castellan, &asked, "deny").await;
    assert_eq!(denied.location_param("error").as_deref(), Some("access_denied"), "{denied:?}");
    assert_eq!(browser.get(&url).await.status, 400);
    let silent = Asking::portal().with("prompt", "none");
    let pushed = push(&castellan, &silent, &PORTAL).await.json();
    let url = reference(&castellan, "portal", &pushed);
    let refused = Browser::default().get(&url).await;
    assert_eq!(refused.location_param("error").as_deref(), Some("login_required"), "{refused:?}");
    assert_eq!(browser.get(&url).await.status, 400);
}

#[tokio::test]
async fn a_reference_is_its_apps_own_and_does_not_last() {
    let castellan = start().await;
    let pushed = push(&castellan, &Asking::portal(), &PORTAL).await.json();
    let mut browser = Browser::default();
    for (client, reference_of) in [("spa", &pushed), ("nobody", &pushed)] {
        let answer = Ask::get(&reference(&castellan, client, reference_of)).send().await;
        assert_refused(&answer, 400, "invalid_request");
    }
    // Nobody else has burnt it.
    let asked = browser.get(&reference(&castellan, "portal", &pushed)).await;
    assert!(asked.location().starts_with("/auth/login"), "{asked:?}");
    let late = push(&castellan, &Asking::portal(), &PORTAL).await.json();
    castellan.advance_to(61);
    let answer = Ask::get(&reference(&castellan, "portal", &late)).send().await;
    assert_refused(&answer, 400, "invalid_request");
    let unknown = Opaque::generate(OpaqueKind::RequestUri).text();
    let unknown =
        serde_json::json!({"request_uri": format!("urn:ietf:params:oauth:request_uri:{unknown}")});
    let answer = Ask::get(&reference(&castellan, "portal", &unknown)).send().await;
    assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a_reference_in_a_form_is_spent_where_the_form_is_led_to() {
    let castellan = start().await;
    let pushed = push(&castellan, &Asking::portal(), &PORTAL).await.json();
    let pairs = [("client_id", "portal"), ("request_uri", text(&pushed, "request_uri"))];
    for _ in 0..2 {
        let led = Ask::post(&castellan.at("/auth/authorize")).form(&pairs).send().await;
        assert_eq!((led.status.as_u16(), led.header("set-cookie")), (303, None), "{led:?}");
        assert_eq!(castellan.at(led.location()), reference(&castellan, "portal", &pushed));
    }
    let mut browser = Browser::as_ann(&castellan).await;
    let asked = browser.get(&reference(&castellan, "portal", &pushed)).await;
    assert!(asked.location().starts_with("/auth/consent"), "{asked:?}");
}

#[tokio::test]
async fn what_is_pushed_may_ask_for_a_sign_in_and_for_consent() {
    let castellan = start().await;
    let mut browser = Browser::default();
    browser.code(&castellan, &Asking::portal()).await;
    let asking = Asking::portal().with("prompt", "login consent");
    let pushed = push(&castellan, &asking, &PORTAL).await.json();
    let asked = browser.get(&reference(&castellan, "portal", &pushed)).await;
    assert!(asked.location().starts_with("/auth/login"), "{asked:?}");
    let asked = browser.sign_in(&castellan, &asked, ANN).await;
    assert!(asked.location().starts_with("/auth/consent"), "{asked:?}");
    let answer = browser.decide(&castellan, &asked, "allow").await;
    assert!(answer.location_param("code").is_some(), "{answer:?}");
}

#[tokio::test]
async fn what_is_pushed_is_proven_and_checked() {
    let castellan = start().await;
    let wrong = [("client_id", "portal"), ("client_secret", "wrong")];
    assert_refused(&push(&castellan, &Asking::portal(), &wrong).await, 401, "invalid_client");
    let unproven = [("client_id", "portal")];
    assert_refused(&push(&castellan, &Asking::portal(), &unproven).await, 401, "invalid_client");
    for (asking, error) in [
        (Asking::portal().with("redirect_uri", "https://evil.test/cb"), "invalid_request"),
        (Asking::portal().with("response_type", "token"), "unsupported_response_type"),
        (Asking::portal().with("scope", "Mutation:*"), "invalid_scope"),
        (Asking::portal().with("request_uri", "urn:x"), "invalid_request"),
        (Asking::portal().with("request", "x.y.z"), "request_not_supported"),
    ] {
        assert_refused(&push(&castellan, &asking, &PORTAL).await, 400, error);
    }
    // A public app proves nothing, and is checked all the same.
    let public = [("client_id", "spa")];
    assert_eq!(push(&castellan, &Asking::spa(), &public).await.status, 201);
    let bare = Asking::spa().without("code_challenge").without("code_challenge_method");
    assert_refused(&push(&castellan, &bare, &public).await, 400, "invalid_request");
}

#[tokio::test]
async fn an_app_may_have_to_push() {
    let castellan = start().await;
    let asking = Asking::of("strict", "https://strict.test/cb");
    let answer = Ask::get(&asking.at(&castellan)).send().await;
    assert_eq!(answer.location_param("error").as_deref(), Some("invalid_request"), "{answer:?}");
    let proof = [("client_id", "strict"), ("client_secret", "s3cr3t-strict")];
    let pushed = push(&castellan, &asking, &proof).await.json();
    let mut browser = Browser::as_ann(&castellan).await;
    let answer = browser.get(&reference(&castellan, "strict", &pushed)).await;
    assert!(answer.location().starts_with("https://strict.test/cb?code="), "{answer:?}");
    let metadata = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await.json();
    let endpoint = text(&metadata, "pushed_authorization_request_endpoint");
    assert_eq!(endpoint, castellan.at("/auth/par"));
}

/// What a script of the origin may read is up to the app that the answer is about.
#[tokio::test]
async fn scripts_read_what_is_about_their_own_app() {
    let castellan = start().await;
    let own = "https://script.test";
    for path in ["/auth/token", "/auth/revoke", "/auth/userinfo", "/oauth/token"] {
        let preflight = Ask::new(http::Method::OPTIONS, &castellan.at(path))
            .header("origin", own)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization")
            .send()
            .await;
        assert_eq!(preflight.status, 204, "{path}: {preflight:?}");
        assert_eq!(preflight.header("access-control-allow-credentials"), None);
    }
    let allowed = async |client: &str, origin: &str| {
        let pairs = [("grant_type", "authorization_code"), ("code", "x"), ("client_id", client)];
        let ask = Ask::post(&castellan.at("/auth/token")).form(&pairs).header("origin", origin);
        let answer = ask.send().await;
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        answer.header("access-control-allow-origin").map(ToOwned::to_owned)
    };
    assert_eq!(allowed("script", own).await.as_deref(), Some(own), "an error is readable, too");
    for (client, origin) in [
        ("script", "https://evil.test"),
        ("script", "https://script.test.evil.test"),
        ("script", "null"),
        ("spa", own),
        ("nobody", own),
    ] {
        assert_eq!(allowed(client, origin).await, None, "{client} {origin}");
    }
    let mut browser = Browser::default();
    let asking =
        Asking::spa().with("client_id", "script").with("redirect_uri", "https://script.test/cb");
    let code = browser.code(&castellan, &asking).await;
    let proof = [("client_id", "script"), SPA[1]];
    let tokens = castellan.redeem(&code, &proof).await.json();
    let userinfo = Ask::get(&castellan.at("/auth/userinfo"))
        .bearer(text(&tokens, "access_token"))
        .header("origin", own)
        .send()
        .await;
    assert_eq!(userinfo.header("access-control-allow-origin"), Some(own), "{userinfo:?}");
    let over = Ask::get(&castellan.at("/auth/userinfo")).bearer("x").header("origin", own);
    let over = over.send().await;
    assert_eq!(
        (over.status.as_u16(), over.header("access-control-allow-origin")),
        (401, Some("*"))
    );
}
