//! `docs/contracts/aidbox.md` §12: from a code to tokens, and what becomes of them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use castellan_proto::jose::Algorithm;
use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL, SPA, VERIFIER, assert_refused, text},
    jose,
    wire::{Answer, Ask},
};

const TEN_YEARS: u64 = 315_576_000;

/// `Authorization: Basic` of `portal`.
fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("portal:{secret}")))
}

/// A code for `portal` and the server that issued it.
async fn code_for_portal() -> (Castellan, String) {
    let castellan = Castellan::with_ann().await;
    let code = Browser::default().code(&castellan, &Asking::portal()).await;
    (castellan, code)
}

/// What a resource server learns of `token`.
async fn introspected(castellan: &Castellan, token: &str) -> Answer {
    let pairs = [&PORTAL[..], &[("token", token)]].concat();
    Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await
}

#[tokio::test]
async fn aidbox_19_a_code_is_traded_by_json() {
    let (castellan, code) = code_for_portal().await;
    let body = json!({
        "grant_type": "authorization_code", "client_id": "portal",
        "client_secret": "s3cr3t-portal", "code": code,
    });
    let answer = Ask::post(&castellan.at("/auth/token")).json(&body).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let said = answer.json();
    assert_eq!(said["token_type"], "Bearer");
    assert_eq!(said["expires_in"], 600);
    assert_eq!(said["userinfo"]["resourceType"], "User");
    assert_eq!(said["userinfo"]["id"], "ann");
    assert!(!answer.body.contains("password") && !answer.body.contains("argon2"), "{answer:?}");
}

#[tokio::test]
async fn aidbox_20_a_code_is_traded_by_a_form_with_basic() {
    let (castellan, code) = code_for_portal().await;
    let answer = Ask::post(&castellan.at("/auth/token"))
        .header("authorization", &basic("s3cr3t-portal"))
        .form(&[("grant_type", "authorization_code"), ("code", &code)])
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["userinfo"]["id"], "ann");
}

#[tokio::test]
async fn aidbox_21_a_code_shown_twice_ends_what_it_gave() {
    let (castellan, code) = code_for_portal().await;
    let tokens = castellan.redeem(&code, &PORTAL).await.json();
    let access = text(&tokens, "access_token");
    assert_eq!(castellan.userinfo(access).await.status, 200);
    assert_refused(&castellan.redeem(&code, &PORTAL).await, 400, "invalid_grant");
    assert_eq!(castellan.userinfo(access).await.status, 401);
    let refresh = castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_refused(&refresh, 400, "invalid_grant");
}

#[tokio::test]
async fn aidbox_22_a_wrong_secret_and_none_are_the_same() {
    let (castellan, code) = code_for_portal().await;
    for client in [
        &[("client_id", "portal"), ("client_secret", "wrong")][..],
        &[("client_id", "portal"), ("client_secret", "s3cr3t-portal\n")],
        &[("client_id", "portal")],
        &[("client_id", "nobody"), ("client_secret", "s3cr3t-portal")],
    ] {
        assert_refused(&castellan.redeem(&code, client).await, 401, "invalid_client");
    }
    let by_basic = Ask::post(&castellan.at("/auth/token"))
        .header("authorization", &basic("wrong"))
        .form(&[("grant_type", "authorization_code"), ("code", &code)])
        .send()
        .await;
    assert_refused(&by_basic, 401, "invalid_client");
    assert!(by_basic.header("www-authenticate").unwrap().starts_with("Basic"), "{by_basic:?}");
    // None of them has used the code up.
    assert_eq!(castellan.redeem(&code, &PORTAL).await.status, 200);
}

#[tokio::test]
async fn aidbox_23_another_client_can_neither_use_nor_burn_a_code() {
    let (castellan, code) = code_for_portal().await;
    for client in [&SPA[..], &[("client_id", "spa")]] {
        assert_refused(&castellan.redeem(&code, client).await, 400, "invalid_grant");
    }
    assert_eq!(castellan.redeem(&code, &PORTAL).await.status, 200);
}

