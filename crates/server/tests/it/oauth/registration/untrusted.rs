//! Where a client that registered itself may have browsers sent (RFC 9700 §4.11.2).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::support::{BY_TOKEN, asked, refused, registered, serving, web_app};
use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, assert_sent_back, text},
    wire::{Answer, Ask},
};

const CALLBACK: &str = "https://evil.test/cb";
const OUT: &str = "https://evil.test/out";

async fn stranger(castellan: &Castellan) -> Value {
    let metadata = web_app(&json!({
        "client_name": "Evil", "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [OUT],
    }));
    let answer = Ask::post(&castellan.at("/register")).json(&metadata).send().await;
    registered(&answer)
}

fn asking(client: &Value) -> Asking {
    Asking::of(text(client, "client_id"), CALLBACK).with("scope", "openid")
}

async fn read(url: &str) -> Answer {
    Ask::get(url).header("accept", "text/html").send().await
}

/// Asserts that `answer` is a page that names the app and goes nowhere by itself.
#[track_caller]
fn assert_stays(answer: &Answer, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None), "{answer:?}");
    assert!(answer.body.contains("Return to <bdi>evil.test</bdi>"), "{answer:?}");
    assert!(answer.body.contains(code), "{answer:?}");
    assert!(!answer.body.contains("<script"), "{answer:?}");
    assert!(!answer.body.contains("http-equiv"), "{answer:?}");
}

#[tokio::test]
async fn nobody_is_led_to_an_app_that_registered_itself_before_they_signed_in() {
    let castellan = serving("[registration]\nby = [\"open\"]\n").await;
    let client = stranger(&castellan).await;
    let wrong = [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "nosuch", "invalid_scope"),
        ("response_mode", "zzz", "invalid_request"),
        ("request", "x", "request_not_supported"),
        ("request_uri", "https://evil.test/r", "request_uri_not_supported"),
        ("code_challenge_method", "plain", "invalid_request"),
    ];
    for (name, value, code) in wrong {
        let asking = asking(&client).with(name, value);
        assert_stays(&read(&asking.at(&castellan)).await, code);
        // A request that is wrong is no silent authentication.
        assert_stays(&read(&asking.with("prompt", "none").at(&castellan)).await, code);
    }
    // What reads no pages is answered without an address.
    let answer = Ask::get(&asking(&client).with("scope", "nosuch").at(&castellan)).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None), "{answer:?}");
    assert_eq!(answer.json()["error"], "invalid_scope");
    // In a body, by a button alone.
    let posting = asking(&client).with("scope", "nosuch").with("response_mode", "form_post");
    let page = read(&posting.at(&castellan)).await;
    assert_stays(&page, "a requested scope");
    assert_eq!(page.hidden("error").as_deref(), Some("invalid_scope"));
    // Silent authentication is answered.
    let silent = asking(&client).with("prompt", "none");
    assert_sent_back(&read(&silent.at(&castellan)).await, CALLBACK, "login_required");
    // Whoever is signed in is sent back, and so is everybody by an app of an administrator.
    let mut ann = Browser::as_ann(&castellan).await;
    let asking = asking(&client).with("scope", "nosuch");
    assert_sent_back(&ann.get(&asking.at(&castellan)).await, CALLBACK, "invalid_scope");
    let spa = Asking::spa().with("scope", "nosuch");
    assert_sent_back(&read(&spa.at(&castellan)).await, "https://spa.test/cb", "invalid_scope");
}

#[tokio::test]
async fn whoever_declines_to_sign_in_stays() {
    let castellan = serving("[registration]\nby = [\"open\"]\n").await;
    let client = stranger(&castellan).await;
    let mut browser = Browser::default();
    let begun = browser.get(&asking(&client).at(&castellan)).await;
    let form = browser.get(&castellan.at(begun.location())).await;
    let flow = form.hidden("flow").unwrap();
    let ask = Ask::post(&castellan.at("/auth/login"));
    let pairs = [("flow", &*flow), ("decision", "deny")];
    let answer = browser.send(ask.form(&pairs)).await;
    assert_stays(&answer, "error=access_denied");
}

