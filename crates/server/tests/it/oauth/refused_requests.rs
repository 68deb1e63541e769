//! How requests are refused: in which words, by which way, and never with more than was asked.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL, SPA, assert_refused, assert_sent_back},
    jose::forged,
    wire::{Answer, Ask},
};

/// What may stand in an `error_description` (RFC 6749 §5.2).
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// An unsigned request object.
fn object(payload: &serde_json::Value) -> String {
    forged(&json!({"alg": "none"}), payload, b"")
}

/// OIDC Core §3.1.2.6, whatever else is missing or wrong.
#[tokio::test]
async fn request_objects_are_refused_by_the_way_that_they_ask_for() {
    let castellan = Castellan::with_ann().await;
    let get = async |asking: &Asking| Browser::default().get(&asking.at(&castellan)).await;
    let of = |payload| Asking::spa().with("request", &object(&payload));
    let answer = get(&of(json!({}))).await;
    assert_sent_back(&answer, "https://spa.test/cb", "request_not_supported");
    assert_eq!(answer.location_param("state").as_deref(), Some("somestate"));
    let bare = of(json!({})).without("response_type").without("code_challenge");
    assert_sent_back(&get(&bare).await, "https://spa.test/cb", "request_not_supported");

    let inside = json!({"response_mode": "form_post", "state": "of-the-object",
                        "redirect_uri": "https://spa.test/cb"});
    let page = get(&of(inside.clone()).without("state").without("redirect_uri")).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.hidden("error").as_deref(), Some("request_not_supported"), "{page:?}");
    assert_eq!(page.hidden("state").as_deref(), Some("of-the-object"));
    assert!(page.body.contains("action=\"https://spa.test/cb\""), "{page:?}");
    // What stands outside counts more, what is signed by nobody knows whom nothing, and an address
    // in it is as good as any other.
    let outside = get(&of(inside.clone()).with("response_mode", "query")).await;
    assert_sent_back(&outside, "https://spa.test/cb", "request_not_supported");
    assert_eq!(outside.location_param("state").as_deref(), Some("somestate"));
    let signed = forged(&json!({"alg": "RS256"}), &inside, b"x");
    let answer = get(&Asking::spa().with("request", &signed)).await;
    assert_sent_back(&answer, "https://spa.test/cb", "request_not_supported");
    let evil = of(json!({"redirect_uri": "https://evil.test/cb"})).without("redirect_uri");
    let page = get(&evil).await;
    assert_eq!((page.status.as_u16(), page.header("location")), (400, None), "{page:?}");

    let pairs = [&PORTAL[..], &[("response_type", "code"), ("request", "x.y.z")]].concat();
    let pushed = Ask::post(&castellan.at("/auth/par")).form(&pairs).send().await;
    assert_refused(&pushed, 400, "request_not_supported");
}

#[tokio::test]
async fn a_request_uri_that_was_not_pushed_is_refused_by_redirect() {
    let castellan = Castellan::with_ann().await;
    for reference in
        ["https://evil.test/request", "urn:ietf:params:oauth:request_uri:x", "x", "urn:x"]
    {
        let asking = Asking::spa().with("request_uri", reference);
        let answer = Browser::default().get(&asking.at(&castellan)).await;
        assert_sent_back(&answer, "https://spa.test/cb", "request_uri_not_supported");
        assert_eq!(answer.location_param("state").as_deref(), Some("somestate"));
        assert_eq!(answer.location_param("iss").as_ref(), Some(&castellan.url));
        let posted = asking.with("response_mode", "form_post");
        let page = Browser::default().get(&posted.at(&castellan)).await;
        assert_eq!(page.hidden("error").as_deref(), Some("request_uri_not_supported"), "{page:?}");
        // Where no address is known to be the app's, there is none to go to.
        let evil =
            Asking::spa().with("request_uri", reference).with("redirect_uri", "https://e.test");
        let page = Browser::default().get(&evil.at(&castellan)).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (400, None), "{page:?}");
    }
}

