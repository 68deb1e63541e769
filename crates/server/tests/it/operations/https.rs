//! A site that the world reaches over https, behind a proxy that ends TLS.

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL},
    wire::{Answer, Ask},
};

/// The proxy is this machine.
async fn start() -> Castellan {
    Castellan::start(Plan {
        documents: DOCUMENTS.to_owned(),
        environment: vec![("CASTELLAN__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]".to_owned())],
        issuer: Some("https://id.example.org".to_owned()),
        ..Plan::default()
    })
    .await
}

fn cookies(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn cookies_stay_on_https_and_on_their_host() {
    let castellan = start().await;
    let mut browser = Browser::default();
    let begun = browser.get(&Asking::portal().at(&castellan)).await;
    let marks = cookies(&begun);
    assert!(marks[0].starts_with("__Host-castellan_browser="), "{marks:?}");
    let signed_in = browser.sign_in(&castellan, &begun, crate::support::fixtures::ANN).await;
    let sessions = cookies(&signed_in);
    assert!(sessions.iter().any(|cookie| cookie.starts_with("ASID=")), "{sessions:?}");
    for cookie in marks.into_iter().chain(sessions) {
        for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

/// `docs/security-cases.md` trap 1: no token goes over the wire in the clear.
#[tokio::test]
async fn credentials_in_the_clear_are_refused() {
    let castellan = start().await;
    let mut browser = Browser::default();
    let tokens = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    let token = tokens["access_token"].as_str().unwrap();
    let ask = |scheme: &str| {
        let ask = Ask::get(&castellan.at("/auth/userinfo"));
        ask.header("x-forwarded-for", "192.0.2.1").header("x-forwarded-proto", scheme)
    };
    assert_eq!(ask("https").bearer(token).send().await.status, 200);
    for carried in [ask("http").bearer(token), ask("http").header("cookie", &browser.jar())] {
        let answer = carried.send().await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains("server.trusted_proxies"), "{answer:?}");
    }
    // Without any there is nothing to lose.
    assert_eq!(ask("http").send().await.status, 401);
}

/// `docs/security-cases.md` trap 1: nor does a secret in a body, at any door, and it is not read.
#[tokio::test]
async fn secrets_in_bodies_in_the_clear_are_refused_in_the_words_of_their_surface() {
    let operations = "[guard.operations]\n\"POST /things\" = \"Mutation:Thing:Create\"\n";
    let guard = |name: &str, path: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:9/\"\n{more}\n"
        )
    };
    let rest = format!("dialect = \"ibexa\"\nprotocol = \"http\"\n{operations}");
    let jwt = "dialect = \"ibexa\"\nauthenticate = \"jwt\"\nrequire = [\"person\"]\nschema = \"api.graphql\"";
    let plain = format!("protocol = \"http\"\npublic = [\"*\"]\n{operations}");
    let castellan = Castellan::start(Plan {
        config: guard("rest", "/api/ibexa/v2", &rest)
            + &guard("graphql", "/graphql", jwt)
            + &guard("plain", "/plain", &plain),
        documents: DOCUMENTS.to_owned(),
        environment: vec![
            ("CASTELLAN__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]".to_owned()),
            ("JWT_SECRET", "a secret for tokens of keys, long enough".to_owned()),
        ],
        files: vec![("api.graphql", "type Query { a: Int } type Mutation { b: Int }".to_owned())],
        issuer: Some("https://id.example.org".to_owned()),
        ..Plan::default()
    })
    .await;
    let ask = |method: &str, path: &str| {
        let method = http::Method::from_bytes(method.as_bytes()).unwrap();
        let ask = Ask::new(method, &castellan.at(path)).header("x-forwarded-proto", "http");
        ask.header("x-forwarded-for", "192.0.2.1")
    };
    let session = "application/vnd.ibexa.api.SessionInput+json";
    for (path, accept, kind, said) in [
        (
            "/auth/token",
            "*/*",
            "application/x-www-form-urlencoded",
            "\"error\":\"invalid_request\"",
        ),
        ("/auth/introspect", "*/*", "application/x-www-form-urlencoded", "\"error_description\""),
        (
            "/oauth/token",
            "*/*",
            "application/x-www-form-urlencoded",
            "\"error\":\"invalid_request\"",
        ),
        ("/auth/login", "text/html", "application/x-www-form-urlencoded", "<h1"),
        ("/jwt", "*/*", "application/json", "\"success\":false"),
        ("/api/sign_in", "*/*", "application/json", "\"error\":\"Credentials"),
        ("/api/ibexa/v2/user/sessions", "application/json", session, "\"errorCode\":403"),
        ("/api/ibexa/v2/user/sessions", "*/*", session, "<errorCode>403</errorCode>"),
        ("/api/ibexa/v2/user/token/jwt", "application/json", session, "\"errorCode\":403"),
        ("/graphql", "application/json", "application/json", "\"code\":\"PLAIN_HTTP\""),
    ] {
        let answer = ask("POST", path).header("accept", accept).body(kind, "secret").send().await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert!(answer.body.contains(said), "{path}: {answer:?}");
        assert!(answer.body.contains("server.trusted_proxies"), "{path}: {answer:?}");
        assert!(!answer.header("content-type").unwrap().starts_with("text/plain"), "{answer:?}");
        assert!(answer.header("castellan-decision").is_some(), "{path}");
    }
    // Where none is expected nothing is lost.
    let answer = ask("POST", "/plain/things").body("application/json", "{}").send().await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let answer = ask("GET", "/auth/login").header("accept", "text/html").send().await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

/// What the corridor refuses is said in the words of what is at the path.
#[tokio::test]
async fn ambiguous_requests_are_refused_in_the_words_of_their_surface() {
    let config = "[[guard]]\nname = \"rest\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
                  dialect = \"ibexa\"\nupstream = \"http://127.0.0.1:9/\"\n[guard.operations]\n\
                  \"GET /things\" = \"Query:Thing:List\"\n";
    let castellan = Castellan::start(Plan { config: config.to_owned(), ..Plan::default() }).await;
    for (path, accept, kind, said) in [
        (
            "/api/ibexa/v2/a%2fb",
            "application/json",
            "application/vnd.ibexa.api.ErrorMessage+json",
            "\"errorDescription\":\"The path is ambiguous.\"",
        ),
        (
            "/api/ibexa/v2/a%2fb",
            "*/*",
            "application/vnd.ibexa.api.ErrorMessage+xml",
            "<errorDescription>The path is ambiguous.</errorDescription>",
        ),
        ("/api%2fb", "*/*", "application/problem+json", "The path is ambiguous."),
        ("/User/a%2fb", "*/*", "application/problem+json", "The path is ambiguous."),
        ("/scim/v2/Users/a%2fb", "*/*", "application/scim+json", "\"status\":\"400\""),
        ("/register/a%2fb", "*/*", "application/json", "\"error\":\"invalid_request\""),
        ("/auth/a%2fb", "*/*", "application/json", "\"error\":\"invalid_request\""),
        ("/auth/a%2fb", "text/html", "text/html; charset=utf-8", "The path is ambiguous."),
    ] {
        let answer = Ask::get(&castellan.at(path)).header("accept", accept).send().await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert!(answer.body.contains(said), "{path}: {answer:?}");
    }
}
