//! The device grant (RFC 8628): two codes, a page for people, and a device that asks until they have
//! answered.

use serde_json::Value;

use crate::{
    operations::nodes::within_the_bound,
    support::{
        browser::Browser,
        castellan::Castellan,
        fixtures::{ANN, assert_refused, text},
        jose::claims,
        wire::{Answer, Ask},
    },
};

const DOCUMENTS: &str = r#"
resourceType: User
id: ann
userName: ann
password: pw-ann
---
resourceType: Client
id: tv
name: The living room
grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]
scope: [openid, profile, "Query:*"]
---
resourceType: Client
id: radio
secret: s3cr3t-radio
first_party: true
grant_types: [device_code]
scope: [openid]
---
resourceType: Client
id: svc
secret: s3cr3t-svc
grant_types: [client_credentials]
scope: ["Query:*"]
"#;
const TV: [(&str, &str); 1] = [("client_id", "tv")];
const RADIO: [(&str, &str); 2] = [("client_id", "radio"), ("client_secret", "s3cr3t-radio")];

async fn start() -> Castellan {
    Castellan::with_documents(DOCUMENTS).await
}

async fn begin(castellan: &Castellan, client: &[(&str, &str)]) -> Value {
    let answer = Ask::post(&castellan.at("/auth/device")).form(client).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

/// The device looks whether somebody has answered.
async fn look(castellan: &Castellan, begun: &Value, client: &[(&str, &str)]) -> Answer {
    let pairs = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", text(begun, "device_code")),
    ];
    castellan.token(&[&pairs[..], client].concat()).await
}

/// Ann types in what the device shows, and comes as far as the question.
async fn ask(castellan: &Castellan, browser: &mut Browser, user_code: &str) -> Answer {
    let form = castellan.at("/auth/device/code");
    let mut answer = browser.post(&form, &[("user_code", user_code)]).await;
    if answer.status == 303 && answer.location().starts_with("/auth/login") {
        answer = browser.sign_in(castellan, &answer, ANN).await;
    }
    answer
}

/// She answers it.
pub async fn answer(castellan: &Castellan, user_code: &str, decision: &str) -> Answer {
    let mut browser = Browser::default();
    let asked = ask(castellan, &mut browser, user_code).await;
    browser.decide(castellan, &asked, decision).await
}

#[tokio::test]
async fn a_device_gets_its_tokens_when_the_person_agrees() {
    let castellan = start().await;
    let begun = begin(&castellan, &TV).await;
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&600.into(), &5.into()));
    assert_eq!(begun["verification_uri"], castellan.at("/auth/device"));
    let user_code = text(&begun, "user_code");
    let complete = text(&begun, "verification_uri_complete");
    assert_eq!(complete, castellan.at(&format!("/auth/device?user_code={user_code}")));
    let scanned = Browser::default().get(complete).await;
    assert!(scanned.body.contains(&format!("value=\"{user_code}\"")), "{scanned:?}");
    assert_refused(&look(&castellan, &begun, &TV).await, 400, "authorization_pending");

    let mut browser = Browser::default();
    // As people type: in small letters, with a blank.
    let typed = user_code.to_lowercase().replace('-', " ");
    let asked = ask(&castellan, &mut browser, &typed).await;
    let question = browser.get(&castellan.at(asked.location())).await;
    for shown in ["The living room", user_code, "Nobody from"] {
        assert!(question.body.contains(shown), "no {shown}: {question:?}");
    }
    let agreed = browser.decide(&castellan, &asked, "allow").await;
    assert!(agreed.status == 200 && agreed.body.contains("Your device is connected"), "{agreed:?}");

    let issued = look(&castellan, &begun, &TV).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    let tokens = issued.json();
    let said = claims(text(&tokens, "id_token"));
    assert_eq!(said.get("sid"), None, "the browser's session is not the device's");
    let info = castellan.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(info.json()["sub"], "ann", "{info:?}");
    let refreshed = castellan.refresh(text(&tokens, "refresh_token"), &TV).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    // What she takes back is over.
    assert_eq!(castellan.grants(), 1);
    castellan.said(&["delete", "Grant", "ann/tv"]);
    let child = refreshed.json();
    let withdrawn = async || castellan.userinfo(text(&child, "access_token")).await.status == 401;
    within_the_bound("what was taken back holds", withdrawn).await;
    let late = castellan.refresh(text(&child, "refresh_token"), &TV).await;
    assert_refused(&late, 400, "invalid_grant");
}

/// As with codes of browsers (RFC 6749 §4.1.2): for as long as something that came of it lives.
#[tokio::test]
async fn a_device_code_that_comes_again_days_later_ends_what_it_gave() {
    let castellan = start().await;
    let begun = begin(&castellan, &TV).await;
    answer(&castellan, text(&begun, "user_code"), "allow").await;
    let mut tokens = look(&castellan, &begun, &TV).await.json();
    for days in [1, 20, 40] {
        castellan.advance_to(days * 86_400);
        tokens = castellan.refresh(text(&tokens, "refresh_token"), &TV).await.json();
    }
    assert_refused(&look(&castellan, &begun, &RADIO).await, 400, "invalid_grant");
    let info = castellan.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(info.status, 200, "another's look ends nothing: {info:?}");
    assert_refused(&look(&castellan, &begun, &TV).await, 400, "invalid_grant");
    assert_eq!(castellan.userinfo(text(&tokens, "access_token")).await.status, 401);
    let late = castellan.refresh(text(&tokens, "refresh_token"), &TV).await;
    assert_refused(&late, 400, "invalid_grant");
}