#[tokio::test]
async fn descriptions_have_the_characters_that_they_may_have() {
    let castellan = Castellan::with_ann().await;
    let odd = "\"\\é\u{1}\u{7f}🙂 x";
    let said = |answer: &Answer| answer.json()["error_description"].as_str().unwrap().to_owned();
    let token = async |path: &str, more: &[(&str, &str)]| {
        let pairs = [&[("client_id", "svc"), ("client_secret", "s3cr3t-svc")], more].concat();
        Ask::post(&castellan.at(path)).form(&pairs).send().await
    };
    let service = ("grant_type", "client_credentials");
    for answer in [
        token("/auth/token", &[service, ("scope", odd)]).await,
        token("/auth/token", &[service, ("resource", odd)]).await,
        token("/auth/token", &[("grant_type", odd)]).await,
        token("/auth/token", &[service, (odd, "1"), (odd, "2")]).await,
        token("/oauth/token", &[(odd, "1"), (odd, "2")]).await,
        token("/auth/par", &[("response_type", odd), ("scope", odd)]).await,
        token("/auth/device", &[("scope", odd)]).await,
    ] {
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(is_plain(&said(&answer)), "{answer:?}");
        if let Some(challenge) = answer.header("www-authenticate") {
            let text = challenge.split("error_description=\"").nth(1).unwrap();
            assert!(is_plain(text.strip_suffix('"').unwrap()), "{challenge}");
        }
    }
    for asking in [
        Asking::spa().with("resource", odd),
        Asking::spa().with("scope", odd),
        Asking::spa().with("claims", odd),
        Asking::spa().with("prompt", odd),
    ] {
        let answer = Browser::default().get(&asking.at(&castellan)).await;
        let text = answer.location_param("error_description").unwrap();
        assert!(is_plain(&text), "{text}");
    }
    let nowhere = Ask::get(&castellan.at("/auth/authorize?a%C3%A9%22=1&a%C3%A9%22=2")).send().await;
    assert!(is_plain(&said(&nowhere)), "{nowhere:?}");
}

/// RFC 6749 §2.3.1: a public client may say who it is by Basic, its secret empty.
#[tokio::test]
async fn a_public_app_names_itself_by_basic_with_an_empty_secret() {
    let castellan = Castellan::with_ann().await;
    let by_basic = async |path: &str, client: &str, pairs: &[(&str, &str)]| {
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:")));
        Ask::post(&castellan.at(path)).header("authorization", &basic).form(pairs).send().await
    };
    let code = Browser::default().code(&castellan, &Asking::spa()).await;
    let grant = [("grant_type", "authorization_code"), ("code", &*code), SPA[1]];
    let answer = by_basic("/auth/token", "spa", &grant).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tokens = answer.json();
    let token = [("token", tokens["access_token"].as_str().unwrap())];
    assert_eq!(by_basic("/auth/revoke", "spa", &token).await.status, 200);
    let asking = Asking::spa();
    let pairs: Vec<_> = asking.pairs();
    assert_eq!(by_basic("/auth/par", "spa", &pairs).await.status, 201);
    // It proves nothing: who has a secret owes it, and nobody learns of tokens.
    let introspected = by_basic("/auth/introspect", "spa", &[("token", "x")]).await;
    assert_refused(&introspected, 401, "invalid_client");
    for client in ["portal", "svc", "nobody"] {
        let pairs = [("grant_type", "client_credentials")];
        let answer = by_basic("/auth/token", client, &pairs).await;
        assert_refused(&answer, 401, "invalid_client");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic "), "{challenge}");
    }
    let wrong = format!("Basic {}", STANDARD.encode("spa:guess"));
    let ask = Ask::post(&castellan.at("/auth/token")).header("authorization", &wrong);
    assert_refused(&ask.form(&grant).send().await, 401, "invalid_client");
}

const BEYOND: &str = r#"
---
resourceType: Client
id: beyond
first_party: true
grant_types: [authorization_code]
scope: [openid]
redirect_uris: ["https://bücher.test/zurück?é=ü", "myapp://zurück/cb"]
post_logout_redirect_uris: ["https://bücher.test/tschüß"]
"#;

#[tokio::test]
async fn an_address_beyond_ascii_goes_into_location_as_a_browser_sends_it() {
    let castellan = Castellan::with_documents(&format!("{DOCUMENTS}{BEYOND}")).await;
    let mut browser = Browser::as_ann(&castellan).await;
    let shown = castellan.said(&["get", "Client", "beyond", "--format", "json"]);
    assert!(shown.is_ascii(), "{shown}");
    for (raw, ascii) in [
        ("https://bücher.test/zurück?é=ü", "https://xn--bcher-kva.test/zur%C3%BCck?%C3%A9=%C3%BC"),
        ("myapp://zurück/cb", "myapp://zur%C3%BCck/cb"),
    ] {
        for asked in [raw, ascii] {
            let asking = Asking::spa().with("client_id", "beyond").with("redirect_uri", asked);
            let answer = browser.get(&asking.at(&castellan)).await;
            let location = answer.headers["location"].as_bytes();
            assert!(location.is_ascii() && location.starts_with(ascii.as_bytes()), "{answer:?}");
            let code = answer.location_param("code").unwrap();
            let pairs = [("client_id", "beyond"), SPA[1], ("redirect_uri", asked)];
            assert_eq!(castellan.redeem(&code, &pairs).await.status, 200, "{asked}");
        }
    }
    let other = Asking::spa()
        .with("client_id", "beyond")
        .with("redirect_uri", "https://bucher.test/zurück?é=ü");
    assert_eq!(browser.get(&other.at(&castellan)).await.status, 400);
}

