//! Managing a registration (RFC 7592, `docs/contracts/curity.md` §8.1).

use http::Method;
use serde_json::{Value, json};

use super::support::{
    BY_TOKEN, asked, machine_token, managed, managed_with, refused, registered, serving, web_app,
};
use crate::support::{
    castellan::Castellan,
    fixtures::text,
    wire::{Answer, Ask},
};

/// What the token endpoint answers to the client `client` with `secret`.
async fn used(castellan: &Castellan, client: &Value, secret: &str) -> Answer {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", text(client, "client_id")),
        ("client_secret", secret),
    ];
    castellan.token(&pairs).await
}

fn machine() -> Value {
    json!({"client_name": "Job", "grant_types": ["client_credentials"], "scope": "orders:read"})
}

#[tokio::test]
async fn reading_gives_another_secret_and_another_token() {
    let castellan = serving(BY_TOKEN).await;
    let client = registered(&asked(&castellan, &machine()).await);
    assert_eq!(used(&castellan, &client, text(&client, "client_secret")).await.status, 200);
    let read = managed(Method::GET, &client, None).await;
    assert_eq!(read.status, 200, "{read:?}");
    assert_eq!(read.header("cache-control"), Some("no-store"));
    let read = read.json();
    for name in ["client_id", "client_name", "scope", "grant_types", "registration_client_uri"] {
        assert_eq!(read[name], client[name], "{name}");
    }
    for name in ["client_secret", "registration_access_token"] {
        assert_ne!(read[name], client[name], "{name}");
    }
    refused(&managed(Method::GET, &client, None).await, 401, "invalid_token");
    assert_eq!(used(&castellan, &client, text(&client, "client_secret")).await.status, 401);
    assert_eq!(used(&castellan, &client, text(&read, "client_secret")).await.status, 200);
    // Of several at the same time one gets on.
    let racers: Vec<_> = (0..12)
        .map(|_| {
            let read = read.clone();
            tokio::spawn(async move { managed(Method::GET, &read, None).await.status.as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for racer in racers {
        statuses.push(racer.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| *status == 401), "{statuses:?}");
}

/// RFC 9110 §9.2.1: HEAD is safe, and so it does not run a GET that changes something.
#[tokio::test]
async fn head_is_refused_where_get_changes_something() {
    let castellan = serving(BY_TOKEN).await;
    let client = registered(&asked(&castellan, &machine()).await);
    let head = managed(Method::HEAD, &client, None).await;
    assert_eq!(head.status, 405, "{head:?}");
    assert_eq!(head.header("allow"), Some("GET, PUT, DELETE"));
    assert_eq!(used(&castellan, &client, text(&client, "client_secret")).await.status, 200);
    let options = managed(Method::OPTIONS, &client, None).await;
    assert_eq!(options.header("allow"), Some("GET, PUT, DELETE"), "{options:?}");
    assert_eq!(managed(Method::GET, &client, None).await.status, 200);
    for path in ["/auth/authorize", "/auth/login", "/auth/logout"] {
        let head = Ask::new(Method::HEAD, &castellan.at(path)).send().await;
        assert_eq!(head.status, 405, "{path}: {head:?}");
        assert_eq!(head.header("allow"), Some("GET, POST"), "{path}");
        assert_ne!(Ask::get(&castellan.at(path)).send().await.status, 405, "{path}");
    }
    // What only reads has a HEAD.
    for path in ["/", "/healthz", "/.well-known/jwks.json", "/auth/device", "/auth/setup"] {
        let url = castellan.at(path);
        let (get, head) = (Ask::get(&url), Ask::new(Method::HEAD, &url));
        let (get, head) = (get.send().await, head.send().await);
        assert_eq!((head.status, &*head.body), (get.status, ""), "{path}");
    }
}

#[tokio::test]
async fn replacing_keeps_what_an_administrator_wrote_that_is_no_metadata() {
    let castellan = serving(BY_TOKEN).await;
    let client = registered(&asked(&castellan, &web_app(&json!({}))).await);
    let id = text(&client, "client_id");
    let read = || async {
        let said = castellan.said(&["get", "Client", id, "--format", "json"]);
        serde_json::from_str::<Value>(&said).unwrap()
    };
    let mut document = read().await;
    let added = json!({"tags": ["checked"], "owner": "ann", "description": "Seen in May",
        "properties": {"ticket": 7}, "introspect": "any", "id_token_expiration": 120,
        "require_second_factor": true});
    for (name, value) in added.as_object().unwrap() {
        document[name] = value.clone();
    }
    document["first_party"] = json!(true);
    document["auth"]["authorization_code"]["access_token_expiration"] = json!(60);
    let applied = castellan.cli_with(&["apply", "-f", "-"], &document.to_string());
    assert!(applied.status.success(), "{applied:?}");
    let body = web_app(&json!({"client_id": id, "client_name": "Shop again"}));
    let replaced = managed(Method::PUT, &client, Some(&body)).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let after = read().await;
    assert_eq!(after["name"], "Shop again");
    for (name, value) in added.as_object().unwrap() {
        assert_eq!(&after[name], value, "{name}");
    }
    assert_eq!(after["auth"]["authorization_code"]["access_token_expiration"], 60);
    // Under a new name people are asked again.
    assert_eq!(after.get("first_party"), None, "{after}");
    // A client without a secret introspects nothing.
    let body = web_app(&json!({"client_id": id, "token_endpoint_auth_method": "none"}));
    let public = managed(Method::PUT, &replaced.json(), Some(&body)).await;
    assert_eq!(public.status, 200, "{public:?}");
    assert_eq!(read().await.get("introspect"), None);
}

#[tokio::test]
async fn replacing_removes_what_is_left_out() {
    let castellan = serving(BY_TOKEN).await;
    let more = json!({"contacts": ["a@shop.test"], "tos_uri": "https://shop.test/tos",
        "post_logout_redirect_uris": ["https://shop.test/bye"]});
    let client = registered(&asked(&castellan, &web_app(&more)).await);
    let (id, secret) = (&client["client_id"], &client["client_secret"]);
    for body in [
        web_app(&json!({})),
        web_app(&json!({"client_id": "portal"})),
        web_app(&json!({"client_id": id, "client_secret": "csl_secret_of_another"})),
        web_app(&json!({"client_id": id, "registration_access_token": "x"})),
        web_app(&json!({"client_id": id, "client_id_issued_at": 1})),
        web_app(&json!({"client_id": id, "scope": "openid dcr"})),
    ] {
        let answer = managed(Method::PUT, &client, Some(&body)).await;
        refused(&answer, 400, "invalid_client_metadata");
    }
    let why = async |body: Value| {
        let answer = managed(Method::PUT, &client, Some(&web_app(&body))).await;
        text(&answer.json(), "error_description").to_owned()
    };
    // Descriptions have ASCII only (RFC 6749 section 5.2), and name what is the caller's own.
    assert_eq!(
        why(json!({"client_id": id, "client_id_issued_at": 1})).await,
        "client_id_issued_at: is set by the server; leave it out (RFC 7592 section 2.2)"
    );
    let refused_scope = why(json!({"client_id": id, "scope": "openid dcr"})).await;
    assert_eq!(refused_scope, "scope: dcr cannot be registered");
    let long = format!("openid {}", "x".repeat(100));
    let cut = format!("scope: {}... cannot be registered", "x".repeat(64));
    assert_eq!(why(json!({"client_id": id, "scope": long})).await, cut);
    let body =
        web_app(&json!({"client_id": id, "client_secret": secret, "client_name": "Better shop",
        "redirect_uris": ["https://shop.test/new"]}));
    let replaced = managed(Method::PUT, &client, Some(&body)).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let replaced = replaced.json();
    assert_eq!(replaced["client_name"], "Better shop");
    assert_eq!(replaced["redirect_uris"], json!(["https://shop.test/new"]));
    assert_eq!(replaced["client_id_issued_at"], client["client_id_issued_at"]);
    for name in ["contacts", "tos_uri", "post_logout_redirect_uris"] {
        assert_eq!(replaced.get(name), None, "{replaced}");
    }
    for name in ["client_secret", "registration_access_token"] {
        assert_ne!(replaced[name], client[name], "{name}");
    }
    refused(&managed(Method::GET, &client, None).await, 401, "invalid_token");
    // Without a secret from now on.
    let public = web_app(&json!({"client_id": id, "token_endpoint_auth_method": "none"}));
    let public = managed(Method::PUT, &replaced, Some(&public)).await.json();
    assert_eq!(public.get("client_secret"), None, "{public}");
    assert_eq!(public["token_endpoint_auth_method"], "none");
}

#[tokio::test]
async fn a_token_is_for_its_own_client_and_ends() {
    let castellan = serving(&format!("{BY_TOKEN}token = \"1h\"\n")).await;
    let one = registered(&asked(&castellan, &machine()).await);
    let two = registered(&asked(&castellan, &machine()).await);
    assert_eq!(one["registration_access_token_expires_in"], 3_600);
    let theirs = text(&two, "registration_access_token");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let body = json!({"client_id": one["client_id"]});
        let answer = managed_with(method, &one, theirs, Some(&body)).await;
        refused(&answer, 401, "invalid_token");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"default\", error=\"invalid_token\"")
        );
    }
    // No client is told from one that is not there, nor from one that did not register itself.
    for id in ["portal", "dcr-nobody", "a%20b"] {
        let url = castellan.at(&format!("/register/{id}"));
        refused(&Ask::get(&url).bearer(theirs).send().await, 401, "invalid_token");
    }
    castellan.advance_to(3_700);
    refused(&managed(Method::GET, &one, None).await, 401, "invalid_token");
}

#[tokio::test]
async fn a_management_client_sees_all_and_changes_no_secret_by_reading() {
    let castellan = serving(BY_TOKEN).await;
    let client = registered(&asked(&castellan, &machine()).await);
    let manager = machine_token(&castellan, "manager", "dcrm").await;
    for _ in 0..2 {
        let read = managed_with(Method::GET, &client, &manager, None).await;
        assert_eq!(read.status, 200, "{read:?}");
        for name in ["client_secret", "registration_access_token"] {
            assert_eq!(read.json().get(name), None, "{read:?}");
        }
    }
    let mut body = machine();
    body["client_id"] = client["client_id"].clone();
    body["client_name"] = json!("Night job");
    let replaced = managed_with(Method::PUT, &client, &manager, Some(&body)).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(replaced.json()["client_name"], "Night job");
    assert_eq!(replaced.json().get("client_secret"), None);
    // What the client has stays good.
    assert_eq!(used(&castellan, &client, text(&client, "client_secret")).await.status, 200);
    let read = managed(Method::GET, &client, None).await.json();
    assert_eq!(read["client_name"], "Night job");
    let initial = machine_token(&castellan, "initial", "dcr").await;
    let answer = managed_with(Method::GET, &client, &initial, None).await;
    refused(&answer, 403, "insufficient_scope");
    let nobody = json!({"registration_client_uri": castellan.at("/register/portal")});
    refused(&managed_with(Method::GET, &nobody, &manager, None).await, 404, "not_found");
    let deleted = managed_with(Method::DELETE, &client, &manager, None).await;
    assert_eq!((deleted.status.as_u16(), &*deleted.body), (204, ""));
    assert_eq!(used(&castellan, &client, text(&read, "client_secret")).await.status, 401);
}

#[tokio::test]
async fn nothing_of_a_registration_is_left_in_the_log_or_in_the_records() {
    let castellan = serving(BY_TOKEN).await;
    let client = registered(&asked(&castellan, &machine()).await);
    let read = managed(Method::GET, &client, None).await.json();
    let export = castellan.said(&["export"]);
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    for shown in [&client, &read] {
        for name in ["client_secret", "registration_access_token"] {
            assert!(!export.contains(text(shown, name)), "{name}");
            assert!(!log.contains(text(shown, name)), "{name}");
        }
    }
}
