//! Opaque tokens of another issuer, about which that issuer is asked (`docs/contracts/aidbox.md`
//! §2.7, RFC 7662).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Response};
use serde_json::{Value, json};

use crate::{
    guards::foreign_tokens::{Stage, US, futures},
    support::{
        jose,
        upstream::{Recorder, json_answer},
        wire::Ask,
    },
};

fn by_endpoint(other: &Recorder) -> Value {
    json!({
        "resourceType": "TokenIntrospector", "id": "asked", "type": "opaque",
        "introspection_endpoint": {
            "url": format!("{}introspect", other.url), "authorization": "Basic c2VjcmV0LW9mLXVz",
        },
        "audience": US, "cache_ttl": 2,
    })
}

/// Answers as an endpoint that knows `token`, and counts.
fn knowing(other: &Recorder, token: &'static str, said: Value) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    other.answer_by(move |seen| {
        count.fetch_add(1, Ordering::SeqCst);
        let form: std::collections::HashMap<_, _> =
            url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
        let is_right = seen.method == Method::POST
            && seen.headers["authorization"] == "Basic c2VjcmV0LW9mLXVz"
            && form["token"] == token;
        json_answer(&if is_right { said.clone() } else { json!({"active": false}) }.to_string())
    });
    asked
}

#[tokio::test]
async fn an_opaque_token_is_what_its_issuer_says_for_as_long_as_the_document_lets_it() {
    let stage = Stage::begin(by_endpoint).await;
    let said = json!({
        "active": true, "sub": "ann", "scope": "Query:*", "aud": US, "token_type": "Bearer",
    });
    let asked = knowing(&stage.other, "tok-1", said.clone());
    let identity = stage.identity("tok-1").await;
    assert_eq!((&identity["kind"], &identity["sub"]), (&json!("foreign_token"), &json!("ann")));
    for _ in 0..5 {
        assert_eq!(stage.call("tok-1").await.status, 200);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it is remembered");
    // Ended there, it ends here within `cache_ttl`.
    knowing(&stage.other, "tok-2", said);
    stage.castellan.advance_to(3);
    stage.api.seen();
    stage.assert_refused("tok-1", "it was revoked").await;
    assert_eq!(stage.call("tok-2").await.status, 200);
}

#[tokio::test]
async fn an_answer_counts_if_it_says_that_the_token_is_active_and_for_us() {
    let stage = Stage::begin(by_endpoint).await;
    let now = jose::now();
    let good = json!({"active": true, "sub": "ann", "scope": "Query:*", "aud": [US, "x"], "exp": now + 600});
    for (at, (status, member, value)) in [
        (200, "iat", json!(now)),
        (401, "active", json!(false)),
        (503, "active", json!("true")),
        (503, "active", json!(1)),
        (503, "active", Value::Null),
        (401, "aud", Value::Null),
        (401, "aud", json!("https://elsewhere.test")),
        (401, "exp", json!(now - 1)),
        (401, "nbf", json!(now + 300)),
        (401, "sub", json!("eve")),
        (401, "sub", Value::Null),
        (401, "cnf", json!({"jkt": "x"})),
        (401, "token_type", json!("DPoP")),
        (503, "sub", json!({"id": "ann"})),
    ]
    .into_iter()
    .enumerate()
    {
        let mut answer = good.clone();
        match &value {
            Value::Null => drop(answer.as_object_mut().unwrap().remove(member)),
            value => answer[member] = value.clone(),
        }
        stage.other.answer(&answer.to_string());
        let done = stage.call(&format!("tok-{at}")).await;
        assert_eq!(done.status, status, "{member} = {value}: {done:?}");
        // An endpoint that failed is left alone for a moment.
        stage.castellan.advance_to(5 * (at as u64 + 1));
    }
    for (at, (answer, why)) in [
        (Response::builder().status(401).body(good.to_string()).unwrap(), "401"),
        (
            Response::builder()
                .status(302)
                .header("location", "/x")
                .body(good.to_string())
                .unwrap(),
            "302",
        ),
        (Response::builder().body("active".to_owned()).unwrap(), "text"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.castellan.advance_to(200 + 10 * at as u64);
        stage.other.answer_with(answer);
        assert_eq!(stage.call(&format!("tok-{why}")).await.status, 503, "{why}");
    }
}

/// Nothing of ours is shown to another issuer: not what is a secret here, nor what was meant as one.
#[tokio::test]
async fn no_token_of_our_own_leaves_the_house() {
    let stage = Stage::begin(by_endpoint).await;
    let documents = "resourceType: Client\nid: op\nsecret: s3cr3t-op\n\
                     grant_types: [client_credentials]\nscope: [\"Query:*\"]\n\
                     auth: {client_credentials: {token_format: opaque}}\n";
    assert!(stage.castellan.cli_with(&["apply", "-f", "-"], documents).status.success());
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", "op"), ("client_secret", "s3cr3t-op")];
    let token =
        stage.castellan.token(&pairs).await.json()["access_token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("csl_access_"), "{token}");
    stage
        .other
        .answer(&json!({"active": true, "sub": "ann", "aud": US, "scope": "Query:*"}).to_string());
    let identity = stage.identity(&token).await;
    assert_eq!((&identity["kind"], &identity["sub"]), (&json!("access_token"), &json!("op")));
    let revoked = Ask::post(&stage.castellan.at("/auth/revoke")).form(&[
        ("token", &*token),
        ("client_id", "op"),
        ("client_secret", "s3cr3t-op"),
    ]);
    assert_eq!(revoked.send().await.status, 200);
    let key = castellan_proto::Opaque::generate(castellan_proto::OpaqueKind::ClientSecret).text();
    let session = castellan_proto::Opaque::generate(castellan_proto::OpaqueKind::Session).text();
    let jwt = jose::signed_with("s3cr3t", &json!({"id": "x", "exp": jose::now() + 60}));
    for (token, why) in [
        (&*token, "a revoked token"),
        (&token[..token.len() - 1], "a part of one"),
        (&*key, "a client secret"),
        (&key[..key.len() - 3], "a part of one"),
        (&*session, "a session's cookie"),
        (&*jwt, "a JWT"),
    ] {
        stage.assert_refused(token, why).await;
    }
    assert!(stage.other.seen().is_empty(), "the other issuer was asked");
}

/// Strangers cannot make this server ask another one as often as they like.
#[tokio::test]
async fn unknown_tokens_are_asked_about_once_and_not_without_end() {
    let stage = Stage::begin(by_endpoint).await;
    let asked = knowing(&stage.other, "good", json!({"active": true, "sub": "ann", "aud": US}));
    let same: Vec<_> = (0..16).map(|_| "same").collect();
    for answer in futures(same.into_iter().map(|token| stage.call(token))).await {
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one question for one token");
    let mut last = 401;
    for n in 0..300 {
        last = stage.call(&format!("guess-{n}")).await.status.as_u16();
        if last != 401 {
            break;
        }
    }
    assert_eq!(last, 503, "nothing bounds them");
    assert!(asked.load(Ordering::SeqCst) <= 300);
}
