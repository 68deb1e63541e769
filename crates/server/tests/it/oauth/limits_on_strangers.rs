//! What strangers may begin and guess is bounded, by where they come from and by what they guess at;
//! and a session is its browser's.

use castellan_proto::{Opaque, OpaqueKind};
use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{ANN, Asking, CHALLENGE, DOCUMENTS, PORTAL},
    wire::{Answer, Ask},
};

const MORE: &str = "
---
resourceType: Client
id: tv
grant_types: [device_code]
scope: [openid]
---
resourceType: ApiCredential
id: nightly-sync
name: Night sync
secret: PASTE_API_SECRET_HERE
---
resourceType: AuthKey
id: persons
apiKey: k-persons
scopes: [\"Mutation:Person:*\"]
";

/// A server behind a proxy on this machine.
async fn start() -> Castellan {
    Castellan::start(Plan {
        documents: format!("{DOCUMENTS}{MORE}"),
        environment: vec![
            ("CASTELLAN__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]".to_owned()),
            ("JWT_SECRET", "not-so-secret".to_owned()),
            ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned()),
        ],
        ..Plan::default()
    })
    .await
}

fn pushing(castellan: &Castellan, from: &str) -> Ask {
    let asked = Asking::spa();
    Ask::post(&castellan.at("/auth/par")).header("x-forwarded-for", from).form(&asked.pairs())
}

fn device(castellan: &Castellan, from: &str) -> Ask {
    let pairs = [("client_id", "tv"), ("scope", "openid")];
    Ask::post(&castellan.at("/auth/device")).header("x-forwarded-for", from).form(&pairs)
}

fn is_told_to_wait(answer: &Answer) {
    assert_eq!(answer.status, 429, "{answer:?}");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
}

