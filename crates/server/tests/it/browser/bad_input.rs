//! Bad input where people and their browsers come along.

use crate::{
    oauth::bad_input::{Patient, assert_clean, bodies, hostile},
    support::{
        browser::Browser,
        castellan::Castellan,
        fixtures::Asking,
        wire::{Answer, Ask},
    },
};

/// What a request for authorization with a hostile value comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// Nothing: it goes nowhere.
    Nowhere,
    /// The client is told of this error.
    Back(&'static str),
    /// The person is asked to sign in: the value means nothing to us.
    On,
}

#[tokio::test]
async fn bad_input_values_of_a_request_for_authorization() {
    let patient = Patient::new().await;
    let castellan = &patient.castellan;
    for (name, comes) in [
        ("client_id", Comes::Nowhere),
        ("redirect_uri", Comes::Nowhere),
        ("response_type", Comes::Back("unsupported_response_type")),
        ("code_challenge", Comes::Back("invalid_request")),
        ("code_challenge_method", Comes::Back("invalid_request")),
        ("scope", Comes::Back("invalid_scope")),
        ("prompt", Comes::Back("invalid_request")),
        ("max_age", Comes::Back("invalid_request")),
        ("response_mode", Comes::Back("invalid_request")),
        ("request", Comes::Back("request_not_supported")),
        ("request_uri", Comes::Back("request_uri_not_supported")),
        ("state", Comes::On),
        ("nonce", Comes::On),
        ("login_hint", Comes::On),
        ("unheard_of", Comes::On),
    ] {
        for value in hostile() {
            let asking = Asking::spa().with(name, &value);
            let url = castellan.at("/auth/authorize");
            let of = format!("{name}={value}");
            let posted = Ask::post(&url).form(&asking.pairs()).send().await;
            assert_clean(&posted, &of);
            if value.len() > 7_000 {
                assert_comes(&posted, Comes::Nowhere, &of);
                continue;
            }
            // A form is led to the same address with a query.
            assert_eq!(posted.status, 303, "{of}: {posted:?}");
            let posted = Ask::get(&castellan.at(posted.location())).send().await;
            assert_clean(&posted, &of);
            if value.len() > 1_000 {
                assert_comes(&posted, Comes::Nowhere, &of);
                continue;
            }
            // A blank prompt and a blank scope ask for nothing.
            let blank = value == " " && matches!(name, "prompt" | "scope");
            let comes = if blank { Comes::On } else { comes };
            assert_comes(&posted, comes, &of);
            let got = Ask::get(&asking.at(castellan)).send().await;
            assert_clean(&got, &of);
            assert_comes(&got, comes, &of);
        }
    }
    for query in
        ["%", "%zz=%", "&&&", "=", "client_id=%ff", "client_id", "client_id=spa&redirect_uri=%00"]
    {
        let answer = Ask::get(&castellan.at(&format!("/auth/authorize?{query}"))).send().await;
        assert_comes(&answer, Comes::Nowhere, query);
    }
    patient.assert_unharmed().await;
}

#[track_caller]
fn assert_comes(answer: &Answer, comes: Comes, of: &str) {
    match comes {
        Comes::Nowhere => {
            assert_eq!(answer.status, 400, "{of}: {answer:?}");
            assert!(answer.header("location").is_none(), "{of}: {answer:?}");
            let error = answer.json()["error"].clone();
            assert!(error == "invalid_request" || error == "invalid_client", "{of}: {answer:?}");
        }
        Comes::Back(code) => {
            assert_eq!(answer.status, 302, "{of}: {answer:?}");
            assert!(
                answer.location().starts_with("https://spa.test/cb?error="),
                "{of}: {answer:?}"
            );
            assert_eq!(answer.location_param("error").as_deref(), Some(code), "{of}: {answer:?}");
        }
        Comes::On => {
            assert_eq!(answer.status, 303, "{of}: {answer:?}");
            assert!(answer.location().starts_with("/auth/login?flow="), "{of}: {answer:?}");
        }
    }
}

/// A form with a hostile value in it, who sends it, and the status that it comes to.
struct Filled<'a> {
    browser: &'a Browser,
    path: &'static str,
    pairs: Vec<(&'static str, &'a str)>,
    status: u16,
}

impl Filled<'_> {
    async fn send(&self, castellan: &Castellan) {
        let answer = self.browser.clone().post(&castellan.at(self.path), &self.pairs).await;
        let of = format!("{} {:?}", self.path, self.pairs);
        assert_clean(&answer, &of);
        let large = self.pairs.iter().any(|(_, value)| value.len() > 1_000);
        let expected = if large { 413 } else { self.status };
        // So many wrong passwords for one person are slowed down, too.
        let slowed = expected == 401 && answer.status == 429;
        assert!(slowed || answer.status == expected, "{expected}: {of:.200}: {answer:?}");
        if expected == 302 {
            let error = answer.location_param("error");
            assert_eq!(error.as_deref(), Some("access_denied"), "{of}: {answer:?}");
        }
    }
}

