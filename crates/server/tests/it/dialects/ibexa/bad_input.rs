//! Bodies that are refused (§2.2, §10 numbers 4 and 5). No answer repeats any of them.

use super::{Api, IJ, IX, SJ, described};

/// What a login with `body` of type `kind` is told.
async fn told(api: &Api, kind: &str, body: &str) -> String {
    let ask = api.ask("POST", "/user/sessions").body(kind, body.to_owned());
    let answer = ask.header("accept", SJ).send().await;
    let description = described(&answer, 400);
    assert!(!answer.body.contains("pw-ann") && !answer.body.contains("root:"), "{answer:?}");
    assert_eq!(answer.header("set-cookie"), None);
    description
}

const GOOD: &str = "{\"SessionInput\":{\"login\":\"ann\",\"password\":\"pw-ann\"}}";

/// The type of a body, the body, and what is wrong with either.
const DEFECTS: &[(&str, &str, &str)] = &[
    ("application/vnd.ibexa.api.SessionInput+yaml", GOOD, "Unknown format specification: 'yaml'."),
    (
        "application/vnd.ibexa.api.UserInput+json",
        GOOD,
        "Unknown content type specification: 'application/vnd.ibexa.api.UserInput'.",
    ),
    (
        IJ,
        "{\"SessionInput\":{\"login\":\"ann\"}}",
        "Missing 'password' attribute for SessionInput.",
    ),
    (
        IJ,
        "{\"SessionInput\":{\"password\":\"pw-ann\"}}",
        "Missing 'login' attribute for SessionInput.",
    ),
    (IJ, "{\"SessionInput\":{\"login\":\"pw-ann", "Invalid JSON at line 1, column 32."),
    (
        IJ,
        "{\"SessionInput\":{\"login\":null,\"password\":\"pw-ann\"}}",
        "'login' must be a string in SessionInput.",
    ),
    (
        IJ,
        "{\"SessionInput\":{\"login\":14,\"password\":\"pw-ann\"}}",
        "'login' must be a string in SessionInput.",
    ),
    (
        IJ,
        "{\"SessionInput\":{\"login\":\"ann\",\"password\":[\"pw-ann\"]}}",
        "'password' must be a string in SessionInput.",
    ),
    (IJ, "{\"login\":\"ann\",\"password\":\"pw-ann\"}", "Invalid JSON."),
    (IJ, "{\"UserInput\":{}}", "The body must be one SessionInput."),
    (IJ, "[]", "Invalid JSON."),
    (IJ, "\"pw-ann\"", "Invalid JSON."),
    (IX, GOOD, "The body is not well-formed XML."),
    (IX, "<UserInput/>", "The body must be one SessionInput."),
    (IX, "<SessionInput/>", "Missing 'login' attribute for SessionInput."),
    (
        IX,
        "<SessionInput><login>ann</login></SessionInput>",
        "Missing 'password' attribute for SessionInput.",
    ),
    (
        IX,
        "<SessionInput><login><a>ann</a></login><password>pw-ann</password></SessionInput>",
        "'login' must be a string in SessionInput.",
    ),
    (
        IX,
        "<SessionInput><login>ann</login><login>bob</login></SessionInput>",
        "An element or an attribute is there twice.",
    ),
];

#[tokio::test]
async fn ibexa_07_a_login_that_is_none_is_a_400() {
    let api = Api::start().await;
    let ask = api.ask("POST", "/user/sessions").header("accept", SJ).send().await;
    assert_eq!(described(&ask, 400), "Missing Content-Type header in message.");
    for (kind, body, description) in DEFECTS {
        assert_eq!(told(&api, kind, body).await, *description, "{body}");
    }
    let twice = "{\"SessionInput\":{\"login\":\"ann\",\"login\":\"bob\",\"password\":\"pw-ann\"}}";
    assert!(told(&api, IJ, twice).await.starts_with("Invalid JSON at line 1"));
    // What is not read is ignored, the parameters of the type among it.
    let more =
        "{\"SessionInput\":{\"_media-type\":\"x\",\"login\":\"ann\",\"password\":\"pw-ann\"}}";
    let kind = format!("{IJ}; charset=utf-8");
    let ask = api.ask("POST", "/user/sessions").body(&kind, more).header("accept", SJ);
    assert_eq!(ask.send().await.status, 201);
}

#[tokio::test]
async fn ibexa_08_xml_with_a_document_type_is_a_400() {
    let api = Api::start().await;
    let login = "<SessionInput><login>&x;</login><password>pw-ann</password></SessionInput>";
    let declared = "A document type declaration is not allowed.";
    let mut bomb = "<!DOCTYPE s [<!ENTITY a \"aaaaaaaaaa\">".to_owned();
    for at in 'b'..='j' {
        let before = char::from(at as u8 - 1);
        let ten = format!("&{before};").repeat(10);
        bomb.extend(["<!ENTITY ", &at.to_string(), " \"", &ten, "\">"]);
    }
    for (start, description) in [
        ("<!DOCTYPE s [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", declared),
        ("<!DOCTYPE s [<!ENTITY x SYSTEM \"http://127.0.0.1:1/\">]>", declared),
        ("<!DOCTYPE s SYSTEM \"http://127.0.0.1:1/s.dtd\">", declared),
        ("<!DOCTYPE s [<!ENTITY % p SYSTEM \"http://127.0.0.1:1/\"> %p;]>", declared),
        (&*format!("{bomb}<!ENTITY x \"&j;\">]>"), declared),
        ("", "Entities are not allowed."),
        ("<?xml-stylesheet href=\"x\"?>", "Processing instructions are not allowed."),
    ] {
        assert_eq!(told(&api, IX, &format!("{start}{login}")).await, description, "{start}");
    }
    let xinclude = "<SessionInput xmlns:xi=\"http://www.w3.org/2001/XInclude\"><login>\
                    <xi:include parse=\"text\" href=\"file:///etc/passwd\"/></login>\
                    <password>pw-ann</password></SessionInput>";
    assert_eq!(told(&api, IX, xinclude).await, "'login' must be a string in SessionInput.");
    let deep = format!("{}{}", "<a>".repeat(5_000), "</a>".repeat(5_000));
    assert_eq!(told(&api, IX, &deep).await, "The elements are nested too deeply.");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(told(&api, IJ, &deep).await.starts_with("Invalid JSON at line 1"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let api = Api::start().await;
    for kind in [IJ, IX] {
        let ask = api.ask("POST", "/user/sessions").body(kind, " ".repeat(65 * 1024));
        described(&ask.header("accept", SJ).send().await, 413);
    }
}

/// Guesses are counted before they are checked, whatever format they come in.
#[tokio::test]
async fn guesses_at_a_password_are_counted() {
    let api = Api::start().await;
    let mut last = api.login("ann", "wrong").send().await;
    for _ in 0..15 {
        last = api.login("ann", "wrong").send().await;
        if last.status == 429 {
            break;
        }
    }
    described(&last, 429);
    assert!(last.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    let right = api.login("ann", "pw-ann").send().await;
    assert_eq!(right.status, 429, "{right:?}");
    api.sign_in("bob").await;
}
