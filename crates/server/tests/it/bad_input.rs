//! Whatever is sent, the answer is a clean no: the right class of status, an error with the right
//! code, nothing given away, nothing changed.

use http::Method;
use serde_json::json;

use crate::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL, text},
    trompa::Stage,
    upstream::Recorder,
    wire::{Answer, Ask, raw},
};

/// Values that break what is careless.
fn hostile() -> Vec<String> {
    let mut values: Vec<String> = [
        "\0",
        "a\0b",
        "a\r\nSet-Cookie: ASID=x",
        "\u{feff}",
        "\u{202e}é漢😀",
        "%00",
        "%",
        "../../etc/passwd",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "{}",
        "[]",
        "-1",
        " ",
    ]
    .map(ToOwned::to_owned)
    .into();
    values.push("x".repeat(100_000));
    values
}

/// Texts that no answer may hold.
const GIVEN_AWAY: [&str; 12] = [
    "s3cr3t",
    "pw-ann",
    "/src/",
    ".rs:",
    "panicked",
    "backtrace",
    "argon2",
    "keyed:",
    "sqlite",
    "rusqlite",
    "<script>alert(1)",
    "/tmp/",
];

/// Asserts that `answer` is a no of ours that gives nothing away.
#[track_caller]
fn assert_clean(answer: &Answer, of: &str) {
    let of: String = of.chars().take(200).collect();
    let short = format!("{}: {:.600}", answer.status, answer.body);
    assert!(!answer.status.is_server_error(), "{of}: {short}");
    let whole = format!("{answer:?}").to_ascii_lowercase();
    for text in GIVEN_AWAY {
        assert!(!whole.contains(text), "{of} gives away {text}: {short}");
    }
    let cookies = answer.headers.get_all("set-cookie").iter();
    let session = cookies.filter(|cookie| cookie.to_str().unwrap().starts_with("ASID=")).count();
    assert_eq!(session, 0, "{of} signs somebody in: {short}");
}

/// Asserts that `answer` is a clean OAuth error.
#[track_caller]
fn assert_oauth_error(answer: &Answer, of: &str) {
    assert_clean(answer, of);
    let short: String = of.chars().take(200).collect();
    assert!(answer.status == 400 || answer.status == 401, "{short}: {answer:?}");
    let body = answer.json();
    let known = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "unsupported_grant_type",
        "unauthorized_client",
    ];
    assert!(known.contains(&body["error"].as_str().unwrap_or_default()), "{short}: {answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{short}");
    assert_eq!(answer.status == 401, body["error"] == "invalid_client", "{short}: {answer:?}");
    assert!(answer.body.len() < 1_000, "{short}: {answer:?}");
}

/// A server, and what it held before it was maltreated.
struct Patient {
    castellan: Castellan,
    before: String,
    refresh: String,
}

impl Patient {
    async fn new() -> Self {
        let castellan = Castellan::with_ann().await;
        let tokens = castellan.portal_tokens().await;
        let before = castellan.resources();
        Self { castellan, before, refresh: text(&tokens, "refresh_token").to_owned() }
    }

    /// Asserts that nothing has changed and everything still works.
    async fn assert_unharmed(&self) {
        assert_eq!(self.castellan.resources(), self.before);
        let refreshed = self.castellan.refresh(&self.refresh, &PORTAL).await;
        assert_eq!(refreshed.status, 200, "{refreshed:?}");
        let said = std::fs::read_to_string(self.castellan.path("stderr")).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        for secret in ["s3cr3t", "pw-ann", "csl_refresh_"] {
            assert!(!said.contains(secret), "the log holds {secret}: {said}");
        }
    }

    /// Sends `pairs` as a form and as JSON.
    async fn both(&self, path: &str, pairs: &[(&str, &str)]) -> [Answer; 2] {
        let object: serde_json::Map<_, _> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let url = self.castellan.at(path);
        [
            Ask::post(&url).form(pairs).send().await,
            Ask::post(&url).json(&object.into()).send().await,
        ]
    }
}