#[tokio::test]
async fn aidbox_24_a_code_dies_of_age() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let (early, late) = (
        browser.code(&castellan, &Asking::portal()).await,
        browser.code(&castellan, &Asking::portal()).await,
    );
    castellan.advance_to(30);
    assert_eq!(castellan.redeem(&early, &PORTAL).await.status, 200);
    castellan.advance_to(61);
    assert_refused(&castellan.redeem(&late, &PORTAL).await, 400, "invalid_grant");
}

#[tokio::test]
async fn aidbox_25_only_the_right_verifier_opens_a_code() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let good = browser.code(&castellan, &Asking::spa()).await;
    assert_eq!(castellan.redeem(&good, &SPA).await.status, 200);
    let (short, long) = ("a".repeat(42), "a".repeat(129));
    let wrong = "a".repeat(43);
    for client in [
        &[("client_id", "spa"), ("code_verifier", &*wrong)][..],
        &[("client_id", "spa")],
        &[("client_id", "spa"), ("code_verifier", &short)],
        &[("client_id", "spa"), ("code_verifier", &long)],
        &[("client_id", "spa"), ("code_verifier", "")],
    ] {
        let code = browser.code(&castellan, &Asking::spa()).await;
        assert_refused(&castellan.redeem(&code, client).await, 400, "invalid_grant");
        // A code that somebody fumbled with is worth nothing any more.
        assert_refused(&castellan.redeem(&code, &SPA).await, 400, "invalid_grant");
    }
    // 42 times "a" and a "b": the other vector of the contract.
    let edge = format!("{}b", "a".repeat(42));
    let asking =
        Asking::spa().with("code_challenge", "GgACfrnJmz57f5KUJXTxp6iumS4r8VssgYzQ9RIl2cc");
    let code = browser.code(&castellan, &asking).await;
    let client = [("client_id", "spa"), ("code_verifier", &*edge)];
    assert_eq!(castellan.redeem(&code, &client).await.status, 200);
}

#[tokio::test]
async fn aidbox_26_an_access_token_is_a_jwt_that_anybody_can_check() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.portal_tokens().await;
    let access = text(&tokens, "access_token");
    assert_eq!(jose::header(access)["alg"], "RS256");
    let jwks = "/.well-known/jwks.json";
    let claims = jose::proven(&castellan, jwks, (access, Algorithm::Rs256)).await;
    assert_eq!(claims["sub"], "ann");
    assert_eq!(claims["iss"], *castellan.url);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
    let known = introspected(&castellan, access).await.json();
    assert_eq!(known["jti"], claims["jti"]);
}

#[tokio::test]
async fn aidbox_27_a_refresh_ends_the_access_token_before() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.portal_tokens().await;
    let before = text(&tokens, "access_token");
    assert_eq!(castellan.userinfo(before).await.status, 200);
    let answer = castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let renewed = answer.json();
    assert_eq!(renewed["token_type"], "Bearer");
    assert_eq!(renewed["expires_in"], 600);
    let access = text(&renewed, "access_token");
    assert_eq!(castellan.userinfo(access).await.status, 200);
    assert_eq!(castellan.userinfo(before).await.status, 401);
    assert_eq!(jose::claims(access)["sub"], "ann");
    assert_eq!(jose::claims(access)["scope"], jose::claims(before)["scope"]);
}

#[tokio::test]
async fn aidbox_28_a_confidential_client_proves_itself_to_refresh() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.portal_tokens().await;
    let answer =
        castellan.refresh(text(&tokens, "refresh_token"), &[("client_id", "portal")]).await;
    assert_refused(&answer, 401, "invalid_client");
}

#[tokio::test]
async fn aidbox_29_a_refresh_token_lives_on_while_it_is_used() {
    // The contract's 4 s, 3 s, 6 s and 5 s, times a thousand, so that a slow machine is no matter.
    let documents =
        DOCUMENTS.replace("refresh_token_expiration: 86400", "refresh_token_expiration: 4000");
    let castellan = Castellan::with_documents(&documents).await;
    let tokens = castellan.portal_tokens().await;
    let refresh = text(&tokens, "refresh_token");
    for time in [3_000, 6_000] {
        castellan.advance_to(time);
        let answer = castellan.refresh(refresh, &PORTAL).await;
        assert_eq!(answer.status, 200, "at {time}: {answer:?}");
    }
    castellan.advance_to(11_000);
    assert_refused(&castellan.refresh(refresh, &PORTAL).await, 400, "invalid_grant");
}

