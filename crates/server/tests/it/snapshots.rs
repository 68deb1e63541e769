//! Whole answers as they go over the wire.

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, PORTAL},
    trompa::{Stage, plan},
    wire::{Answer, Ask},
};

/// An answer without what differs from run to run.
fn photograph(castellan: &Castellan, answer: &Answer) -> String {
    answer.photograph().replace(&castellan.url, "http://castellan.test")
}

#[tokio::test]
async fn a_token_answer_is_kept_out_of_caches() {
    let castellan = Castellan::with_ann().await;
    let code = Browser::default().code(&castellan, &Asking::portal()).await;
    let mut answer = castellan.redeem(&code, &PORTAL).await;
    let mut body = answer.json();
    for name in ["access_token", "refresh_token", "id_token"] {
        body[name] = Value::from("…");
    }
    answer.body = serde_json::to_string_pretty(&body).unwrap();
    assert_snapshot!(photograph(&castellan, &answer), @"");
}

#[tokio::test]
async fn an_unproven_client_is_told_no_more() {
    let castellan = Castellan::with_ann().await;
    let answer = castellan.redeem("x", &[("client_id", "portal")]).await;
    assert_snapshot!(photograph(&castellan, &answer), @"");
}

#[tokio::test]
async fn a_code_that_is_none_is_just_not_redeemable() {
    let castellan = Castellan::with_ann().await;
    let answer = castellan.redeem("SplxlOBe", &PORTAL).await;
    assert_snapshot!(photograph(&castellan, &answer), @"");
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_inactive_and_nothing_else() {
    let castellan = Castellan::with_ann().await;
    let pairs = [&PORTAL[..], &[("token", "garbage")]].concat();
    let answer = Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await;
    assert_snapshot!(photograph(&castellan, &answer), @"");
}

#[tokio::test]
async fn discovery_promises_what_is_served() {
    let castellan = Castellan::with_ann().await;
    let other = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await;
    let mut answer =
        Ask::get(&castellan.at("/.well-known/oauth-authorization-server")).send().await;
    assert_eq!(answer.body, other.body, "both paths have one document");
    answer.body = serde_json::to_string_pretty(&answer.json()).unwrap();
    assert_snapshot!(photograph(&castellan, &answer), @"");
}

#[tokio::test]
async fn the_sign_in_page_cannot_be_framed_scripted_or_kept() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let begun = browser.get(&Asking::spa().at(&castellan)).await;
    let mut page = browser.get(&castellan.at(begun.location())).await;
    assert!(!page.body.contains("<script") && !page.body.contains("http://"), "{page:?}");
    page.body.clear();
    assert_snapshot!(photograph(&castellan, &page), @"");
}

#[tokio::test]
async fn a_denial_names_its_decision() {
    let stage = Stage::start().await;
    let answer = stage.send(None, "mutation { CreatePerson(name: \"Ada\") { name } }").await;
    let id = answer.header("castellan-decision").unwrap().to_owned();
    let photograph = photograph(&stage.castellan, &answer).replace(&id, "(decision)");
    assert_snapshot!(photograph, @"");
}

#[tokio::test]
async fn a_wrong_key_is_told_as_the_contract_has_it() {
    let castellan = Castellan::start(plan(None)).await;
    let body = serde_json::json!({"id": "admin", "apiKey": "wrong", "scopes": ["*"]});
    let answer = Ask::post(&castellan.at("/jwt")).json(&body).send().await;
    assert_snapshot!(photograph(&castellan, &answer), @"");
}