#[tokio::test]
async fn bad_input_values_at_the_token_endpoint() {
    let patient = Patient::new().await;
    let code = [
        &PORTAL[..],
        &[
            ("grant_type", "authorization_code"),
            ("code", "csl_code_x"),
            ("redirect_uri", "https://portal.test/cb"),
            ("code_verifier", "x"),
        ],
    ]
    .concat();
    let refresh = [
        &PORTAL[..],
        &[("grant_type", "refresh_token"), ("refresh_token", "csl_refresh_x"), ("scope", "openid")],
    ]
    .concat();
    for base in [code, refresh] {
        for at in 0..base.len() {
            for value in hostile() {
                let mut pairs = base.clone();
                pairs[at].1 = &value;
                for answer in patient.both("/auth/token", &pairs).await {
                    assert_oauth_error(&answer, &format!("{}={value}", base[at].0));
                }
            }
            let mut without = base.clone();
            without.remove(at);
            for answer in patient.both("/auth/token", &without).await {
                assert_oauth_error(&answer, &format!("no {}", base[at].0));
            }
        }
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_scopes_of_a_machine() {
    let patient = Patient::new().await;
    for value in
        hostile().iter().map(String::as_str).chain(["*", "Mutation:*", "Query:* Query:*:*:*!"])
    {
        // Blank is as good as none.
        if value == " " {
            continue;
        }
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_id", "svc"),
            ("client_secret", "s3cr3t-svc"),
            ("scope", value),
        ];
        for answer in patient.both("/auth/token", &pairs).await {
            assert_oauth_error(&answer, value);
        }
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_values_at_revocation_and_introspection() {
    let patient = Patient::new().await;
    for value in hostile() {
        let pairs = [&PORTAL[..], &[("token", &*value), ("token_type_hint", &*value)]].concat();
        for answer in patient.both("/auth/revoke", &pairs).await {
            assert_clean(&answer, &value);
            let told = answer.status == 400 && value.len() > 1_000;
            assert!(told || (answer.status == 200 && answer.body == "{}"), "{value}: {answer:?}");
        }
        for answer in patient.both("/auth/introspect", &pairs).await {
            assert_clean(&answer, &value);
            let told = answer.status == 400 && value.len() > 1_000;
            let dead = answer.status == 200 && answer.body == r#"{"active":false}"#;
            assert!(told || dead, "{value}: {answer:?}");
        }
        for path in ["/auth/revoke", "/auth/introspect"] {
            for at in 0..2 {
                let mut pairs = [&PORTAL[..], &[("token", "x")]].concat();
                pairs[at].1 = &value;
                for answer in patient.both(path, &pairs).await {
                    assert_oauth_error(&answer, &format!("{path} {}={value}", pairs[at].0));
                }
            }
        }
    }
    for path in ["/auth/revoke", "/auth/introspect"] {
        for answer in patient.both(path, &PORTAL).await {
            assert_oauth_error(&answer, "no token");
        }
    }
    patient.assert_unharmed().await;
}

/// Bodies that are neither a form nor a JSON object of texts, or that no endpoint can use.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    let deep = |open: &str| open.repeat(30_000).into_bytes();
    let mut bodies: Vec<(&str, Vec<u8>)> = vec![
        (FORM, b"grant_type=%ff%fe&client_id=%c3%28".to_vec()),
        (FORM, b"grant_type=\xff\xfe".to_vec()),
        (FORM, b"%=%&&&===&%zz=%".to_vec()),
        (FORM, b"\0\0\0".to_vec()),
        (FORM, Vec::new()),
        (FORM, vec![b'='; 70_000]),
        (FORM, "a&".repeat(30_000).into_bytes()),
        (FORM, br#"{"grant_type":"client_credentials"}"#.to_vec()),
        (JSON, deep("[")),
        (JSON, deep("{\"a\":")),
        (JSON, b"\xff".to_vec()),
        (JSON, b"\xef\xbb\xbf{}".to_vec()),
        ("", b"grant_type=client_credentials".to_vec()),
        ("text/plain", b"grant_type=client_credentials".to_vec()),
        ("multipart/form-data; boundary=x", b"--x--".to_vec()),
        ("application/xml", b"<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>".to_vec()),
        ("application/json/x", b"{}".to_vec()),
    ];
    let texts = [
        "",
        "{",
        "[]",
        "1",
        "null",
        "\"x\"",
        "true",
        "{\"grant_type\":1}",
        "{\"grant_type\":{}}",
        "{\"grant_type\":[\"a\"]}",
        "{\"grant_type\":null}",
        "{\"grant_type\":\"\\ud800\"}",
        "{\"grant_type\":\"\\u0000\"}",
        "{\"grant_type\":NaN}",
        "{\"grant_type\":\"a\"}x",
        "{\"a\":\"b\",}",
        "{'a':'b'}",
        "{\"__proto__\":\"x\",\"constructor\":\"y\"}",
    ];
    bodies.extend(texts.map(|text| (JSON, text.as_bytes().to_vec())));
    bodies
}

#[tokio::test]
async fn bad_input_bodies_of_clients() {
    let patient = Patient::new().await;
    for path in ["/auth/token", "/auth/revoke", "/auth/introspect"] {
        for (media_type, body) in bodies() {
            let of = format!("{path} {media_type} {}", String::from_utf8_lossy(&body));
            let answer = Ask::post(&patient.castellan.at(path)).body(media_type, body).send().await;
            assert_oauth_error(&answer, &of);
        }
        let answer = Ask::post(&patient.castellan.at(path)).send().await;
        assert_oauth_error(&answer, path);
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_authorization_headers_of_clients() {
    let patient = Patient::new().await;
    for value in [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic cG9ydGFs",
        "Basic Og==",
        "Basic /////w==",
        "Bearer x",
        "Digest x",
        "basic",
        "Basic cG9ydGFsOndyb25n",
        "Basic cG9ydGFsOnMzY3IzdC1wb3J0YWwK",
        "Basic cG9ydGFsOiVmZg==",
        "Basic AAAA",
    ] {
        for path in ["/auth/token", "/auth/revoke", "/auth/introspect"] {
            let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
            let ask =
                Ask::post(&patient.castellan.at(path)).form(&form).header("authorization", value);
            let answer = ask.send().await;
            assert_oauth_error(&answer, &format!("{path} {value}"));
            assert_eq!(answer.status, 401, "{value}: {answer:?}");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"), "{answer:?}");
        }
    }
    for value in ["", "Bearer", "Bearer ", "Basic x", "Bearer \u{7f}".trim_end(), "Bearer a b"] {
        let ask = Ask::get(&patient.castellan.at("/auth/userinfo")).header("authorization", value);
        let answer = ask.send().await;
        assert_clean(&answer, value);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.json()["error"], "invalid_token");
    }
    patient.assert_unharmed().await;
}

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
        ("request", Comes::Back("invalid_request")),
        ("request_uri", Comes::Back("invalid_request")),
        ("state", Comes::On),
        ("nonce", Comes::On),
        ("login_hint", Comes::On),
        ("unheard_of", Comes::On),
    ] {
        for value in hostile() {
            let asking = Asking::spa().with(name, &value);
            let url = castellan.at("/auth/authorize");
            let posted = Ask::post(&url).form(&asking.pairs()).send().await;
            let got = Ask::get(&asking.at(castellan)).send().await;
            let large = value.len() > 1_000;
            for (answer, by_get) in [(posted, false), (got, true)] {
                let of = format!("{name}={value}");
                assert_clean(&answer, &of);
                if large {
                    assert!(answer.status.is_client_error(), "{name}: {}", answer.status);
                    assert!(answer.header("location").is_none(), "{name} by get {by_get}");
                    continue;
                }
                // A blank prompt and a blank scope ask for nothing.
                let comes = if value == " " && matches!(name, "prompt" | "scope") {
                    Comes::On
                } else {
                    comes
                };
                assert_comes(&answer, comes, &of);
            }
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

#[tokio::test]
async fn bad_input_in_the_forms_that_people_fill_in() {
    let patient = Patient::new().await;
    let castellan = &patient.castellan;
    let begun = |mut browser: Browser, asking: Asking| async move {
        let answer = browser.get(&asking.at(castellan)).await;
        (answer.location_param("flow").unwrap(), browser)
    };
    let (login, stranger) = begun(Browser::default(), Asking::spa()).await;
    let ann = Browser::as_ann(castellan).await;
    let account = ann.clone().get(&castellan.at("/account")).await;
    let csrf = account.hidden("csrf").unwrap();
    for value in hostile() {
        let value = &*value;
        let large = value.len() > 1_000;
        let wider = Asking::portal().with("scope", "openid Query:*");
        let (consent, ann) = begun(ann.clone(), wider).await;
        let cases: [(&Browser, &str, Vec<(&str, &str)>, u16); 11] = [
            (
                &stranger,
                "/auth/login",
                vec![("flow", value), ("username", "ann"), ("password", "x")],
                400,
            ),
            (
                &stranger,
                "/auth/login",
                vec![("flow", &login), ("username", value), ("password", "x")],
                401,
            ),
            (
                &stranger,
                "/auth/login",
                vec![("flow", &login), ("username", "ann"), ("password", value)],
                401,
            ),
            (&ann, "/auth/grant", vec![("flow", value), ("decision", "allow")], 400),
            (&ann, "/auth/grant", vec![("flow", &consent), ("decision", value)], 302),
            (&ann, "/auth/logout", vec![("csrf", value)], 403),
            (&ann, "/account/revoke", vec![("csrf", value), ("client_id", "portal")], 403),
            (&ann, "/account/revoke", vec![("csrf", &csrf), ("client_id", value)], 303),
            (&stranger, "/auth/setup", vec![("token", value), ("username", "x")], 410),
            (&stranger, "/auth/setup", vec![("token", "x"), ("username", value)], 410),
            (
                &stranger,
                "/auth/setup",
                vec![("token", "x"), ("password", value), ("password_again", value)],
                410,
            ),
        ];
        for (browser, path, pairs, status) in cases {
            let answer = browser.clone().post(&castellan.at(path), &pairs).await;
            let of = format!("{path} {pairs:?}");
            assert_clean(&answer, &of);
            let expected = if large { 400 } else { status };
            assert_eq!(answer.status, expected, "{:.200}: {answer:?}", of);
            if status == 302 && !large {
                let error = answer.location_param("error");
                assert_eq!(error.as_deref(), Some("access_denied"), "{of}: {answer:?}");
            }
        }
    }
    for (path, _) in FORMS {
        for (media_type, body) in bodies() {
            let of = format!("{path} {media_type} {}", String::from_utf8_lossy(&body));
            let answer = Ask::post(&castellan.at(path)).body(media_type, body).send().await;
            assert_clean(&answer, &of);
            // Nobody is signed in: what reads as a form gets as far as that.
            let refused = answer.status.is_client_error();
            let harmless = match path {
                "/account/revoke" => answer.header("location") == Some("/auth/login"),
                "/auth/logout" => answer.status == 200,
                _ => false,
            };
            assert!(refused || harmless, "{:.200}: {answer:?}", of);
        }
    }
    patient.assert_unharmed().await;
}

const FORMS: [(&str, &str); 5] = [
    ("/auth/login", "flow"),
    ("/auth/grant", "flow"),
    ("/auth/logout", "csrf"),
    ("/auth/setup", "token"),
    ("/account/revoke", "csrf"),
];

#[tokio::test]
async fn bad_input_in_the_addresses_of_pages() {
    let patient = Patient::new().await;
    for (path, name) in [("/auth/login", "flow"), ("/auth/grant", "flow"), ("/auth/setup", "token")]
    {
        for value in hostile().iter().filter(|value| value.len() < 1_000) {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(name, value)
                .finish();
            let url = patient.castellan.at(&format!("{path}?{query}"));
            for accept in ["text/html", "application/json", "\u{7f}x".trim_start_matches('\u{7f}')]
            {
                let answer = Ask::get(&url).header("accept", accept).send().await;
                assert_clean(&answer, &query);
                // The set-up form asks before it looks at its link.
                let shown = path == "/auth/setup" && answer.status == 200;
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

#[tokio::test]
async fn bad_input_at_the_gate() {
    let recorder = Recorder::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"door\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             schema = \"door.graphql\"\npublic = [\"Query:*\"]\n",
            recorder.url
        ),
        documents: DOCUMENTS.to_owned(),
        files: vec![(
            "door.graphql",
            "type Query { hello(name: String, n: Int): String }".to_owned(),
        )],
        ..Plan::default()
    })
    .await;
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    let query = |query: &str| json!({"query": query}).to_string();
    let mut bodies = vec![
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "[{\"query\":\"{ hello }\"}]".to_owned(),
        "null".to_owned(),
        "1".to_owned(),
        "\"{ hello }\"".to_owned(),
        "{}".to_owned(),
        r#"{"query":null}"#.to_owned(),
        r#"{"query":1}"#.to_owned(),
        r#"{"query":["{ hello }"]}"#.to_owned(),
        r#"{"query":"{ hello }","query":"{ hello }"}"#.to_owned(),
        r#"{"query":"{ hello }","variables":1}"#.to_owned(),
        r#"{"query":"{ hello }","variables":[]}"#.to_owned(),
        r#"{"query":"{ hello }","variables":"{}"}"#.to_owned(),
        r#"{"query":"{ hello }","operationName":1}"#.to_owned(),
        r#"{"query":"{ hello }","operationName":"Other"}"#.to_owned(),
        r#"{"query":"{ hello }","extensions":1}"#.to_owned(),
        r#"{"extensions":{"persistedQuery":{"sha256Hash":"x"}}}"#.to_owned(),
        r#"{"id":"x"}"#.to_owned(),
        r#"{"query":"\ud800"}"#.to_owned(),
        r#"{"query":"query($n: Int!) { hello(n: $n) }"}"#.to_owned(),
        r#"{"query":"query($n: Int!) { hello(n: $n) }","variables":{"n":"x"}}"#.to_owned(),
        r#"{"query":"query($n: Int!) { hello(n: $n) }","variables":{"n":99999999999}}"#.to_owned(),
        query("{ nothing }"),
        query("{ hello(name: 1) }"),
        query("{ hello { x } }"),
        query("mutation { hello }"),
        query("subscription { hello }"),
        query("query A { hello } query B { hello }"),
        query("fragment F on Query { hello }"),
        query("{ ...F } fragment F on Query { ...F }"),
        query("{ hello @nothing }"),
        query("{ hello @include(if: 1) }"),
        query("type Query { x: Int }"),
        query("#"),
        query("{ hello\0 }"),
        query(&deep("{ hello ", "}", 5_000)),
        query(&format!("{{ {} }}", deep("... on Query { ", "}", 500))),
        query(&format!("{{ hello(name: {}) }}", deep("[", "]", 3_000))),
        query(
            &(0..500)
                .map(|n| format!("a{n}: hello "))
                .collect::<String>()
                .replacen("a0", "{ a0", 1)
                .add("}"),
        ),
        query(&format!("{{ {} }}", "hello ".repeat(10_000))),
        deep("[", "]", 50_000),
        format!("{{\"query\":\"{{ hello }}\",\"variables\":{}}}", deep("{\"a\":", "", 40_000)),
    ];
    bodies.extend(hostile().iter().filter(|value| value.len() < 1_000).map(|value| query(value)));
    for body in &bodies {
        let url = castellan.at("/graphql");
        let answer = Ask::post(&url).body("application/json", body.clone()).send().await;
        assert_graphql_error(&answer, 400, body);
    }
    let large = query(&format!("{{ hello }}{}", " ".repeat(200_000)));
    let answer = Ask::post(&castellan.at("/graphql")).body("application/json", large).send().await;
    assert_graphql_error(&answer, 413, "too large");
    let bytes = b"{\"query\":\"{ hello(name: \\\"\xff\\\") }\"}".to_vec();
    let answer = Ask::post(&castellan.at("/graphql")).body("application/json", bytes).send().await;
    assert_graphql_error(&answer, 400, "invalid UTF-8");
    for query in [
        "",
        "query=",
        "query=%",
        "query=%ff",
        "query={",
        "query=%7Bhello%7D&query=%7Bhello%7D",
        "query=%7Bhello%7D&variables=%7B",
        "query=%7Bhello%7D&variables=1",
        "id=x",
        "query=%00",
    ] {
        let url = castellan.at(&format!("/graphql?{}", query.replace('{', "%7B")));
        let answer = Ask::get(&url).send().await;
        assert_graphql_error(&answer, 400, query);
    }
    assert!(recorder.seen().is_empty(), "something reached the API");
    for (name, value, status) in [
        ("content-encoding", "gzip", 415),
        ("upgrade", "websocket", 400),
        ("accept", "text/html", 406),
        ("accept", "\u{7f}".trim(), 406),
    ] {
        if value == "\u{7f}" {
            continue;
        }
        let ask = Ask::post(&castellan.at("/graphql")).body("application/json", query("{ hello }"));
        let answer = ask.header(name, value).send().await;
        assert_graphql_error(&answer, status, name);
    }
    assert!(recorder.seen().is_empty(), "something reached the API");
}

use std::ops::Add as _;

#[track_caller]
fn assert_graphql_error(answer: &Answer, status: u16, of: &str) {
    assert_clean(answer, of);
    let of: String = of.chars().take(200).collect();
    assert_eq!(answer.status, status, "{of}: {answer:?}");
    let body = answer.json();
    assert!(body["errors"][0]["message"].is_string(), "{of}: {answer:?}");
    assert!(body["errors"][0]["extensions"]["decision"].is_string(), "{of}: {answer:?}");
    assert!(body.get("data").is_none(), "{of}: {answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{of}");
}

#[tokio::test]
async fn bad_input_at_the_exchange_of_keys() {
    let stage = Stage::start().await;
    let url = stage.castellan.at("/jwt");
    for value in hostile() {
        for body in [
            json!({"id": value, "apiKey": "k-admin", "scopes": ["*"]}),
            json!({"id": "admin", "apiKey": value, "scopes": ["*"]}),
            json!({"id": "persons", "apiKey": "k-persons", "scopes": [value]}),
            json!({"id": "admin", "apiKey": "k-admin", "scopes": value}),
            json!({"id": [value], "apiKey": {}, "scopes": 1}),
        ] {
            let answer = Ask::post(&url).json(&body).send().await;
            assert_clean(&answer, &body.to_string());
            assert!(answer.status.is_client_error(), "{:.200}: {answer:?}", body.to_string());
            assert_eq!(answer.json()["success"], false);
            assert!(answer.json().get("jwt").is_none(), "{answer:?}");
        }
    }
    for (media_type, body) in bodies() {
        let of = String::from_utf8_lossy(&body).into_owned();
        let answer = Ask::post(&url).body(media_type, body).send().await;
        assert_clean(&answer, &of);
        assert!(answer.status.is_client_error(), "{:.200}: {answer:?}", of);
        assert_eq!(answer.json()["success"], false, "{answer:?}");
    }
    let large =
        json!({"id": "admin", "apiKey": "k-admin", "scopes": ["*"], "x": "x".repeat(3_000_000)});
    let answer = Ask::post(&url).json(&large).send().await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.json()["success"], false, "{answer:?}");
}

#[tokio::test]
async fn bad_input_methods() {
    let patient = Patient::new().await;
    let all =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE];
    for (path, allowed) in [
        ("/", "GET"),
        ("/account", "GET"),
        ("/account/revoke", "POST"),
        ("/assets/castellan.css", "GET"),
        ("/auth/authorize", "GET,POST"),
        ("/auth/grant", "GET,POST"),
        ("/auth/introspect", "POST"),
        ("/auth/login", "GET,POST"),
        ("/auth/logout", "GET,POST"),
        ("/auth/revoke", "POST"),
        ("/auth/setup", "GET,POST"),
        ("/auth/token", "POST"),
        ("/auth/userinfo", "GET,POST"),
        ("/healthz", "GET"),
        ("/readyz", "GET"),
        ("/.well-known/jwks.json", "GET"),
        ("/.well-known/castellan-identity-jwks.json", "GET"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/.well-known/openid-configuration", "GET"),
        ("/api", "GET,POST"),
    ] {
        for method in &all {
            let answer = Ask::new(method.clone(), &patient.castellan.at(path)).send().await;
            assert_clean(&answer, path);
            let known = allowed.split(',').any(|name| name == method.as_str());
            assert_eq!(answer.status == 405, !known, "{method} {path}: {answer:?}");
            if !known {
                let told = answer.header("allow").unwrap_or_default();
                assert!(
                    allowed.split(',').all(|name| told.contains(name)),
                    "{method} {path}: {told}"
                );
            }
        }
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_paths() {
    let patient = Patient::new().await;
    for path in [
        "/nowhere",
        "/auth",
        "/auth/",
        "/auth/token/",
        "/AUTH/token",
        "/auth/token/x",
        "/api/x",
        "/castellan.toml",
        "/castellan.db",
        "/castellan.key",
        "/assets/",
        "/assets/castellan.key",
    ] {
        let answer = Ask::post(&patient.castellan.at(path)).send().await;
        assert_clean(&answer, path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert_eq!(answer.json()["error"], "not_found");
    }
    for path in [
        "/../castellan.key",
        "/assets/../castellan.key",
        "/assets/%2e%2e/castellan.key",
        "/assets/..%2fcastellan.key",
        "//auth/token",
        "/auth//token",
        "/auth/./token",
        "/auth%2ftoken",
        "/auth/token;x=1",
        "/auth/token%00",
        "/auth\\token",
        "/auth/%5ctoken",
        "/%61uth/token%3f",
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let said = raw(&patient.castellan.url, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{path}: {said}");
        assert!(!said.contains("[data]") && !said.contains("/tmp/"), "{path}: {said}");
    }
    patient.assert_unharmed().await;
}

#[tokio::test]
async fn bad_input_requests_that_are_no_http() {
    let patient = Patient::new().await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(600_000));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(500));
    let far =
        format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "x".repeat(80_000));
    for request in [
        "GET /healthz HTTP/1.1\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n".to_owned(),
        "GET http://a.test/healthz HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n"
            .to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\n X: folded\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n".to_owned(),
        "GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "get\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!(
            "POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
        ),
        format!("POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Content-Length: -1\r\n\r\n"),
        format!("POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Content-Length: x\r\n\r\n"),
        format!(
            "POST /auth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{form}Transfer-Encoding: chunked\r\n\r\nzz\r\n"
        ),
        format!("POST /auth/token HTTP/1.1\r\nHost: x\r\n{form}Transfer-Encoding: gzip\r\n\r\nx"),
        long,
        many,
        far,
    ] {
        let said = raw(&patient.castellan.url, request.as_bytes()).await;
        let status = said.get(9..12).unwrap_or("hung");
        let of: String = request.chars().take(200).collect();
        assert!(status == "hung" || status.starts_with('4'), "{of}: {said}");
        for text in GIVEN_AWAY {
            assert!(!said.contains(text), "{of}: {said}");
        }
    }
    patient.assert_unharmed().await;
}