#[tokio::test]
async fn aidbox_30_without_a_configured_end_a_refresh_token_has_none() {
    let documents = DOCUMENTS.replace("refresh_token_expiration: 86400", "");
    let castellan = Castellan::with_documents(&documents).await;
    let tokens = castellan.portal_tokens().await;
    castellan.advance_to(TEN_YEARS);
    let answer = castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// `docs/security-cases.md` trap 5: as written, with a warning, and with an end if the server has
/// one.
#[tokio::test]
async fn a_refresh_token_without_an_end_is_warned_of_and_may_be_given_one() {
    let documents = DOCUMENTS.replace("refresh_token_expiration: 86400", "");
    let castellan = Castellan::with_documents(&documents).await;
    let said = castellan.said(&["doctor"]);
    assert!(said.contains("WARNING: refresh tokens of portal, spa never expire"), "{said}");
    let castellan = Castellan::start(Plan {
        config: "[tokens]\nrefresh_longest = \"1d\"\n".to_owned(),
        documents,
        ..Plan::default()
    })
    .await;
    assert!(!castellan.said(&["doctor"]).contains("never expire"));
    let tokens = castellan.portal_tokens().await;
    castellan.advance_to(86_400);
    let answer = castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_refused(&answer, 400, "invalid_grant");
}

#[tokio::test]
async fn aidbox_31_a_refresh_token_is_no_access_token() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.portal_tokens().await;
    let answer = castellan.userinfo(text(&tokens, "refresh_token")).await;
    assert_refused(&answer, 401, "invalid_token");
    let code = Browser::as_ann(&castellan).await.code(&castellan, &Asking::spa()).await;
    assert_refused(&castellan.userinfo(&code).await, 401, "invalid_token");
    assert_refused(&castellan.userinfo(text(&tokens, "id_token")).await, 401, "invalid_token");
}

#[tokio::test]
async fn aidbox_32_without_refresh_token_there_is_none() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let kiosk = [("client_id", "kiosk"), ("client_secret", "s3cr3t-kiosk")];
    let asking = Asking::of("kiosk", "https://kiosk.test/cb");
    let tokens = castellan.tokens(&mut browser, &asking, &kiosk).await;
    assert!(tokens.get("refresh_token").is_none(), "{tokens}");
    let others = castellan.tokens(&mut browser, &Asking::spa(), &SPA).await;
    let answer = castellan.refresh(text(&others, "refresh_token"), &kiosk).await;
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[tokio::test]
async fn aidbox_34_garbage_is_no_bearer_token() {
    let castellan = Castellan::with_ann().await;
    for token in ["garbage", "a.b.c", "csl_access_AAAA", "e30.e30.e30"] {
        let answer = castellan.userinfo(token).await;
        assert_refused(&answer, 401, "invalid_token");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{answer:?}");
    }
    let none = Ask::get(&castellan.at("/auth/userinfo")).send().await;
    assert_eq!(none.status, 401, "{none:?}");
    assert!(none.header("www-authenticate").unwrap().starts_with("Bearer"), "{none:?}");
}

#[tokio::test]
async fn aidbox_40_introspection_tells_the_living_from_the_dead() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.portal_tokens().await;
    let access = text(&tokens, "access_token");
    let live = introspected(&castellan, access).await.json();
    for (name, value) in
        [("active", json!(true)), ("sub", json!("ann")), ("client_id", json!("portal"))]
    {
        assert_eq!(live[name], value, "{live}");
    }
    assert_eq!(live["scope"], "openid profile");
    let pairs = [&PORTAL[..], &[("token", access)]].concat();
    let revoked = Ask::post(&castellan.at("/auth/revoke")).form(&pairs).send().await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    for dead in [access, text(&tokens, "refresh_token"), "garbage"] {
        let answer = introspected(&castellan, dead).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, r#"{"active":false}"#);
    }
    // Whoever cannot prove itself learns nothing.
    let anybody = [("client_id", "spa"), ("token", access), ("code_verifier", VERIFIER)];
    let answer = Ask::post(&castellan.at("/auth/introspect")).form(&anybody).send().await;
    assert_refused(&answer, 401, "invalid_client");
}
