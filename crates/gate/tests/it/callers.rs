//! Who calls, and what the service behind is told of it (`docs/rules.md` rules 3 and 39).

use bytes::Bytes;
use castellan_gate::{GuardSchema, Rules, SchemaSettings, SessionField};
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::wire::{Rig, SDL, rules};

fn rig() -> Rig {
    Rig::new(SDL, rules(&["Query:id:Get"]), &[("ada", "*")])
        .answering(json!({"data": {"id": "1", "secret": "s"}}))
}

fn with(uri: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::post(uri).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(r#"{"query":"{ id secret }"}"#)).unwrap()
}

/// `docs/security-cases.md` row 32: one strict parser; several credentials are refused.
#[tokio::test]
async fn case_32_one_credential_read_strictly() {
    let rig = rig();
    for (uri, headers) in [
        ("/", &[("authorization", "Bearer ada"), ("authorization", "Bearer ada")][..]),
        ("/?access_token=ada", &[("authorization", "Bearer ada")]),
        ("/?access%5Ftoken=ada", &[("authorization", "Bearer ada")]),
        ("/", &[("authorization", "Bearer ada"), ("x-jwt-aud", "a"), ("x-jwt-aud", "b")]),
    ] {
        let reply = rig.send(with(uri, headers)).await;
        assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (400, "SEVERAL_CREDENTIALS"));
        assert!(rig.nothing_sent());
    }
    for value in [
        "Bearer",
        "Bearer ",
        "ada",
        "Bearer ada ada",
        "Bearer ada,",
        "Bearer ada, Bearer ada",
        "Bearer \"ada\"",
        "Bearerada",
        "Bearer\tada",
        "Basic ada",
        "Bearer a=da",
        "Bearer =",
        "bearer nobody",
        " ",
        "Bearer éda",
    ] {
        let reply = rig.send(with("/", &[("authorization", value)])).await;
        assert_eq!(
            reply.json()["errors"][0]["extensions"]["reason"],
            "credential_invalid",
            "{value}"
        );
        assert_eq!(reply.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        assert!(!rig.only().query().contains("secret"));
    }
    let reply = rig.send(with("/?access_token=ada", &[])).await;
    assert_eq!(reply.json()["errors"][0]["extensions"]["reason"], "credential_invalid");
    rig.only();
    for value in ["Bearer ada", "bearer ada", "BEARER  ada"] {
        let reply = rig.send(with("/", &[("authorization", value)])).await;
        assert!(reply.codes().is_empty(), "{value}: {}", reply.text);
        assert!(!reply.headers.contains_key("www-authenticate"));
        rig.only();
    }
    let reply = rig.send(with("/", &[("authorization", "Bearer down")])).await;
    assert_eq!((reply.status.as_u16(), reply.headers["retry-after"].as_bytes()), (503, &b"1"[..]));
    assert!(rig.nothing_sent());
}

#[tokio::test]
async fn a_tainted_caller_gets_what_is_public_and_a_challenge() {
    let rig = rig();
    let reply = rig.ask(Some("expired"), "{ id }").await;
    assert_eq!((reply.status.as_u16(), &*reply.codes()), (200, &[][..]));
    assert_eq!(rig.only().headers["castellan-identity"], "anonymous");
    assert!(reply.headers.contains_key("www-authenticate"));
    let reply = rig.ask(Some("expired"), "{ secret }").await;
    assert_eq!(reply.json()["errors"][0]["extensions"]["reason"], "credential_expired");
    assert!(reply.headers.contains_key("www-authenticate"));
    let reply = rig.ask(Some("expired"), "{ nope }").await;
    assert_eq!(reply.status, 400);
    assert!(reply.headers.contains_key("www-authenticate"));
    assert!(rig.nothing_sent());
}

/// RFC 9449 §7.1 and §9: what is wrong is told in the scheme by which a credential was sent, or
/// should have been, and what is public is answered all the same.
#[tokio::test]
async fn a_challenge_speaks_the_callers_scheme() {
    let public = rig();
    let closed = Rules { known_callers_only: true, ..rules(&["Query:id:Get"]) };
    let closed = Rig::new(SDL, closed, &[("ada", "*")]);
    let dpop = |error: &str| format!("DPoP error=\"{error}\", algs=\"ES256 EdDSA\"");
    let bearer = || "Bearer error=\"invalid_token\"".to_owned();
    for (authorization, proofs, challenge) in [
        ("DPoP nobody", &["proof"][..], dpop("invalid_token")),
        ("dpop expired", &["proof"], dpop("invalid_token")),
        ("DPoP forged", &["proof"], dpop("invalid_dpop_proof")),
        ("DPoP late", &["proof"], dpop("use_dpop_nonce")),
        ("DPoP ada", &[], dpop("invalid_dpop_proof")),
        ("DPoP ada", &["one", "two"], dpop("invalid_dpop_proof")),
        ("DPoP ada", &["é"], dpop("invalid_dpop_proof")),
        ("DPoP a,b", &["proof"], dpop("invalid_token")),
        ("DPoP é", &["proof"], dpop("invalid_token")),
        ("DPoP", &[], dpop("invalid_token")),
        ("Bearer bound", &[], dpop("invalid_token")),
        ("Bearer nobody", &[], bearer()),
        ("Bearer nobody", &["proof"], bearer()),
        ("DPoPx nobody", &["proof"], bearer()),
    ] {
        let mut headers = vec![("authorization", authorization)];
        headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
        let reply = public.send(with("/", &headers)).await;
        let told = (reply.status.as_u16(), &reply.json()["data"]["id"]) == (200, &json!("1"));
        assert!(told, "{authorization}: {reply:?}");
        assert_eq!(reply.headers["www-authenticate"], challenge, "{authorization}");
        assert!(!public.only().query().contains("secret"));
        let reply = closed.send(with("/", &headers)).await;
        assert_eq!(reply.status, 401, "{authorization}");
        assert_eq!(reply.headers["www-authenticate"], challenge, "{authorization}");
    }
    let reply = public.send(with("/", &[("authorization", "DPoP ada"), ("dpop", "proof")])).await;
    assert!(!reply.headers.contains_key("www-authenticate"), "{reply:?}");
    let reply = closed.send(with("/", &[])).await;
    assert_eq!(reply.headers["www-authenticate"], "Bearer");
}

/// `docs/security-cases.md` row 29: no spelling of an identity header gets in, and `Connection`
/// cannot take ours away.
#[tokio::test]
async fn case_29_identity_is_only_ever_ours() {
    let rig = rig();
    let forged = [
        "castellan-identity",
        "castellan_identity",
        "castellan.identity",
        "castellan-decision",
        "castellan_guard",
        "x-user",
        "x_user",
        "x_forwarded_user",
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
        "cookie",
        "proxy-authorization",
        "te",
        "x-original-url",
        "x-http-method-override",
        "if-none-match",
        "content-digest",
        "sec-websocket-protocol",
        "x-listed",
        "dpop",
        "origin",
    ];
    let mut headers: Vec<_> = forged.iter().map(|name| (*name, "forged")).collect();
    headers.push(("connection", "castellan-identity, X-Listed, content-type"));
    headers.push(("authorization", "Bearer ada"));
    headers.push(("x-request-id", "kept"));
    rig.send(with("/a//b/../c?x=1", &headers)).await;
    let sent = rig.only();
    let mut names: Vec<_> = sent.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "castellan-decision",
            "castellan-identity",
            "content-type",
            "x-request-id"
        ]
    );
    assert_eq!(sent.headers["castellan-identity"], "token");
    assert_eq!(sent.headers.get_all("castellan-identity").iter().count(), 1);
    assert_ne!(sent.headers["castellan-decision"], "forged");
}

