//! Guesses are counted by where they come from, at every door together (`docs/rules.md` rule 48).

use castellan_proto::{Opaque, OpaqueKind};
use serde_json::json;

use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::{DOCUMENTS, PORTAL},
    wire::{Answer, Ask},
};

const MACHINE: &str = "
---
resourceType: ApiCredential
id: nightly-sync
name: Night sync
secret: PASTE_API_SECRET_HERE
---
resourceType: AuthKey
id: persons
apiKey: k-persons
scopes: [\"Mutation:Person:*\"]
";
const GUESSER: &str = "192.0.2.1";

/// A server behind a proxy on this machine, which says from where requests came.
async fn start() -> Castellan {
    Castellan::start(Plan {
        documents: format!("{DOCUMENTS}{MACHINE}"),
        environment: vec![
            ("CASTELLAN__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]".to_owned()),
            ("JWT_SECRET", "not-so-secret".to_owned()),
            ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned()),
        ],
        ..Plan::default()
    })
    .await
}

/// A right secret at each door that takes one, from `source`.
async fn right_ones(castellan: &Castellan, source: &str) -> Vec<(&'static str, Answer)> {
    let post = |path: &str| Ask::post(&castellan.at(path)).header("x-forwarded-for", source);
    let token = [&PORTAL[..], &[("token", "nothing")]].concat();
    let machine =
        [("api_user[key]", "nightly-sync"), ("api_user[secret]", "PASTE_API_SECRET_HERE")];
    let key = json!({"id": "persons", "apiKey": "k-persons", "scopes": ["Mutation:Person:Create"]});
    vec![
        ("introspect", post("/auth/introspect").form(&token).send().await),
        ("revoke", post("/auth/revoke").form(&token).send().await),
        ("sign_in", post("/api/sign_in").form(&machine).send().await),
        ("jwt", post("/jwt").json(&key).send().await),
    ]
}

#[tokio::test]
async fn a_source_that_guesses_waits_at_every_door() {
    let castellan = start().await;
    // Of the form that Castellan makes, so that none costs a password hash.
    let wrong = Opaque::generate(OpaqueKind::ApiKey).text();
    let guess = || {
        let key = json!({"id": "persons", "apiKey": wrong, "scopes": ["Mutation:Person:Create"]});
        Ask::post(&castellan.at("/jwt")).header("x-forwarded-for", GUESSER).json(&key).send()
    };
    for _ in 0..100 {
        let answer = guess().await;
        if answer.status == 429 {
            break;
        }
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let mut last = guess().await;
    // A place is free again every three seconds.
    while last.status != 429 {
        last = guess().await;
    }
    for (door, answer) in right_ones(&castellan, GUESSER).await {
        // One place may have come free meanwhile, which a right secret gives back.
        if answer.status == 200 {
            continue;
        }
        assert_eq!(answer.status, 429, "{door}: {answer:?}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait), "{door}: {wait}");
        let body = answer.json();
        match door {
            "jwt" => assert_eq!(body["success"], false),
            "sign_in" => assert_eq!(body["jwt_token"], json!(null)),
            _ => assert_eq!(body["error"], "temporarily_unavailable"),
        }
    }
    for (door, answer) in right_ones(&castellan, "192.0.2.2").await {
        assert_eq!(answer.status, 200, "{door}: {answer:?}");
    }
}

#[tokio::test]
async fn whoever_knows_their_secret_is_not_counted() {
    let castellan = start().await;
    for _ in 0..40 {
        for (door, answer) in right_ones(&castellan, GUESSER).await {
            assert_eq!(answer.status, 200, "{door}: {answer:?}");
        }
    }
}
