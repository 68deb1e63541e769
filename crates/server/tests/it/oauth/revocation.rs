//! What is taken back is gone: at once here, within a second everywhere; and what was given
//! survives a power cut.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL, assert_refused, text},
    upstream::Recorder,
    wire::Ask,
};

/// A gate that lets in whoever may ask for `hello`.
struct Door {
    castellan: Castellan,
    _recorder: Recorder,
}

/// How long a revoked token may still be taken for good (`docs/rules.md` rules 28, 29).
const BOUND: Duration = Duration::from_secs(1);

impl Door {
    async fn open() -> Self {
        let recorder = Recorder::start().await;
        recorder.answer(r#"{"data":{"hello":"hi"}}"#);
        let castellan = Castellan::start(Plan {
            config: format!(
                "[[guard]]\nname = \"door\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
                 schema = \"door.graphql\"\n",
                recorder.url
            ),
            documents: DOCUMENTS.to_owned(),
            files: vec![("door.graphql", "type Query { hello: String }".to_owned())],
            ..Plan::default()
        })
        .await;
        Self { castellan, _recorder: recorder }
    }

    async fn lets_in(&self, token: &str) -> bool {
        let answer = self.castellan.graphql("/graphql", Some(token), "{ hello }").await;
        let body = answer.json();
        let denied = json!({"hello": null});
        assert!(body["data"] == json!({"hello": "hi"}) || body["data"] == denied, "{answer:?}");
        body["data"] != denied
    }

    /// A token of Ann's for `portal`, which the gate has seen and let in.
    async fn token(&self, browser: &mut Browser) -> serde_json::Value {
        let asking = Asking::portal().with("scope", "openid Query:*");
        let tokens = self.castellan.tokens(browser, &asking, &PORTAL).await;
        for _ in 0..3 {
            assert!(self.lets_in(text(&tokens, "access_token")).await);
        }
        tokens
    }

    /// Asserts that no request that is sent later than [`BOUND`] from now lets `token` in.
    async fn shuts(&self, token: &str) {
        let begun = Instant::now();
        loop {
            let sent = begun.elapsed();
            if !self.lets_in(token).await {
                break;
            }
            assert!(sent < BOUND, "let in after {sent:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!self.lets_in(token).await, "it was let in again");
        assert_eq!(self.castellan.userinfo(token).await.status, 401);
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let door = Door::open().await;
    let mut browser = Browser::default();
    for kind in ["access_token", "refresh_token"] {
        let tokens = door.token(&mut browser).await;
        let pairs = [&PORTAL[..], &[("token", text(&tokens, kind))]].concat();
        let answer = Ask::post(&door.castellan.at("/auth/revoke")).form(&pairs).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!door.lets_in(text(&tokens, "access_token")).await, "by its {kind}");
        let renewed = door.castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
        assert_refused(&renewed, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_token_of_another_client_is_not_revoked() {
    let door = Door::open().await;
    let tokens = door.token(&mut Browser::default()).await;
    let pairs = [("client_id", "spa"), ("token", text(&tokens, "access_token"))];
    let answer = Ask::post(&door.castellan.at("/auth/revoke")).form(&pairs).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(door.lets_in(text(&tokens, "access_token")).await);
}

#[tokio::test]
async fn a_deleted_client_is_out_within_a_second() {
    let door = Door::open().await;
    let tokens = door.token(&mut Browser::default()).await;
    door.castellan.said(&["delete", "Client", "portal"]);
    door.shuts(text(&tokens, "access_token")).await;
    let renewed = door.castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_refused(&renewed, 401, "invalid_client");
    let asked = Ask::get(&Asking::portal().at(&door.castellan)).send().await;
    assert_refused(&asked, 400, "invalid_client");
}

#[tokio::test]
async fn a_machine_goes_with_its_client() {
    let door = Door::open().await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    let tokens = door.castellan.token(&pairs).await.json();
    let access = text(&tokens, "access_token");
    assert!(door.lets_in(access).await);
    door.castellan.said(&["delete", "Client", "svc"]);
    door.shuts(access).await;
    assert_refused(&door.castellan.token(&pairs).await, 401, "invalid_client");
}

#[tokio::test]
async fn an_opaque_token_is_refused_at_once_too() {
    let castellan = Castellan::with_ann().await;
    let kiosk = [("client_id", "kiosk"), ("client_secret", "s3cr3t-kiosk")];
    let asking = Asking::of("kiosk", "https://kiosk.test/cb");
    let tokens = castellan.tokens(&mut Browser::default(), &asking, &kiosk).await;
    let access = text(&tokens, "access_token");
    assert!(access.starts_with("csl_access_"), "{access}");
    for _ in 0..2 {
        assert_eq!(castellan.userinfo(access).await.status, 200);
    }
    let pairs = [&kiosk[..], &[("token", access)]].concat();
    Ask::post(&castellan.at("/auth/revoke")).form(&pairs).send().await;
    assert_eq!(castellan.userinfo(access).await.status, 401);
}

#[tokio::test]
async fn a_deactivated_person_is_out_within_a_second() {
    let door = Door::open().await;
    let mut browser = Browser::default();
    let tokens = door.token(&mut browser).await;
    let code = browser.code(&door.castellan, &Asking::portal()).await;
    door.castellan.said(&["user", "deactivate", "ann"]);
    door.shuts(text(&tokens, "access_token")).await;
    for answer in [
        door.castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await,
        door.castellan.redeem(&code, &PORTAL).await,
    ] {
        assert_refused(&answer, 400, "invalid_grant");
        assert_eq!(answer.json()["error_description"], "User is inactive");
    }
    let account = browser.get(&door.castellan.at("/account")).await;
    assert_eq!(account.location(), "/auth/login");
}

#[tokio::test]
async fn a_deleted_person_is_out_within_a_second() {
    let door = Door::open().await;
    let tokens = door.token(&mut Browser::default()).await;
    door.castellan.said(&["delete", "User", "ann"]);
    door.shuts(text(&tokens, "access_token")).await;
    let renewed = door.castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_refused(&renewed, 400, "invalid_grant");
}

#[tokio::test]
async fn a_deleted_grant_ends_what_rests_on_it_within_a_second() {
    let door = Door::open().await;
    let tokens = door.token(&mut Browser::default()).await;
    door.castellan.said(&["delete", "Grant", "ann/portal"]);
    door.shuts(text(&tokens, "access_token")).await;
}

#[tokio::test]
async fn what_is_taken_back_on_the_account_page_is_gone() {
    let door = Door::open().await;
    let mut browser = Browser::default();
    let tokens = door.token(&mut browser).await;
    let page = browser.get(&door.castellan.at("/account")).await;
    assert!(page.body.contains("The portal"), "{page:?}");
    let revoke = door.castellan.at("/account/revoke");
    for csrf in ["", "wrong"] {
        let pairs = [("client_id", "portal"), ("csrf", csrf)];
        let forged = browser.post(&revoke, &pairs).await;
        assert_eq!(forged.status, 403, "{forged:?}");
    }
    assert!(door.lets_in(text(&tokens, "access_token")).await);
    let csrf = page.hidden("csrf").unwrap();
    let answer = browser.post(&revoke, &[("client_id", "portal"), ("csrf", &*csrf)]).await;
    assert_eq!(answer.location(), "/account", "{answer:?}");
    door.shuts(text(&tokens, "access_token")).await;
    assert_eq!(door.castellan.grants(), 0);
    let asked = browser.get(&Asking::portal().at(&door.castellan)).await;
    assert!(asked.location().starts_with("/auth/consent?flow="), "{asked:?}");
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_promised() {
    let mut door = Door::open().await;
    let mut browser = Browser::default();
    let tokens = door.token(&mut browser).await;
    let dead = door.token(&mut browser).await;
    let pairs = [&PORTAL[..], &[("token", text(&dead, "access_token"))]].concat();
    Ask::post(&door.castellan.at("/auth/revoke")).form(&pairs).send().await;
    let spent = browser.code(&door.castellan, &Asking::portal()).await;
    assert_eq!(door.castellan.redeem(&spent, &PORTAL).await.status, 200);
    let code = browser.code(&door.castellan, &Asking::portal()).await;
    door.castellan.restart().await;
    assert!(door.lets_in(text(&tokens, "access_token")).await);
    assert!(!door.lets_in(text(&dead, "access_token")).await, "dead stays dead");
    assert_refused(&door.castellan.redeem(&spent, &PORTAL).await, 400, "invalid_grant");
    assert_eq!(door.castellan.redeem(&code, &PORTAL).await.status, 200);
    let renewed = door.castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    let again = browser.get(&Asking::portal().at(&door.castellan)).await;
    assert!(again.location_param("code").is_some(), "the session and the consent stand: {again:?}");
}
