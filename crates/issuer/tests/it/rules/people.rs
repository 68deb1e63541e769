//! People who show their password with every request, or a JWT that they got for it
//! (`docs/contracts/ibexa.md` §§4, 5; `docs/rules.md` rules 26, 27 and 48).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::{
    error::OAuthError, keys::KeyUse, request::source::Source, resources::ResourceKind,
    sign_in::name_and_password::NameAndPassword, tokens::verified::VerifyError,
};
use castellan_proto::{
    Secret,
    jose::{Algorithm, HmacKey, SigningKey},
};
use serde_json::{Value, json};

use super::liveness::poll;
use crate::harness::{Harness, ISSUER, PASSWORD};

const HOME: &str = "198.51.100.1";
const ELSEWHERE: &str = "192.0.2.1";

/// Whether `password` is that of `name`; else the seconds to wait.
async fn shows(harness: &Harness, name: &str, password: &str, at: &str) -> Result<bool, u64> {
    let (secret, source) = (Secret::new(password.to_owned()), Source::Address(at.parse().unwrap()));
    let typed = NameAndPassword { name, password: &secret };
    match harness.issuer.person_of_request(typed, Some(source)).await {
        Ok(person) => Ok(person.is_some()),
        Err(OAuthError::Throttled(seconds)) => Err(seconds),
        Err(error) => panic!("{error}"),
    }
}

/// The verbs that showing the right password of `ada` takes.
async fn cost(harness: &Harness) -> usize {
    harness.store.arm(None);
    assert_eq!(shows(harness, "ada", PASSWORD, HOME).await, Ok(true));
    harness.store.verbs().len()
}

/// A JWT of the person `ada`.
async fn token(harness: &Harness) -> String {
    let (secret, source) =
        (Secret::new(PASSWORD.to_owned()), Source::Address(HOME.parse().unwrap()));
    let typed = NameAndPassword { name: "ADA", password: &secret };
    let person = harness.issuer.person_of_request(typed, Some(source)).await;
    harness.issuer.issue_person_token(&person.unwrap().unwrap(), "ADA").await.unwrap()
}

/// Why `token` is not valid, if it is not.
async fn problem(harness: &Harness, token: &str) -> Option<&'static str> {
    match harness.issuer.verify_person_token(token).await {
        Ok(person) => {
            assert_eq!(person.id, "ada-1");
            None
        }
        Err(VerifyError::OtherKind) => Some("other"),
        Err(VerifyError::Expired) => Some("expired"),
        Err(VerifyError::Invalid) => Some("invalid"),
        Err(VerifyError::Store(error)) => panic!("{error}"),
    }
}

fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut read = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (read(), read())
}

#[tokio::test]
async fn a_name_and_a_password_are_those_of_one_person_or_of_nobody() {
    let harness = Harness::new().await;
    for name in ["ada", " ADA ", "ada@example.org", "ada-1"] {
        assert_eq!(shows(&harness, name, PASSWORD, HOME).await, Ok(true), "{name}");
    }
    for (name, password) in
        [("ada", "wrong"), ("ada", ""), ("nobody", PASSWORD), ("", PASSWORD), ("", "")]
    {
        assert_eq!(shows(&harness, name, password, HOME).await, Ok(false), "{name}");
    }
    harness.edit("bob-1", |bob| bob["active"] = json!(false)).await;
    assert_eq!(shows(&harness, "bob", PASSWORD, HOME).await, Ok(false), "inactive");
}

#[tokio::test]
async fn a_password_that_was_right_costs_nothing_until_the_account_changes() {
    let harness = Harness::new().await;
    let cursor = poll(&harness, None).await;
    assert_ne!(cost(&harness).await, 0);
    assert_eq!(cost(&harness).await, 0);
    let other = harness.again().await;
    other.edit("ada-1", |ada| ada["name"] = json!({"formatted": "Ada L."})).await;
    let cursor = poll(&harness, Some(&cursor)).await;
    assert_ne!(cost(&harness).await, 0);
    assert_eq!(cost(&harness).await, 0);
    harness.later(60);
    assert_ne!(cost(&harness).await, 0, "for a minute at most");
    assert_eq!(cost(&harness).await, 0);
    other.edit("ada-1", |ada| ada["password"] = json!("another battery staple")).await;
    poll(&harness, Some(&cursor)).await;
    assert_eq!(shows(&harness, "ada", PASSWORD, HOME).await, Ok(false), "a new password");
}