/// What common proxies take of one header.
const BUFFER: usize = 4_096;

#[tokio::test]
async fn no_answer_echoes_more_than_a_proxy_takes() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    for (state, fits) in [
        ("s".repeat(2_048), true),
        ("s".repeat(2_049), false),
        ("é".repeat(400), true),
        ("é".repeat(1_000), false),
        ("{".repeat(1_500), false),
    ] {
        for prompt in ["none", "login none"] {
            let asking = Asking::spa().with("state", &state).with("prompt", prompt);
            let answer = browser.get(&asking.at(&castellan)).await;
            let size: usize = answer.headers.values().map(http::HeaderValue::len).max().unwrap();
            assert!(size <= BUFFER, "{size}");
            assert_eq!(answer.header("location").is_some(), fits, "{prompt}: {answer:?}");
            if fits {
                assert_eq!(answer.location_param("state").as_ref(), Some(&state));
            } else {
                assert_eq!(answer.status, 400);
                assert!(!answer.body.contains(&state[..100]), "{answer:?}");
                let why = if state.len() > 2_048 { "state must not exceed 2048" } else { "3328" };
                assert!(answer.body.contains(why), "{answer:?}");
            }
        }
    }
    // The room is for all headers together.
    for length in [3_000, 3_200, 3_250, 3_300, 3_400, 4_000] {
        for path in ["/auth/authorize", "/auth/logout"] {
            let long = "x".repeat(length);
            let pairs = [("client_id", "spa"), ("id_token_hint", &*long)];
            let answer = browser.post(&castellan.at(path), &pairs).await;
            let lines =
                answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
            assert!(lines.sum::<usize>() <= BUFFER, "{path} {length}: {answer:?}");
            assert_eq!(answer.header("location").is_some(), length < 3_280, "{path} {length}");
        }
    }
    for path in ["/auth/authorize", "/auth/logout"] {
        let long = "x".repeat(5_000);
        let pairs = [("client_id", "spa"), ("id_token_hint", &*long)];
        let answer = browser.post(&castellan.at(path), &pairs).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None), "{path}");
    }
}

/// A load balancer's probe of its own age (RFC 9112 §3.2 asks HTTP/1.1 for a host).
#[tokio::test]
async fn a_probe_in_http_1_0_needs_no_host() {
    let castellan = Castellan::with_ann().await;
    for (head, status) in [
        ("GET /healthz HTTP/1.0", "200"),
        ("GET /readyz HTTP/1.0", "200"),
        ("OPTIONS / HTTP/1.1", "400"),
        ("GET /auth/login HTTP/1.0", "400"),
        ("GET /healthz HTTP/1.1", "400"),
    ] {
        let request = format!("{head}\r\nConnection: close\r\n\r\n");
        let answer = crate::support::wire::raw(&castellan.url, request.as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head}: {answer}");
    }
}

/// RFC 6749 §2.3.1: URLs are logged on the way, so that a secret in one is refused even if it is right,
/// and nothing of it is kept here.
#[tokio::test]
async fn a_secret_in_the_url_is_refused_and_written_nowhere() {
    let castellan = Castellan::start(Plan {
        documents: DOCUMENTS.to_owned(),
        environment: vec![("CASTELLAN_LOG", "trace".to_owned())],
        ..Plan::default()
    })
    .await;
    let secret = "s3cr3t-in-the-address";
    for (path, name) in [
        ("/auth/token", "client_secret"),
        ("/auth/token", "password"),
        ("/auth/token", "client%5Fassertion"),
        ("/auth/revoke", "token"),
        ("/auth/introspect", "client_secret"),
        ("/auth/par", "client_secret"),
    ] {
        let url = castellan.at(&format!("{path}?x=1&{name}={secret}"));
        let form = [("grant_type", "client_credentials"), ("client_id", "portal")];
        let answer = Ask::post(&url).form(&form).send().await;
        assert_refused(&answer, 400, "invalid_request");
        let told = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(is_plain(&told) && told.contains(&name.replace("%5F", "_")), "{told}");
        assert!(!answer.body.contains(secret), "{answer:?}");
    }
    // What is no secret may be part of the address (RFC 6749 §3.2).
    let pairs = [&PORTAL[..], &[("grant_type", "client_credentials")]].concat();
    let answer = Ask::post(&castellan.at("/auth/token?tenant=1")).form(&pairs).send().await;
    assert_ne!(answer.json()["error"], "invalid_request", "{answer:?}");
    let audited = castellan.said(&["get", "AuditEvent", "-o", "yaml"]);
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    for text in [audited, log] {
        assert!(!text.contains(secret), "{text}");
    }
}