#[tokio::test]
async fn the_session_is_ours_and_needs_nobody() {
    let settings = SchemaSettings { session: SessionField::Local, ..SchemaSettings::default() };
    let rig = Rig::with(SDL, &settings, rules(&["Query:{CastellanSession,Query,id}:Get"]), &[]);
    let reply = rig.ask(None, "{ session { user { id } } __typename }").await;
    assert_eq!(reply.text, r#"{"data":{"session":null,"__typename":"Query"}}"#);
    for nested in [
        "{ self { session { user { id } } } }",
        "{ session { user { id } } id self { session { user { id } } } }",
    ] {
        let reply = rig.ask(None, nested).await;
        assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (400, "LOCAL_FIELD_NESTED"));
    }
    assert!(rig.nothing_sent());
    let taken = format!("{SDL} type CastellanUser {{ id: ID }}");
    assert!(GuardSchema::build(&taken, &settings).is_err());
}

/// `docs/security-cases.md` row 42: what one caller is told never holds what another one sent.
#[test]
fn case_42_errors_are_nobody_elses() {
    let rig = rig();
    let threads: Vec<_> = (0..64)
        .map(|caller| {
            let rig = rig.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(told_apart(&rig, caller))
            })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for thread in threads {
        assert!(ids.insert(thread.join().unwrap()));
    }
}

async fn told_apart(rig: &Rig, caller: usize) -> String {
    let body = json!({"query": format!("query Of{caller} {{ mine{caller}: secret }}")}).to_string();
    let reply = rig.send(crate::wire::post(None, &body)).await;
    let others = reply.text.replace(&format!("mine{caller}\""), "");
    assert!(!others.contains("mine"), "{}", reply.text);
    let wrong = rig.ask(None, &format!("{{ wrong{caller} }}")).await;
    let others = wrong.text.replace(&format!("wrong{caller}`"), "");
    assert!(!others.contains("wrong"), "{}", wrong.text);
    reply.headers["castellan-decision"].to_str().unwrap().to_owned()
}
