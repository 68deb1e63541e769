//! Whatever is sent, the answer is a clean no: the right class of status, an error with the right
//! code, nothing given away, nothing changed.

use serde_json::json;

use crate::support::{
    castellan::Castellan,
    fixtures::{PORTAL, text},
    wire::{Answer, Ask},
};

/// Values that break what is careless.
pub fn hostile() -> Vec<String> {
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
pub const GIVEN_AWAY: [&str; 10] = [
    "s3cr3t",
    "pw-ann",
    "/src/",
    ".rs:",
    "panicked",
    "backtrace",
    "argon2",
    "keyed:",
    "sqlite",
    "/tmp/",
];

/// Asserts that `answer` is a no of ours that gives nothing away.
#[track_caller]
pub fn assert_clean(answer: &Answer, of: &str) {
    let of: String = of.chars().take(200).collect();
    let short = format!("{}: {:.600}", answer.status, answer.body);
    assert!(!answer.status.is_server_error(), "{of}: {short}");
    let whole = format!("{answer:?}").to_ascii_lowercase();
    for text in GIVEN_AWAY {
        assert!(!whole.contains(text), "{of} gives away {text}: {short}");
    }
    // A text of the caller's may come back in JSON, where nobody runs it.
    let inert = answer.header("content-type").is_some_and(|of| of.starts_with("application/json"))
        && answer.header("x-content-type-options") == Some("nosniff");
    assert!(inert || !whole.contains("<script>alert"), "{of}: {short}");
    let cookies = answer.headers.get_all("set-cookie").iter();
    let session = cookies.filter(|cookie| cookie.to_str().unwrap().starts_with("ASID=")).count();
    assert_eq!(session, 0, "{of} signs somebody in: {short}");
}

/// Asserts that `answer` is a clean OAuth error.
#[track_caller]
fn assert_oauth_error(answer: &Answer, of: &str) {
    assert_clean(answer, of);
    let short: String = of.chars().take(200).collect();
    let too_large = answer.status == 413 && of.len() > 64 * 1024;
    let refused = answer.status == 400 || answer.status == 401;
    assert!(refused || too_large, "{short}: {answer:?}");
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
pub struct Patient {
    pub castellan: Castellan,
    before: String,
    refresh: String,
}

impl Patient {
    pub async fn new() -> Self {
        let castellan = Castellan::with_ann().await;
        let tokens = castellan.portal_tokens().await;
        let before = castellan.resources();
        Self { castellan, before, refresh: text(&tokens, "refresh_token").to_owned() }
    }

    /// Asserts that nothing has changed and everything still works.
    pub async fn assert_unharmed(&self) {
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
            let told = answer.status == 413 && value.len() > 1_000;
            assert!(told || (answer.status == 200 && answer.body == "{}"), "{value}: {answer:?}");
        }
        for answer in patient.both("/auth/introspect", &pairs).await {
            assert_clean(&answer, &value);
            let told = answer.status == 413 && value.len() > 1_000;
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
pub fn bodies() -> Vec<(&'static str, Vec<u8>)> {
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

/// Where clients prove who they are.
const FOR_CLIENTS: [&str; 5] =
    ["/auth/device", "/auth/introspect", "/auth/par", "/auth/revoke", "/auth/token"];

#[tokio::test]
async fn bad_input_bodies_of_clients() {
    let patient = Patient::new().await;
    for path in FOR_CLIENTS {
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
        for path in FOR_CLIENTS {
            let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
            let ask =
                Ask::post(&patient.castellan.at(path)).form(&form).header("authorization", value);
            let answer = ask.send().await;
            assert_oauth_error(&answer, &format!("{path} {value}"));
            assert_eq!(answer.status, 401, "{value}: {answer:?}");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"), "{answer:?}");
        }
    }
    for value in ["", "Bearer", "Bearer ", "Basic x", "Bearer é", "Bearer a b"] {
        let ask = Ask::get(&patient.castellan.at("/auth/userinfo")).header("authorization", value);
        let answer = ask.send().await;
        assert_clean(&answer, value);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.json()["error"], "invalid_token");
    }
    patient.assert_unharmed().await;
}