/// Where `asking` leads a browser: the flow that it is in.
async fn begun(castellan: &Castellan, browser: &mut Browser, asking: &Asking) -> String {
    let answer = browser.get(&asking.at(castellan)).await;
    answer.location_param("flow").unwrap()
}

#[tokio::test]
async fn bad_input_of_a_stranger_in_forms() {
    let patient = Patient::new().await;
    let mut stranger = Browser::default();
    let flow = begun(&patient.castellan, &mut stranger, &Asking::spa()).await;
    for value in &hostile() {
        for (path, pairs, status) in [
            ("/auth/login", vec![("flow", &**value), ("username", "ann"), ("password", "x")], 400),
            ("/auth/login", vec![("flow", &flow), ("username", value), ("password", "x")], 401),
            ("/auth/login", vec![("flow", &flow), ("username", "ann"), ("password", value)], 401),
            ("/auth/setup", vec![("token", value), ("username", "x")], 410),
            ("/auth/setup", vec![("token", "x"), ("username", value)], 410),
            ("/auth/reset-password", vec![("token", value), ("password", "x")], 410),
            (
                "/auth/setup",
                vec![("token", "x"), ("password", value), ("password_again", value)],
                410,
            ),
        ] {
            Filled { browser: &stranger, path, pairs, status }.send(&patient.castellan).await;
        }
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_of_a_person_in_forms() {
    let patient = Patient::new().await;
    let castellan = &patient.castellan;
    let mut ann = Browser::as_ann(castellan).await;
    let csrf = ann.get(&castellan.at("/account")).await.hidden("csrf").unwrap();
    let wider = Asking::portal().with("scope", "openid Query:*");
    for value in &hostile() {
        let flow = begun(castellan, &mut ann, &wider).await;
        for (path, pairs, status) in [
            ("/auth/consent", vec![("flow", &**value), ("decision", "allow")], 400),
            // The older address of the form still works.
            ("/auth/grant", vec![("flow", &flow), ("decision", value)], 302),
            ("/auth/logout", vec![("csrf", value)], 403),
            ("/account/revoke", vec![("csrf", value), ("client_id", "portal")], 403),
            ("/account/revoke", vec![("csrf", &csrf), ("client_id", value)], 303),
            ("/account/password", vec![("csrf", value), ("password", "x")], 403),
        ] {
            Filled { browser: &ann, path, pairs, status }.send(castellan).await;
        }
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_in_place_of_forms() {
    let patient = Patient::new().await;
    for path in [
        "/auth/login",
        "/auth/consent",
        "/auth/logout",
        "/auth/setup",
        "/auth/reset-password",
        "/account/revoke",
    ] {
        for (media_type, body) in bodies() {
            let of = format!("{path} {media_type} {}", String::from_utf8_lossy(&body));
            let ask = Ask::post(&patient.castellan.at(path)).body(media_type, body);
            let answer = ask.send().await;
            assert_clean(&answer, &of);
            // Nobody is signed in: what reads as a form gets as far as that.
            let harmless = match path {
                "/account/revoke" => answer.header("location") == Some("/auth/login"),
                "/auth/logout" => answer.status == 200,
                _ => false,
            };
            assert!(harmless || answer.status.is_client_error(), "{of:.200}: {answer:?}");
        }
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_in_the_addresses_of_pages() {
    let patient = Patient::new().await;
    for (path, name) in [
        ("/auth/login", "flow"),
        ("/auth/consent", "flow"),
        ("/auth/setup", "token"),
        ("/auth/reset-password", "token"),
    ] {
        for value in hostile().iter().filter(|value| value.len() < 1_000) {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(name, value)
                .finish();
            let url = patient.castellan.at(&format!("{path}?{query}"));
            for accept in ["text/html", "application/json", "é"] {
                let answer = Ask::get(&url).header("accept", accept).send().await;
                assert_clean(&answer, &query);
                // A link that is none is told from one that cannot be read.
                let is_link = matches!(path, "/auth/setup" | "/auth/reset-password");
                let shown = is_link && answer.status == 410;
                assert!(shown || answer.status == 400, "{path}?{query}: {answer:?}");
                assert!(
                    answer
                        .header("content-security-policy")
                        .unwrap()
                        .contains("default-src 'none'")
                );
            }
        }
    }
    patient.assert_unharmed().await;
}
