//! What proxies say of client certificates, sent as a proxy would and as a stranger would
//! (`docs/contracts/ibexa.md` §6 and §11, check 36; `docs/security-cases.md` rows 28 and 29).

use crate::support::wire::{Answer, Ask};

use super::support::{ASK, Setting, Stage};

/// This machine is the proxy.
const LISTED: &str = "client_certificate_headers = { subject_header = \"X-Client-Subject\", \
                      verify_header = \"X-Client-Verify\", trusted_proxies = [\"127.0.0.1\"] }\n";
/// Another one is.
const ELSEWHERE: &str = "client_certificate_headers = { subject_header = \"X-Client-Subject\", \
                         verify_header = \"X-Client-Verify\", trusted_proxies = [\"192.0.2.1\"] }\n";
const NAME: &str = "emailAddress=ann@example.org,CN=Ann Roe,O=Example\\, Inc.";
const VERIFIED: (&str, &str) = ("x-client-verify", "SUCCESS");

async fn stage(server: &'static str, part: &'static str) -> Stage {
    Stage::start(Setting { part, server, ..Setting::default() }).await
}

async fn send(stage: &Stage, headers: &[(&str, &str)]) -> Answer {
    let ask = Ask::post(&stage.castellan.at("/graphql")).body("application/json", ASK);
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().await
}

/// Refused without a challenge, and nothing reaches the API.
fn assert_unknown(stage: &Stage, answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.header("www-authenticate"), None, "{answer:?}");
    assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    assert!(stage.recorder.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ibexa_36_a_verified_subject_of_a_listed_proxy_is_that_person() {
    for (part, subject, who) in [
        ("email", NAME, "ann"),
        ("email", "1.2.840.113549.1.9.1=#160f616e6e406578616d706c652e6f7267,CN=x", "ann"),
        ("cn", "CN=Ann Roe,O=Example", "ann"),
        ("cn", "cn=Zo\\C3\\AB,O=Example", "zoe"),
        ("dn", "emailAddress=dave@example.org,CN=Dave,O=Example\\2c Inc.", "dave"),
    ] {
        let stage = stage(LISTED, part).await;
        let answer = send(&stage, &[VERIFIED, ("x-client-subject", subject)]).await;
        assert_eq!(answer.status, 200, "{subject}: {answer:?}");
        assert_eq!(answer.header("set-cookie"), None, "no session begins");
        let seen = stage.recorder.seen();
        let headers = &seen[0].headers;
        assert!(headers.keys().all(|name| !name.as_str().starts_with("x-client")), "{headers:?}");
        let told = crate::support::jose::claims(headers["castellan-identity"].to_str().unwrap());
        assert_eq!((&told["sub"], &told["kind"]), (&who.into(), &"client_certificate".into()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ibexa_36_what_was_not_verified_is_nobody() {
    let stage = stage(LISTED, "email").await;
    for headers in [
        &[][..],
        &[("x-client-verify", "NONE")],
        &[("x-client-verify", "NONE"), ("x-client-subject", NAME)],
        &[
            ("x-client-verify", "FAILED:unable to verify the first certificate"),
            ("x-client-subject", NAME),
        ],
        &[("x-client-verify", "GENEROUS"), ("x-client-subject", NAME)],
        &[("x-client-subject", NAME)],
        &[VERIFIED],
        &[VERIFIED, ("x-client-verify", "SUCCESS"), ("x-client-subject", NAME)],
        &[VERIFIED, ("x-client-subject", NAME), ("x-client-subject", NAME)],
        // Nobody is called that, and Bob may not sign in.
        &[VERIFIED, ("x-client-subject", "emailAddress=nobody@example.org")],
        &[VERIFIED, ("x-client-subject", "emailAddress=bob@example.org")],
        // Her user name is not an e-mail address of hers.
        &[VERIFIED, ("x-client-subject", "emailAddress=Ann Roe")],
    ] {
        let answer = send(&stage, headers).await;
        assert_unknown(&stage, &answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ibexa_36_an_address_that_is_smuggled_in_is_not_that_persons() {
    let stage = stage(LISTED, "email").await;
    for subject in [
        "CN=x/emailAddress=ann@example.org",
        "/C=DE/CN=x/emailAddress=ann@example.org",
        "CN=x\\,emailAddress=ann@example.org",
        "CN=x\\2cemailAddress\\3dann@example.org",
        "CN=\"x\",emailAddress=ann@example.org",
        "CN=x, emailAddress=ann@example.org",
        "emailAddress=ann@example.org,CN=x,emailAddress=zoe@example.org",
        "emailAddress=ann@example.org\\00,CN=x",
        "emailAddress=ann@example.org;CN=x",
    ] {
        let answer = send(&stage, &[VERIFIED, ("x-client-subject", subject)]).await;
        assert_unknown(&stage, &answer);
    }
    let log = std::fs::read_to_string(stage.path("stderr")).unwrap();
    assert!(log.contains("LegacyDNStringFormat"), "{log}");
    assert!(!log.contains("ann@example.org"), "{log}");
}

/// A browser shows its certificate whichever page asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_sites_use_nobodys_certificate() {
    let stage = stage(LISTED, "email").await;
    let ours = stage.castellan.url.clone();
    for (header, is_known) in [
        (("sec-fetch-site", "same-origin"), true),
        (("sec-fetch-site", "none"), true),
        (("sec-fetch-site", "same-site"), false),
        (("sec-fetch-site", "cross-site"), false),
        (("origin", &*ours), true),
        (("origin", "https://evil.test"), false),
        (("origin", "null"), false),
    ] {
        let answer = send(&stage, &[VERIFIED, ("x-client-subject", NAME), header]).await;
        if is_known {
            assert_eq!((answer.status.as_u16(), &*stage.told()), (200, "ann"), "{header:?}");
        } else {
            assert_unknown(&stage, &answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_28_certificate_headers_of_others_are_removed() {
    let stage = stage(ELSEWHERE, "email").await;
    let answer = send(&stage, &[VERIFIED, ("x-client-subject", NAME)]).await;
    assert_unknown(&stage, &answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_29_certificate_headers_in_other_spellings_are_removed() {
    for server in [LISTED, ELSEWHERE] {
        let stage = stage(server, "email").await;
        for headers in [
            &[("x_client_verify", "SUCCESS"), ("x_client_subject", NAME)][..],
            &[("x-client_verify", "SUCCESS"), ("x_client-subject", NAME)],
            // What the connection is told to remove is not there, and then nobody is.
            &[
                ("x-client-verify", "NONE"),
                ("x_client_verify", "SUCCESS"),
                ("x-client-subject", NAME),
            ],
        ] {
            let answer = send(&stage, headers).await;
            assert_unknown(&stage, &answer);
        }
    }
}