#[tokio::test]
async fn a_client_of_a_template_has_addresses_of_an_administrator() {
    let castellan = serving(BY_TOKEN).await;
    let client = registered(&asked(&castellan, &json!({"software_id": "tmpl"})).await);
    let asking = Asking::of(text(&client, "client_id"), "https://field.test/cb");
    let answer = read(&asking.with("scope", "nosuch").at(&castellan)).await;
    assert_sent_back(&answer, "https://field.test/cb", "invalid_scope");
}

#[tokio::test]
async fn signing_out_for_an_app_that_registered_itself_ends_here_without_a_hint() {
    let castellan = serving("[registration]\nby = [\"open\"]\n").await;
    let client = stranger(&castellan).await;
    let id = text(&client, "client_id");
    let url = |hint: Option<&str>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("client_id", id), ("post_logout_redirect_uri", OUT)]);
        query.extend_pairs(hint.map(|hint| ("id_token_hint", hint)));
        castellan.at(&format!("/auth/logout?{}", query.finish()))
    };
    for hint in [None, Some("x.y.z")] {
        let answer = read(&url(hint)).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (200, None), "{answer:?}");
        assert!(answer.body.contains("You are signed out") && !answer.body.contains("evil"));
    }
    let mut ann = Browser::default();
    let code = ann.code(&castellan, &asking(&client)).await;
    let pairs = [("client_id", id), ("client_secret", text(&client, "client_secret"))];
    let pairs = [&pairs[..], &[("redirect_uri", CALLBACK)]].concat();
    let tokens = castellan.redeem(&code, &pairs).await.json();
    let answer = ann.get(&url(Some(text(&tokens, "id_token")))).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (302, OUT), "{answer:?}");
}

#[tokio::test]
async fn the_sign_in_page_goes_on_to_no_address_that_a_client_registered_itself() {
    let castellan = serving("[registration]\nby = [\"open\"]\n").await;
    let client = stranger(&castellan).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let to = |id: &str, uri: &str| {
        let uri = URL_SAFE_NO_PAD.encode(uri);
        castellan.at(&format!("/auth/login?client_id={id}&redirect_to={uri}"))
    };
    let answer = ann.get(&to(text(&client, "client_id"), CALLBACK)).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None), "{answer:?}");
    let answer = ann.get(&to("spa", "https://spa.test/cb")).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (302, "https://spa.test/cb"));
}

#[tokio::test]
async fn no_address_of_the_server_itself_is_registered() {
    let castellan = serving(BY_TOKEN).await;
    let ours = castellan.at("/auth/authorize");
    let secure = ours.replace("http://", "https://");
    for (more, error) in [
        (json!({"redirect_uris": [ours]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["https://shop.test/cb", secure]}), "invalid_redirect_uri"),
        (json!({"post_logout_redirect_uris": [secure]}), "invalid_client_metadata"),
        (json!({"allowed_origins": [castellan.at("")]}), "invalid_client_metadata"),
        (json!({"backchannel_logout_uri": secure}), "invalid_client_metadata"),
        (json!({"frontchannel_logout_uri": secure}), "invalid_client_metadata"),
    ] {
        let mut metadata = web_app(&more);
        metadata["application_type"] = json!("native");
        let said = refused(&asked(&castellan, &metadata).await, 400, error);
        let name = said.split([':', '[']).next().unwrap();
        assert!(more.get(name).is_some(), "{said}");
        // Others are refused already as they are no public address, or no origin of a redirect URI.
        if name.ends_with("redirect_uris") {
            assert!(said.contains("has an address of this server"), "{said}");
        }
    }
    // Other ports of the machine are other apps.
    let more = json!({"application_type": "native", "redirect_uris": ["http://localhost:1/cb"]});
    registered(&asked(&castellan, &web_app(&more)).await);
}
