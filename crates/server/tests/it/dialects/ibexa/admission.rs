//! Whom a request is meant for, where sessions count, and what is said where there is nothing.

use super::{Api, SJ, described};
use crate::support::castellan::{Castellan, Plan};

#[tokio::test]
async fn ibexa_20_a_request_for_another_user_is_refused() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let ask = |name: &str| {
        let ask = api.ask("GET", "/content/objects/1").header("accept", SJ);
        ask.header("x-expected-user", name)
    };
    assert_eq!(session.sends(ask("ann")).send().await.status, 200);
    assert_eq!(session.sends(ask("")).send().await.status, 200);
    let changed = "Expectation failed. User changed.";
    assert_eq!(described(&session.sends(ask("bob")).send().await, 401), changed);
    assert_eq!(described(&session.sends(ask("ANN")).send().await, 401), changed);
    assert_eq!(described(&ask("ann").send().await, 401), changed);
}

#[tokio::test]
async fn the_current_user_is_described_elsewhere() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let ask = || api.ask("GET", "/user/current").header("accept", SJ);
    let answer = session.sends(ask()).send().await;
    assert_eq!(answer.status, 307, "{answer:?}");
    assert_eq!(answer.location(), "/api/ibexa/v2/user/users/14");
    let nobody = ask().send().await;
    described(&nobody, 401);
    assert_eq!(nobody.header("location"), None);
}

/// People may do what their roles allow, and everybody what is public.
#[tokio::test]
async fn what_a_person_may_do_is_up_to_their_roles() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let ask = |path: &str| api.ask("GET", path).header("accept", SJ);
    assert_eq!(session.sends(ask("/content/objects/1")).send().await.status, 200);
    assert_eq!(ask("/news").send().await.status, 200);
    // In this API 401 also means that a permission is missing.
    described(&session.sends(ask("/secrets")).send().await, 401);
    described(&ask("/content/objects/1").send().await, 401);
}

#[tokio::test]
async fn ibexa_26_a_guard_of_sessions_ignores_basic_credentials() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let ask = || {
        let ask = api.ask("GET", "/content/objects/1").header("accept", SJ);
        ask.header("authorization", "Basic YW5uOndyb25n")
    };
    assert_eq!(session.sends(ask()).send().await.status, 200);
    assert!(!api.upstream.seen().pop().unwrap().headers.contains_key("authorization"));
    described(&ask().send().await, 401);
    let news = api.ask("GET", "/news").header("authorization", "Bearer garbage").send().await;
    assert_eq!(news.status, 200, "{news:?}");
}

/// The cookie's part of numbers 25 and 33: on another method a session is none, and there are no
/// endpoints for one.
#[tokio::test]
async fn ibexa_33_other_methods_ignore_session_cookies() {
    let sessions = Api::start().await;
    let session = sessions.sign_in("ann").await;
    let api = Api::with("authenticate = \"oauth\"\n").await;
    let answer = session.sends(api.ask("GET", "/content/objects/1").header("accept", SJ));
    let answer = answer.send().await;
    described(&answer, 401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{answer:?}");
    for (method, path) in [
        ("POST", "/user/sessions"),
        ("GET", "/user/sessions/current"),
        ("DELETE", "/user/sessions/x"),
        ("POST", "/user/sessions/x/refresh"),
        ("POST", "/user/token/jwt"),
    ] {
        let answer = session.means(api.ask(method, path).header("accept", SJ)).send().await;
        described(&answer, 404);
    }
    let answer = api.ask("GET", "/user/current").header("accept", SJ).send().await;
    described(&answer, 401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{answer:?}");
    assert_eq!(api.upstream.seen().len(), 0);
}

#[tokio::test]
async fn ibexa_39_what_is_not_there_is_said_in_the_format_that_is_asked_for() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    for path in ["/nothing", "/user/sessions/x/y/z", "/user/currently", "/user/token/jwt"] {
        let answer = session.sends(api.ask("GET", path).header("accept", SJ)).send().await;
        described(&answer, 404);
    }
    let answer = session.sends(api.ask("GET", "/nothing")).send().await;
    assert_eq!(answer.status, 404);
    let media_type = "application/vnd.ibexa.api.ErrorMessage+xml";
    assert_eq!(answer.header("content-type"), Some(media_type));
    let start = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorMessage media-type=\"{media_type}\">\
         <errorCode>404</errorCode><errorMessage>Not Found</errorMessage><errorDescription>"
    );
    assert!(answer.body.starts_with(&start), "{answer:?}");
    assert!(answer.header("castellan-decision").is_some());
    for (method, path, allow) in [
        ("PUT", "/user/sessions", "POST"),
        ("GET", "/user/sessions/x", "DELETE"),
        ("DELETE", "/user/sessions/current", "GET"),
        ("POST", "/user/current", "GET"),
    ] {
        let answer = session.means(api.ask(method, path).header("accept", SJ)).send().await;
        described(&answer, 405);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    let answer =
        session.means(api.ask("PUT", "/content/types/32").header("accept", SJ)).send().await;
    described(&answer, 405);
    assert!(answer.header("allow").unwrap().contains("DELETE"), "{answer:?}");
}

/// There is no app whose scopes would bound what people may do.
#[tokio::test]
async fn sessions_need_roles() {
    let config = |more: &str| Plan {
        config: format!(
            "[[guard]]\nname = \"ibexa\"\npath = \"/api/ibexa/v2\"\ndialect = \"ibexa\"\n\
             upstream = \"http://127.0.0.1:9/\"\nauthenticate = \"session\"\n{more}"
        ),
        ..Plan::default()
    };
    let operations = "[guard.operations]\n\"GET /a\" = \"Query:A:List\"\n";
    let http = format!("protocol = \"http\"\nrequire = []\n{operations}");
    for more in [&*http, "require = [\"policy\"]\n"] {
        let why = Castellan::refuses(config(more)).await;
        assert!(why.contains("\"session\" needs require = [\"person\"]"), "{why}");
    }
}

#[tokio::test]
async fn options_is_answered_at_every_path() {
    let api = Api::start().await;
    for (path, allow) in [
        ("/content/types/1", "DELETE, OPTIONS"),
        ("/user/sessions", "POST"),
        ("/nowhere", "OPTIONS"),
        ("/", "OPTIONS"),
    ] {
        let answer = api.ask("OPTIONS", path).send().await;
        let said = (answer.status.as_u16(), answer.header("allow"), &*answer.body);
        assert_eq!(said, (200, Some(allow), ""), "{path}");
    }
    assert_eq!(api.ask("GET", "/nowhere").send().await.status, 404);
    for (path, method) in [("/User", "GET"), ("/User/14", "DELETE"), ("/auth/token", "POST")] {
        let ask = crate::support::wire::Ask::new(http::Method::OPTIONS, &api.castellan.at(path));
        let answer = ask.send().await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, ""), "{path}: {answer:?}");
        let allow = answer.header("allow").unwrap_or_default();
        assert!(allow.split(',').any(|one| one.trim() == method), "{path}: {allow}");
    }
    assert!(api.upstream.seen().is_empty());
}
