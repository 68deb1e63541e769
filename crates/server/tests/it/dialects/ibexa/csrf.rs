//! Which requests with a session are meant (§2.6).

use serde_json::json;

use super::{Api, SJ, Session, described};

const REFUSED: &str = "Missing or invalid CSRF token";

#[tokio::test]
async fn ibexa_10_unsafe_methods_need_the_csrf_token() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let ask = || api.ask("DELETE", "/content/types/32").header("accept", SJ);
    assert_eq!(described(&session.sends(ask()).send().await, 401), REFUSED);
    let wrong = session.sends(ask()).header("x-csrf-token", "a.b.c").send().await;
    assert_eq!(described(&wrong, 401), REFUSED);
    let twice = session.means(ask()).header("x-csrf-token", "a.b.c").send().await;
    assert_eq!(described(&twice, 401), REFUSED);
    assert_eq!(api.upstream.seen().len(), 0);
    let right = session.means(ask()).send().await;
    assert_eq!(right.status, 200, "{right:?}");
    // The API sees neither the cookie nor the token's worth, but who it is.
    let seen = api.upstream.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), &*seen.path), ("DELETE", "/content/types/32"));
    assert!(!seen.headers.contains_key("cookie"));
    assert!(seen.headers.contains_key("castellan-identity"));
    // Without a cookie nothing is checked but what may be done.
    let anonymous = ask().send().await;
    assert_ne!(described(&anonymous, 401), REFUSED);
}

#[tokio::test]
async fn ibexa_11_every_other_method_needs_it_too() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let path = "/content/objects/1";
    for method in ["PATCH", "COPY", "MOVE", "SWAP", "PUBLISH"] {
        let ask = || api.ask(method, path).header("accept", SJ);
        assert_eq!(described(&session.sends(ask()).send().await, 401), REFUSED, "{method}");
        assert_eq!(session.means(ask()).send().await.status, 200, "{method}");
        assert_eq!(api.upstream.seen().pop().unwrap().method.as_str(), method);
    }
    let ask = || {
        let ask = api.ask("POST", path).header("accept", SJ);
        ask.header("x-http-method-override", "PUBLISH")
    };
    assert_eq!(described(&session.sends(ask()).send().await, 401), REFUSED);
    assert_eq!(session.means(ask()).send().await.status, 200);
    let seen = api.upstream.seen().pop().unwrap();
    assert_eq!(seen.method.as_str(), "PUBLISH");
    assert!(!seen.headers.contains_key("x-http-method-override"));
    // Nothing becomes safe by it, and nothing but a POST becomes another method.
    for (method, to) in [("POST", "GET"), ("POST", "HEAD"), ("POST", "OPTIONS"), ("GET", "PUBLISH")]
    {
        let ask = api.ask(method, path).header("x-http-method-override", to);
        let answer = session.means(ask.header("accept", SJ)).send().await;
        assert_eq!(answer.status, 400, "{method} {to}: {answer:?}");
    }
    for other in ["x-http-method", "x-method-override"] {
        let ask = api.ask("POST", path).header(other, "PUBLISH").header("accept", SJ);
        assert_eq!(session.means(ask).send().await.status, 400, "{other}");
    }
    assert_eq!(api.upstream.seen().len(), 0);
}

#[tokio::test]
async fn ibexa_12_safe_methods_need_no_token() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    for method in ["GET", "HEAD", "OPTIONS"] {
        let answer = session.sends(api.ask(method, "/content/objects/1")).send().await;
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        if method == "OPTIONS" {
            let allow = answer.header("allow").unwrap();
            assert!(allow.contains("PUBLISH"), "{allow}");
        }
    }
    for (path, allow) in [
        ("/user/sessions", "POST"),
        ("/user/sessions/current", "GET"),
        ("/user/sessions/any", "DELETE"),
        ("/user/sessions/any/refresh", "POST"),
        ("/user/current", "GET"),
    ] {
        let answer = api.ask("OPTIONS", path).send().await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (200, Some(allow)), "{path}");
        assert_eq!(answer.header("content-length"), Some("0"), "{path}");
    }
}

#[tokio::test]
async fn ibexa_13_a_token_is_of_one_session() {
    let api = Api::start().await;
    let (one, other) = (api.sign_in("ann").await, api.sign_in("ann").await);
    let ask = || api.ask("DELETE", "/content/types/32").header("cookie", &other.cookie());
    let mixed = ask().header("x-csrf-token", &one.token).header("accept", SJ).send().await;
    assert_eq!(described(&mixed, 401), REFUSED);
    assert_eq!(ask().header("x-csrf-token", &other.token).send().await.status, 200);
}

#[tokio::test]
async fn ibexa_14_each_look_gives_another_token_and_all_are_valid() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let mut tokens = vec![session.token.clone()];
    for _ in 0..2 {
        let current = session.sends(api.ask("GET", "/user/sessions/current").header("accept", SJ));
        tokens.push(Session::of(&current.send().await).token);
    }
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2]);
    for token in tokens {
        let ask = session.sends(api.ask("DELETE", "/content/types/32"));
        assert_eq!(ask.header("x-csrf-token", &token).send().await.status, 200);
    }
}

/// `docs/rules.md` rule 36.
#[tokio::test]
async fn a_page_of_another_origin_cannot_send_a_request_with_a_session() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let own = api.castellan.url.clone();
    for (name, value, status) in [
        ("origin", &*own, 200),
        ("origin", "https://evil.test", 401),
        ("origin", "null", 401),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "same-site", 401),
        ("sec-fetch-site", "cross-site", 401),
    ] {
        let ask = session.means(api.ask("DELETE", "/content/types/32")).header(name, value);
        assert_eq!(ask.send().await.status, status, "{name}: {value}");
        let ask = session.means(api.login("ann", "pw-ann")).header(name, value);
        assert_eq!(ask.send().await.status, status, "{name}: {value}");
        // Nor can it sign somebody in as somebody else.
        let ask = api.login("ann", "pw-ann").header(name, value);
        assert_eq!(
            ask.send().await.status,
            if status == 200 { 201 } else { 401 },
            "{name}: {value}"
        );
    }
    let path = format!("/user/sessions/{}", session.id);
    let ask = session.means(api.ask("DELETE", &path)).header("origin", "https://evil.test");
    assert_eq!(ask.send().await.status, 401);
    assert!(session.is_open(&api).await);
    // Beside what a form can send no cookie counts, and it is no login.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json"] {
        let body = json!({"SessionInput": {"login": "ann", "password": "pw-ann"}}).to_string();
        let ask = api.ask("POST", "/user/sessions").body(kind, body);
        assert_eq!(ask.send().await.status, 400, "{kind}");
        let ask = session.means(api.ask("PATCH", "/content/objects/1").body(kind, "x"));
        let status = if kind == "application/json" { 200 } else { 401 };
        assert_eq!(ask.send().await.status, status, "{kind}");
    }
}