#[tokio::test]
async fn a_person_who_is_deactivated_is_out_on_every_node() {
    let harness = Harness::new().await;
    let cursor = poll(&harness, None).await;
    let token = token(&harness).await;
    assert_eq!(shows(&harness, "ada", PASSWORD, HOME).await, Ok(true));
    assert_eq!(problem(&harness, &token).await, None);
    harness.again().await.edit("ada-1", |ada| ada["active"] = json!(false)).await;
    let cursor = poll(&harness, Some(&cursor)).await;
    assert_eq!(shows(&harness, "ada", PASSWORD, HOME).await, Ok(false));
    assert_eq!(problem(&harness, &token).await, Some("invalid"));
    harness.again().await.edit("ada-1", |ada| ada["active"] = json!(true)).await;
    poll(&harness, Some(&cursor)).await;
    assert_eq!(shows(&harness, "ada", PASSWORD, HOME).await, Ok(true));
    assert_eq!(problem(&harness, &token).await, Some("invalid"), "what was over stays over");
}

/// One count with the sign-in page, and nobody is locked out where they are known.
#[tokio::test]
async fn guesses_hold_up_strangers_and_not_where_the_person_is_known() {
    let harness = Harness::new().await;
    poll(&harness, None).await;
    assert_eq!(shows(&harness, "ada", PASSWORD, HOME).await, Ok(true));
    for n in 0..10 {
        assert_eq!(shows(&harness, "ada", "wrong", &format!("192.0.2.{n}")).await, Ok(false));
    }
    assert_eq!(shows(&harness, "ada", "wrong", ELSEWHERE).await, Err(1));
    // What is remembered for one place is nothing elsewhere.
    assert_eq!(shows(&harness, "ada", PASSWORD, ELSEWHERE).await, Err(1));
    let page = harness.issuer.sign_in_with_password("ada", &Secret::new(PASSWORD.to_owned())).await;
    assert!(matches!(page, Err(OAuthError::Throttled(1))));
    for node in [&harness, &harness.again().await] {
        assert_eq!(shows(node, "ada", PASSWORD, HOME).await, Ok(true));
    }
}

/// Whoever shares an address with a person finds out no more by what is remembered than by guessing.
#[tokio::test]
async fn what_is_remembered_cannot_be_guessed_at_without_end() {
    let harness = Harness::new().await;
    poll(&harness, None).await;
    assert_eq!(shows(&harness, "ada", PASSWORD, HOME).await, Ok(true));
    let mut checked = 0;
    for n in 0..100 {
        checked += u32::from(shows(&harness, "ada", &format!("wrong{n}"), HOME).await.is_ok());
    }
    assert_eq!(checked, 30, "then the place is held up");
    assert_eq!(shows(&harness, "ada", PASSWORD, HOME).await, Err(30), "even the right one");
    assert_eq!(shows(&harness, "ada", PASSWORD, "198.51.100.2").await, Ok(true));
}

/// A program that starts with many requests at once costs one hash, and is not held up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_password_at_the_same_time_is_one_check() {
    let harness = std::sync::Arc::new(Harness::new().await);
    poll(&harness, None).await;
    harness.store.arm(None);
    let all = (0..200).map(|_| {
        let harness = std::sync::Arc::clone(&harness);
        tokio::spawn(async move { shows(&harness, "ada", PASSWORD, HOME).await })
    });
    for one in all.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap(), Ok(true));
    }
    let reads = harness.store.verbs().into_iter().filter(|verb| *verb == "find").count();
    assert!(reads < 5, "{reads} checks");
}

#[tokio::test]
async fn a_jwt_says_who_got_it_and_costs_nothing_when_it_was_seen() {
    let harness = Harness::new().await;
    poll(&harness, None).await;
    let token = token(&harness).await;
    let (header, claims) = parts(&token);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("castellan-person+jwt")));
    assert_eq!(claims["username"], "Ada", "as the account spells it");
    assert_eq!(claims["roles"], json!(["ROLE_USER"]));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(ISSUER)));
    assert_eq!(claims["sub"], "ada-1");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
    assert_ne!(claims["jti"], parts(&self::token(&harness).await).1["jti"]);
    let published = harness.issuer.keyring().jwks(harness.issuer.now()).keys;
    assert!(published.iter().all(|key| key.kid.as_deref() != header["kid"].as_str()));

    for verbs in [1, 0] {
        harness.store.arm(None);
        assert_eq!(problem(&harness, &token).await, None);
        assert_eq!(harness.store.verbs().len(), verbs);
    }
    let elsewhere = harness.again().await;
    assert_eq!(problem(&elsewhere, &token).await, None);
    harness.later(3_599);
    assert_eq!(problem(&harness, &token).await, None);
    harness.later(1);
    assert_eq!(problem(&harness, &token).await, Some("expired"));
}

