//! Who may register a client.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::support::{
    BY_TOKEN, asked, machine_token, managed, refused, registered, sent, serving, web_app,
};
use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::text,
    wire::Ask,
};

#[tokio::test]
async fn nobody_registers_where_it_is_not_configured() {
    let castellan = serving("").await;
    for ask in [
        Ask::post(&castellan.at("/register")).json(&web_app(&json!({}))),
        Ask::get(&castellan.at("/register/portal")),
        Ask::post(&castellan.at("/register/graphql")).json(&json!({"query": "{__typename}"})),
    ] {
        assert_eq!(ask.send().await.status, 404);
    }
    let metadata = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await;
    assert_eq!(metadata.json().get("registration_endpoint"), None);
}

#[tokio::test]
async fn settings_without_effect_stop_the_start() {
    for (table, why) in [
        ("max_clients = 5", "registration.by: is empty"),
        ("by = [\"open\"]\nscopes = [\"dcr\"]", "registration.scopes: dcr"),
        ("by = [\"open\"]\nscopes = [\"Castellan:*\"]", "registration.scopes: Castellan:*"),
        ("by = [\"open\"]\ntemplates = false\nmetadata = false", "registration.templates"),
        ("by = [\"somebody\"]", "expected one of `token`, `client`, `open`"),
    ] {
        let config = format!("[registration]\n{table}\n");
        let said = Castellan::refuses(Plan { config, ..Plan::default() }).await;
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn a_token_without_the_scope_registers_nothing() {
    let castellan = serving(BY_TOKEN).await;
    let metadata = web_app(&json!({}));
    let answer = Ask::post(&castellan.at("/register")).json(&metadata).send().await;
    // RFC 6750 §3.1: no token is no invalid token.
    refused(&answer, 401, "invalid_request");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"default\""));
    let answer = sent(&castellan, "csl_access_nonsense", &metadata).await;
    refused(&answer, 401, "invalid_token");
    let weak = machine_token(&castellan, "weak", "orders:read").await;
    let answer = sent(&castellan, &weak, &metadata).await;
    refused(&answer, 403, "insufficient_scope");
    let challenge = "Bearer realm=\"default\", error=\"insufficient_scope\", scope=\"dcr\"";
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    // Basic is not among the ways that are configured.
    let basic = format!("Basic {}", STANDARD.encode("initial:s3cr3t-initial"));
    let ask = Ask::post(&castellan.at("/register")).header("authorization", &basic);
    refused(&ask.json(&metadata).send().await, 401, "invalid_request");
}

#[tokio::test]
async fn an_initial_token_is_good_for_one_registration() {
    let castellan = serving(BY_TOKEN).await;
    let token = machine_token(&castellan, "initial", "dcr").await;
    // What is refused for its metadata leaves the token as it is.
    let bad = web_app(&json!({"redirect_uris": ["http://shop.test/cb"]}));
    refused(&sent(&castellan, &token, &bad).await, 400, "invalid_redirect_uri");
    // Of many at the same time one gets on.
    let racers = (0..24).map(|_| {
        let (url, token) = (castellan.at("/register"), token.clone());
        tokio::spawn(async move {
            Ask::post(&url).bearer(&token).json(&web_app(&json!({}))).send().await
        })
    });
    let racers: Vec<_> = racers.collect();
    let mut made = 0;
    for racer in racers {
        let answer = racer.await.unwrap();
        match answer.status.as_u16() {
            201 => made += 1,
            _ => drop(refused(&answer, 401, "invalid_token")),
        }
    }
    assert_eq!(made, 1);
    refused(&sent(&castellan, &token, &web_app(&json!({}))).await, 401, "invalid_token");
    let listed = castellan.said(&["get", "Client", "--format", "json"]);
    assert_eq!(listed.matches("\"id\":\"dcr-").count(), 1, "{listed}");
}

