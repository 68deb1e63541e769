//! Clients that show their secret beside a token (`X-Client-Auth`, `docs/contracts/aidbox.md` §2.7).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use castellan_proto::jose::Algorithm;
use serde_json::json;

use crate::{
    guards::foreign_tokens::{Signer, Stage, by_jwks, changed},
    support::{
        jose,
        wire::{Answer, Ask},
    },
};

/// A guard that takes clients beside tokens, and a token for it.
struct Beside {
    stage: Stage,
    signer: Signer,
    /// For more than the client may do.
    wide: String,
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

impl Beside {
    async fn begin() -> Self {
        let stage = Stage::begin(by_jwks).await;
        let signer = Signer::new(Algorithm::Es256);
        stage.other.answer(&signer.jwks());
        let wide = signer.sign(&changed("scope", json!("Query:* Mutation:*")));
        Self { stage, signer, wide }
    }

    async fn ask(&self, token: &str, client: &str, query: &str) -> Answer {
        Ask::post(&self.stage.castellan.at("/beside"))
            .bearer(token)
            .header("x-client-auth", client)
            .json(&json!({"query": query}))
            .send()
            .await
    }
}

#[tokio::test]
async fn a_client_beside_a_token_bounds_it_and_widens_nothing() {
    let beside = Beside::begin().await;
    let (stage, svc) = (&beside.stage, basic("svc:s3cr3t-svc"));
    let narrow = beside.signer.sign(&changed("scope", json!("Query:Nothing:Get")));
    let alone = stage.castellan.graphql("/beside", Some(&beside.wide), "mutation { write }").await;
    assert_eq!(alone.json(), json!({"data": {"write": "done"}}), "{alone:?}");
    stage.api.seen();
    let answer = beside.ask(&beside.wide, &svc, "{ hello }").await;
    assert_eq!(answer.json(), json!({"data": {"hello": "hi"}}), "{answer:?}");
    let seen = stage.api.seen().pop().unwrap();
    assert!(seen.headers.get("x-client-auth").is_none(), "the secret was sent on");
    let identity = jose::claims(seen.headers["castellan-identity"].to_str().unwrap());
    assert_eq!(
        (&identity["sub"], &identity["client_id"], &identity["scope"]),
        (&json!("ann"), &json!("svc"), &json!("Query:*"))
    );
    for (token, query, why) in [
        (&beside.wide, "mutation { write }", "the client may not"),
        (&narrow, "{ hello }", "the token may not"),
    ] {
        let denied = beside.ask(token, &svc, query).await;
        let code = &denied.json()["errors"][0]["extensions"]["code"];
        assert_eq!(code, "FORBIDDEN", "{why}: {denied:?}");
    }
    // A token that was issued to a client is for that one.
    let others = stage.own_token("admin").await;
    assert_eq!(beside.ask(&others, &svc, "{ hello }").await.status, 401);
    let own = stage.own_token("svc").await;
    assert_eq!(beside.ask(&own, &svc, "{ hello }").await.status, 200);
}

#[tokio::test]
async fn a_client_that_proves_nothing_taints_the_caller_and_is_ignored_nowhere() {
    let beside = Beside::begin().await;
    let (stage, svc, wide) = (&beside.stage, basic("svc:s3cr3t-svc"), &beside.wide);
    for (client, why) in [
        (basic("svc:wrong"), "a wrong secret"),
        (basic("svc:"), "none"),
        (basic("nobody:s3cr3t-svc"), "nobody's"),
        (basic("admin:s3cr3t-admin"), "a client without basic"),
        ("Basic ???".to_owned(), "malformed"),
        (format!("Bearer {wide}"), "another scheme"),
        (String::new(), "empty"),
    ] {
        let refused = beside.ask(wide, &client, "{ hello }").await;
        assert_eq!(refused.status, 401, "{why}: {refused:?}");
    }
    let hello = json!({"query": "{ hello }"});
    let url = stage.castellan.at("/beside");
    let by_itself = Ask::post(&url).header("x-client-auth", &svc).json(&hello);
    assert_eq!(by_itself.send().await.status, 401, "it is no caller");
    let elsewhere = Ask::post(&stage.castellan.at("/both")).bearer(wide);
    let elsewhere = elsewhere.header("x-client-auth", &svc).json(&hello).send().await;
    assert_eq!(elsewhere.status, 401, "a guard that does not take it");
    let twice = Ask::post(&url).bearer(wide).header("x-client-auth", &svc);
    assert_eq!(twice.header("x-client-auth", &svc).json(&hello).send().await.status, 400);
    let both = Ask::post(&url).header("authorization", &svc).header("x-client-auth", &svc);
    assert_eq!(both.json(&hello).send().await.status, 400);
    assert!(stage.api.seen().is_empty(), "something reached the API");
}

#[tokio::test]
async fn guesses_beside_a_token_are_counted() {
    let beside = Beside::begin().await;
    for n in 0..40 {
        let guess = basic(&format!("nobody:guess-{n}"));
        let answer = beside.ask(&beside.wide, &guess, "{ hello }").await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            return;
        }
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    panic!("guesses are not counted");
}