/// A node that opened before the first such token was issued hears of the key.
#[tokio::test]
async fn a_jwt_of_another_node_is_known_everywhere() {
    let harness = Harness::new().await;
    let other = harness.again().await;
    let token = token(&harness).await;
    assert_eq!(problem(&other, &token).await, None);
}

#[tokio::test]
async fn what_ends_a_persons_sessions_ends_their_jwts_on_every_node() {
    for what in ["password", "sessions", "deleted", "revoked"] {
        let harness = Harness::new().await;
        let cursor = poll(&harness, None).await;
        let token = token(&harness).await;
        assert_eq!(problem(&harness, &token).await, None);
        let other = harness.again().await;
        match what {
            "password" => {
                other.edit("ada-1", |ada| ada["password"] = json!("another battery staple")).await;
            }
            "sessions" => assert!(other.issuer.end_sessions_of("ada-1").await.unwrap()),
            "deleted" => {
                other.issuer.remove(ResourceKind::USER, "ada-1").await.unwrap();
            }
            // It belongs to no client, and whoever holds it may end it.
            _ => other.revoke("phone", &token).await.unwrap(),
        }
        poll(&harness, Some(&cursor)).await;
        assert_eq!(problem(&harness, &token).await, Some("invalid"), "{what}");
        assert_eq!(problem(&other, &token).await, Some("invalid"), "{what}");
        if what == "sessions" {
            assert_eq!(problem(&harness, &self::token(&harness).await).await, None, "a new one");
        }
    }
}

#[tokio::test]
async fn case_06_a_jwt_of_a_person_is_no_other_kind_and_no_other_kind_is_one() {
    let harness = Harness::new().await;
    let token = token(&harness).await;
    assert!(!harness.holds(&token).await);
    assert!(harness.issuer.userinfo(&token, None).await.is_err());
    assert_eq!(harness.introspect("robot", &token).await.unwrap(), json!({"active": false}));
    assert!(harness.refresh("own", &token, &[]).await.is_err());
    let answer = harness.tokens("own").await;
    for other in [answer.access_token, answer.id_token.unwrap()] {
        assert_eq!(problem(&harness, &other).await, Some("other"));
    }
    let (head, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let with = |alg: &str| {
        let mut header = parts(&token).0;
        header["alg"] = json!(alg);
        URL_SAFE_NO_PAD.encode(header.to_string())
    };
    for alg in ["none", "None", "RS256", "HS256", "ES384", "es256", ""] {
        for signature in [signature, ""] {
            let forged = format!("{}.{payload}.{signature}", with(alg));
            assert!(problem(&harness, &forged).await.is_some(), "{alg}");
        }
    }
    let keys = harness.issuer.keyring().keys();
    let key = keys.iter().find(|key| key.usage == KeyUse::Person).unwrap();
    let public = serde_json::to_string(key.signing.jwk()).unwrap();
    let signed = format!("{}.{payload}", with("HS256"));
    let code = HmacKey::new(public.as_bytes()).code(signed.as_bytes());
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(code));
    assert_eq!(problem(&harness, &forged).await, Some("invalid"), "HS256 with a public key");

    let (claims, now) = (parts(&token).1, harness.issuer.now());
    let typ = "castellan-person+jwt";
    let person = KeyUse::Person.with(Algorithm::Es256);
    let sign =
        |kind, claims: &Value| harness.issuer.keyring().sign(kind, typ, claims, now).unwrap();
    assert_eq!(problem(&harness, &sign(person, &claims)).await, None);
    for usage in [KeyUse::Access, KeyUse::Identity] {
        let forged = sign(usage.with(Algorithm::Es256), &claims);
        assert_eq!(problem(&harness, &forged).await, Some("invalid"), "{usage:?}");
    }
    let foreign = SigningKey::generate(Algorithm::Es256).unwrap().0.sign(typ, &claims).unwrap();
    assert_eq!(problem(&harness, &foreign).await, Some("invalid"), "an unknown kid");
    let (_, of_foreign) = foreign.split_once('.').unwrap();
    let forged = format!("{head}.{of_foreign}");
    assert_eq!(problem(&harness, &forged).await, Some("invalid"), "a kid of ours");
    for (name, value) in [
        ("iss", json!("https://evil.test")),
        ("aud", json!("https://evil.test")),
        ("aud", json!([ISSUER])),
        ("sub", json!("bob-1")),
        ("jti", json!("another")),
        ("exp", json!(-1)),
        ("exp", Value::Null),
    ] {
        let mut other = claims.clone();
        other[name] = value;
        assert_eq!(problem(&harness, &sign(person, &other)).await, Some("invalid"), "{name}");
    }
}