#[tokio::test]
async fn a_person_denies_a_device_without_signing_in() {
    let castellan = start().await;
    let begun = begin(&castellan, &TV).await;
    let mut browser = Browser::default();
    let pairs = [("user_code", text(&begun, "user_code"))];
    let asked = browser.post(&castellan.at("/auth/device/code"), &pairs).await;
    let form = browser.get(&castellan.at(asked.location())).await;
    let pairs = [("flow", &*form.hidden("flow").unwrap()), ("decision", "deny")];
    let denied = browser.post(&castellan.at("/auth/login"), &pairs).await;
    assert!(denied.status == 200 && denied.body.contains("Access denied"), "{denied:?}");
    assert_refused(&look(&castellan, &begun, &TV).await, 400, "access_denied");
}

#[tokio::test]
async fn a_code_is_good_for_its_client_once_and_a_second_look_ends_what_the_first_one_got() {
    let castellan = start().await;
    let begun = begin(&castellan, &RADIO).await;
    // A house's own app asks all the same: whose device it is only she can tell.
    let agreed = answer(&castellan, text(&begun, "user_code"), "allow").await;
    assert_eq!(agreed.status, 200, "{agreed:?}");
    assert_refused(&look(&castellan, &begun, &TV).await, 400, "invalid_grant");
    let unproven = [("client_id", "radio")];
    assert_refused(&look(&castellan, &begun, &unproven).await, 401, "invalid_client");
    let issued = look(&castellan, &begun, &RADIO).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    let token = text(&issued.json(), "access_token").to_owned();
    assert_eq!(castellan.userinfo(&token).await.status, 200);
    assert_refused(&look(&castellan, &begun, &RADIO).await, 400, "invalid_grant");
    assert_eq!(castellan.userinfo(&token).await.status, 401);
}

#[tokio::test]
async fn of_64_looks_at_once_one_gets_tokens() {
    let castellan = start().await;
    let begun = begin(&castellan, &RADIO).await;
    answer(&castellan, text(&begun, "user_code"), "allow").await;
    let pairs = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", text(&begun, "device_code")),
    ];
    let pairs = [&pairs[..], &RADIO].concat();
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        racers.spawn(Ask::post(&castellan.at("/auth/token")).form(&pairs).send());
    }
    let answers = racers.join_all().await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(good <= 1, "{good} were given tokens");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.json()["error"], "invalid_grant", "{refused:?}");
    }
}

#[tokio::test]
async fn a_device_hears_no_and_too_late_and_not_so_fast() {
    let castellan = start().await;
    let denied = begin(&castellan, &TV).await;
    let said = answer(&castellan, text(&denied, "user_code"), "deny").await;
    assert!(said.status == 200 && said.body.contains("Access denied"), "{said:?}");
    assert_refused(&look(&castellan, &denied, &TV).await, 400, "access_denied");

    let waiting = begin(&castellan, &TV).await;
    assert_refused(&look(&castellan, &waiting, &TV).await, 400, "authorization_pending");
    assert_refused(&look(&castellan, &waiting, &TV).await, 400, "slow_down");
    castellan.advance_to(60);
    assert_refused(&look(&castellan, &waiting, &TV).await, 400, "authorization_pending");
    castellan.advance_to(601);
    assert_refused(&look(&castellan, &waiting, &TV).await, 400, "expired_token");
    let late = ask(&castellan, &mut Browser::default(), text(&waiting, "user_code")).await;
    assert!(late.status == 400 && late.body.contains("No device is waiting"), "{late:?}");
}

#[tokio::test]
async fn a_user_code_is_answered_once_and_not_guessed() {
    let castellan = start().await;
    let begun = begin(&castellan, &TV).await;
    let user_code = text(&begun, "user_code");
    let (mut one, mut two) = (Browser::default(), Browser::default());
    let (first, second) =
        (ask(&castellan, &mut one, user_code).await, ask(&castellan, &mut two, user_code).await);
    assert_eq!(one.decide(&castellan, &first, "deny").await.status, 200);
    let late = two.decide(&castellan, &second, "allow").await;
    assert_eq!(late.status, 400, "it was answered already: {late:?}");
    assert_refused(&look(&castellan, &begun, &TV).await, 400, "access_denied");

    let form = castellan.at("/auth/device/code");
    let mut last = None;
    for _ in 0..400 {
        let guess = one.post(&form, &[("user_code", "BBBB-BBBB")]).await;
        if guess.status == 429 {
            last = Some(guess);
            break;
        }
        assert_eq!(guess.status, 400, "{guess:?}");
    }
    let last = last.expect("there is an end to guessing");
    assert!(last.header("retry-after").is_some(), "{last:?}");
    let elsewhere = Ask::post(&form)
        .form(&[("user_code", user_code)])
        .header("origin", "https://evil.test")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(elsewhere.send().await.status, 403);
}

#[tokio::test]
async fn only_those_who_may_begin() {
    let castellan = start().await;
    let begin = async |pairs: &[(&str, &str)]| {
        Ask::post(&castellan.at("/auth/device")).form(pairs).send().await
    };
    let svc = [("client_id", "svc"), ("client_secret", "s3cr3t-svc")];
    assert_refused(&begin(&svc).await, 400, "unauthorized_client");
    assert_refused(&begin(&[("client_id", "nobody")]).await, 401, "invalid_client");
    assert_refused(&begin(&[("client_id", "radio")]).await, 401, "invalid_client");
    let wide = [&TV[..], &[("scope", "Mutation:*")]].concat();
    assert_refused(&begin(&wide).await, 400, "invalid_scope");
    assert_refused(&begin(&[]).await, 400, "invalid_request");
}