#[tokio::test]
async fn what_one_source_begins_is_bounded_and_holds_up_nobody_else() {
    const STRANGER: &str = "192.0.2.1";
    let castellan = start().await;
    let sign_in =
        |from: &str| Ask::get(&Asking::spa().at(&castellan)).header("x-forwarded-for", from).send();
    let mut begun = 0;
    while sign_in(STRANGER).await.status == 303 {
        begun += 1;
        assert!(begun < 600, "and never an end");
    }
    assert!(begun >= 300, "{begun}");
    // At every door, by a page for people and in the words of the protocol for apps.
    let refused = sign_in(STRANGER).await;
    is_told_to_wait(&refused);
    assert_eq!(refused.json()["error"], "temporarily_unavailable", "{refused:?}");
    let page = Ask::get(&castellan.at("/auth/login"))
        .header("x-forwarded-for", STRANGER)
        .header("accept", "text/html");
    let page = page.send().await;
    is_told_to_wait(&page);
    assert!(page.body.contains("Too many sign-ins"), "{page:?}");
    for door in [pushing(&castellan, STRANGER), device(&castellan, STRANGER)] {
        let answer = door.send().await;
        is_told_to_wait(&answer);
        assert_eq!(answer.json()["error"], "temporarily_unavailable", "{answer:?}");
    }
    // An app that shows who it is is no stranger.
    let mut pairs = PORTAL.to_vec();
    pairs.extend([
        ("response_type", "code"),
        ("redirect_uri", "https://portal.test/cb"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let known = Ask::post(&castellan.at("/auth/par")).header("x-forwarded-for", STRANGER);
    assert_eq!(known.form(&pairs).send().await.status, 201);
    assert_eq!(sign_in("192.0.2.2").await.status, 303);
    assert_eq!(pushing(&castellan, "192.0.2.2").send().await.status, 201);
    assert_eq!(device(&castellan, "192.0.2.2").send().await.status, 200);
}

/// A wrong secret that costs no password hash, as from `forwarded`.
async fn guess(castellan: &Castellan, forwarded: Option<&str>) -> u16 {
    let wrong = Opaque::generate(OpaqueKind::ApiKey).text();
    let key = json!({"id": "persons", "apiKey": wrong, "scopes": ["Mutation:Person:Create"]});
    let ask = Ask::post(&castellan.at("/jwt")).json(&key);
    let ask = match forwarded {
        Some(text) => ask.header("x-forwarded-for", text),
        None => ask,
    };
    ask.send().await.status.as_u16()
}

#[tokio::test]
async fn whoever_is_unknown_behind_a_listed_proxy_is_counted_as_one() {
    let castellan = start().await;
    let unknown = [None, Some("unknown"), Some("192.0.2.1,"), Some("_hidden")];
    let mut refused = false;
    for n in 0..400 {
        let status = guess(&castellan, unknown[n % unknown.len()]).await;
        assert!([403, 429].contains(&status), "{status}");
        refused |= status == 429;
        assert!(!refused || n >= 100, "{n}");
    }
    assert!(refused);
    assert_eq!(guess(&castellan, Some("192.0.2.9")).await, 403, "who is known is not held up");
}

#[tokio::test]
async fn one_network_of_version_6_is_counted_through_its_many_parts() {
    let castellan = start().await;
    let mut checked = 0;
    for n in 0..700 {
        let from = format!("2001:db8:7:{n:x}::1");
        checked += usize::from(guess(&castellan, Some(&from)).await == 403);
    }
    // Four hundred at once, and one more every second that this takes.
    assert!((400..600).contains(&checked), "{checked}");
    assert_eq!(guess(&castellan, Some("2001:db8:8::1")).await, 403);
}

#[tokio::test]
async fn guesses_at_one_secret_from_many_sources_count_together_at_every_door() {
    const HOME: &str = "198.51.100.1";
    let castellan = start().await;
    let form = |path: &str, from: &str, pairs: &[(&str, &str)]| {
        Ask::post(&castellan.at(path)).header("x-forwarded-for", from).form(pairs).send()
    };
    let client = async |from: &str, secret: &str| {
        let pairs = [("client_id", "portal"), ("client_secret", secret), ("token", "x")];
        form("/auth/introspect", from, &pairs).await
    };
    let machine = async |from: &str, secret: &str| {
        let pairs = [("api_user[key]", "nightly-sync"), ("api_user[secret]", secret)];
        form("/api/sign_in", from, &pairs).await
    };
    let key = async |from: &str, secret: &str| {
        let key = json!({"id": "persons", "apiKey": secret, "scopes": ["Mutation:Person:Create"]});
        let ask = Ask::post(&castellan.at("/jwt")).header("x-forwarded-for", from);
        ask.json(&key).send().await
    };
    let rights = ["s3cr3t-portal", "PASTE_API_SECRET_HERE", "k-persons"];
    assert_eq!(client(HOME, rights[0]).await.status, 200);
    assert_eq!(machine(HOME, rights[1]).await.status, 200);
    assert_eq!(key(HOME, rights[2]).await.status, 200);
    let mut ahead = 0;
    for n in 0..27 {
        // After twenty the wait doubles each time; the last one is longer than this takes.
        if n >= 20 {
            ahead += 1 << (n - 20);
            castellan.advance_to(ahead);
        }
        let from = format!("192.0.2.{n}");
        client(&from, "wrong-secret").await;
        machine(&from, "wrong-secret").await;
        key(&from, "wrong-secret").await;
    }
    let (stranger, refused) = ("192.0.2.200", 429);
    for answer in [
        client(stranger, rights[0]).await,
        machine(stranger, rights[1]).await,
        key(stranger, rights[2]).await,
    ] {
        assert_eq!(answer.status, refused, "{answer:?}");
        assert!(answer.header("retry-after").is_some());
    }
    // Nobody is locked out from outside: not where it was used before.
    assert_eq!(client(HOME, rights[0]).await.status, 200);
    assert_eq!(machine(HOME, rights[1]).await.status, 200);
    assert_eq!(key(HOME, rights[2]).await.status, 200);
}

/// Row 43 for guesses: whether two names are one person's is not told by who has to wait.
#[tokio::test]
async fn case_43_a_full_count_does_not_tell_that_two_names_are_one_person() {
    let castellan = start().await;
    let typed = async |name: &str, password: &str| {
        let mut browser = Browser::default();
        let begun = browser.get(&castellan.at("/auth/login")).await;
        let answer = browser.sign_in(&castellan, &begun, (name, password)).await;
        let flow = answer.hidden("flow");
        let body = answer.body.replace(flow.as_deref().unwrap_or("-"), "FLOW");
        (answer.status.as_u16(), body.replace(name, "NAME"))
    };
    let mut ahead = 0;
    for n in 0..16 {
        // After ten the wait doubles each time; the last one is of a minute, longer than this takes.
        if n >= 10 {
            ahead += 1 << (n - 10);
            castellan.advance_to(ahead);
        }
        let name = if n % 2 == 0 { "ann" } else { "ann@example.test" };
        assert_eq!(typed(name, "wrong").await.0, 401);
    }
    // The person's count is full: not even the right password is looked at, and nothing tells so.
    let full = typed("ann@example.test", ANN.1).await;
    assert_eq!(full.0, 401);
    assert_eq!(full, typed("nobody@example.test", "wrong").await);
}

#[tokio::test]
async fn a_session_cookie_without_its_browsers_mark_is_no_session() {
    let castellan = Castellan::with_ann().await;
    let ann = Browser::as_ann(&castellan).await;
    let account =
        |cookies: String| Ask::get(&castellan.at("/account")).header("cookie", &cookies).send();
    assert_eq!(account(ann.jar()).await.status, 200);
    let session = format!("ASID={}", ann.cookie("ASID").unwrap());
    let other = Opaque::generate(OpaqueKind::Browser).text();
    for cookies in [session.clone(), format!("{session}; castellan_browser={other}")] {
        let answer = account(cookies.clone()).await;
        assert_eq!(answer.location(), "/auth/login", "{cookies}: {answer:?}");
        // Nor can anybody be signed out by it.
        let out = Ask::get(&castellan.at("/auth/logout")).header("cookie", &cookies);
        assert_eq!(out.send().await.status, 200);
    }
    assert_eq!(account(ann.jar()).await.status, 200);
}