#[tokio::test]
async fn who_registered_a_client_is_recorded() {
    let castellan = serving(BY_TOKEN).await;
    let pairs = [
        ("grant_type", "password"),
        ("username", "ann"),
        ("password", "pw-ann"),
        ("client_id", "phone"),
        ("client_secret", "s3cr3t-phone"),
        ("scope", "dcr"),
    ];
    let token = text(&castellan.token(&pairs).await.json(), "access_token").to_owned();
    let client = registered(&sent(&castellan, &token, &web_app(&json!({}))).await);
    let id = text(&client, "client_id");
    let shown = castellan.said(&["get", "Client", id, "--format", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["registration"]["authenticated_user"], "ann", "{shown}");
    assert_eq!(shown["registration"]["initial_client"], "phone");
    assert_eq!(shown.get("first_party"), None);
    let digest = shown.to_string();
    assert!(!digest.contains(text(&client, "client_secret")), "{digest}");
    assert!(!digest.contains(text(&client, "registration_access_token")), "{digest}");
    // It cannot be written by hand, and what is read can be written back.
    let mut written = shown.clone();
    written["registration"]["authenticated_user"] = json!("bea");
    let applied = castellan.cli_with(&["apply", "-f", "-"], &written.to_string());
    assert!(!applied.status.success());
    let applied = castellan.cli_with(&["apply", "-f", "-"], &shown.to_string());
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    for _ in 0..100 {
        let audit = castellan.said(&["audit", "--target", &format!("Client/{id}")]);
        if audit.contains("resource_created") {
            assert!(audit.contains("ann"), "{audit}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not audited");
}

#[tokio::test]
async fn a_client_registers_others_by_its_secret() {
    let castellan = serving("[registration]\nby = [\"client\"]\n").await;
    let ask = |user: &str, secret: &str| {
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")));
        let ask = Ask::post(&castellan.at("/register")).header("authorization", &basic);
        ask.json(&web_app(&json!({}))).send()
    };
    registered(&ask("initial", "s3cr3t-initial").await);
    registered(&ask("initial", "s3cr3t-initial").await);
    refused(&ask("initial", "wrong-one").await, 401, "invalid_client");
    refused(&ask("weak", "s3cr3t-weak").await, 403, "insufficient_scope");
    let token = machine_token(&castellan, "initial", "dcr").await;
    refused(&sent(&castellan, &token, &web_app(&json!({}))).await, 401, "invalid_token");
}

#[tokio::test]
async fn strangers_register_where_it_is_open_and_not_without_end() {
    let castellan = serving("[registration]\nby = [\"open\"]\n").await;
    let ask = |more: serde_json::Value| {
        Ask::post(&castellan.at("/register")).json(&web_app(&more)).send()
    };
    let client = registered(&ask(json!({"client_name": "Shop 0"})).await);
    assert_eq!(managed(http::Method::DELETE, &client, None).await.status, 204);
    // What no client gives is what the configuration lists.
    refused(&ask(json!({"scope": "orders:read"})).await, 400, "invalid_client_metadata");
    let mut throttled = None;
    for at in 1..150 {
        let answer = ask(json!({"client_name": format!("Shop {at}a")})).await;
        if answer.status == 429 {
            throttled = Some(answer);
            break;
        }
        registered(&answer);
    }
    let throttled = throttled.unwrap();
    assert!(throttled.header("retry-after").is_some(), "{throttled:?}");
    castellan.advance_to(60);
    tokio::time::sleep(Duration::from_millis(50)).await;
    registered(&ask(json!({"client_name": "Shop later"})).await);
}

#[tokio::test]
async fn there_is_a_limit_to_clients_of_a_site_and_of_one_client() {
    let config = format!("{BY_TOKEN}max_per_client = 2\n");
    let castellan = serving(&config).await;
    registered(&asked(&castellan, &web_app(&json!({}))).await);
    registered(&asked(&castellan, &web_app(&json!({}))).await);
    refused(&asked(&castellan, &web_app(&json!({}))).await, 403, "access_denied");
    // Nor do several come in at the same time.
    let castellan = serving("[registration]\nby = [\"client\"]\nmax_per_client = 2\n").await;
    let racers = (0..16).map(|_| {
        let basic = format!("Basic {}", STANDARD.encode("initial:s3cr3t-initial"));
        let ask = Ask::post(&castellan.at("/register")).header("authorization", &basic);
        tokio::spawn(ask.json(&web_app(&json!({}))).send())
    });
    for racer in racers.collect::<Vec<_>>() {
        let answer = racer.await.unwrap();
        match answer.status.as_u16() {
            // So many shown secrets at a time may look like guesses.
            201 | 429 => {}
            _ => drop(refused(&answer, 403, "access_denied")),
        }
    }
    let listed = castellan.said(&["get", "Client", "--format", "json"]);
    assert!(listed.matches("\"id\":\"dcr-").count() <= 2, "{listed}");
    // `DOCUMENTS` and `REGISTRANTS` are ten.
    let castellan = serving(&format!("{BY_TOKEN}max_clients = 11\n")).await;
    registered(&asked(&castellan, &web_app(&json!({}))).await);
    refused(&asked(&castellan, &web_app(&json!({}))).await, 403, "access_denied");
}
