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
