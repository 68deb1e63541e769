//! What `castellan explain` and `POST /auth/explain-token` say of a token that is no good, and of
//! fields that only an exact scope reaches.

use serde_json::{Value, json};

use super::nodes::within_the_bound;
use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, SPA, text},
    jose,
    upstream::Recorder,
    wire::{Answer, Ask},
};

const SDL: &str = "
interface Node { id: ID! }
type Person implements Node { id: ID! }
type Query { node(id: ID!): Node person(id: ID!): Person }
";

/// Who may have tokens explained, who may not, and two people for their tokens.
const MORE: &str = r#"
---
resourceType: Client
id: support
secret: s3cr3t-of-support
grant_types: [client_credentials]
scope: ["Castellan:Token:Explain"]
---
resourceType: Client
id: reader
secret: s3cr3t-of-reader
grant_types: [client_credentials]
scope: ["Castellan:Client:Read"]
"#;

async fn start() -> (Recorder, Castellan) {
    let api = Recorder::start().await;
    let guard = |name: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"{}\"\n\
             schema = \"api.graphql\"\n{more}\n",
            api.url
        )
    };
    let castellan = Castellan::start(Plan {
        config: guard("one", ""),
        documents: format!("{DOCUMENTS}{MORE}"),
        files: vec![("api.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    (api, castellan)
}

async fn token_of(castellan: &Castellan, id: &str) -> String {
    let secret = format!("s3cr3t-of-{id}");
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", &*secret)];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

async fn ask(castellan: &Castellan, with: Option<&str>, body: &Value) -> Answer {
    let ask = Ask::post(&castellan.at("/auth/explain-token")).json(body);
    match with {
        Some(token) => ask.bearer(token).send().await,
        None => ask.send().await,
    }
}

/// What is said of `token` over HTTP, which the command line says too.
async fn explained(castellan: &Castellan, with: &str, token: &str) -> Value {
    let answer = ask(castellan, Some(with), &json!({"token": token})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains(token), "{answer:?}");
    let said = answer.json();
    let arguments = ["explain", "--json", "--token", token, "--query", "{ person(id: 1) { id } }"];
    let cli: Value = serde_json::from_str(&castellan.said(&arguments)).unwrap();
    for (here, there) in [
        ("explanation", "credential_problem"),
        ("problem", "credential_problem_kind"),
        ("since", "credential_problem_since"),
    ] {
        if said["valid"] == true {
            assert!(cli[there].is_null(), "{cli}");
        } else {
            assert_eq!(said[here], cli[there], "{here}");
        }
    }
    said
}

async fn assert_problem(
    castellan: &Castellan,
    with: &str,
    token: &str,
    (kind, part): (&str, &str),
) -> Value {
    let said = explained(castellan, with, token).await;
    assert_eq!(said["valid"], false, "{said}");
    assert_eq!(said["problem"], kind, "{said}");
    assert!(text(&said, "explanation").contains(part), "{part}: {said}");
    said
}

#[tokio::test]
async fn each_way_in_which_a_token_is_no_good_is_told_apart() {
    let (_api, castellan) = start().await;
    let support = token_of(&castellan, "support").await;
    let spa = async || {
        let tokens = castellan.tokens(&mut Browser::default(), &Asking::spa(), &SPA).await;
        text(&tokens, "access_token").to_owned()
    };
    let good = spa().await;
    let said = explained(&castellan, &support, &good).await;
    assert_eq!((&said["valid"], &said["caller"]["person"]), (&json!(true), &json!("ann")));

    let changed = format!("{}AAAAAAAA", &good[..good.len() - 8]);
    let problem = ("bad_signature", "bad signature");
    assert_problem(&castellan, &support, &changed, problem).await;
    let (_other_api, other) = start().await;
    let foreign = token_of(&other, "support").await;
    let said = assert_problem(&castellan, &support, &foreign, ("other_site", "other site")).await;
    assert!(text(&said, "explanation").contains(&other.url), "{said}");
    assert_problem(&castellan, &support, "rubbish", ("malformed", "neither a JWT nor")).await;
    let answer = ask(&castellan, Some(&support), &json!({"token": good, "audience": "elsewhere"}))
        .await
        .json();
    assert_eq!(answer["problem"], "other_audience", "{answer}");
    assert!(text(&answer, "explanation").contains("wrong audience"), "{answer}");

    let revoked = spa().await;
    let pairs = [("token", &*revoked), ("client_id", "spa")];
    assert_eq!(Ask::post(&castellan.at("/auth/revoke")).form(&pairs).send().await.status, 200);
    let problem = ("revoked", "revoked");
    assert_problem(&castellan, &support, &revoked, problem).await;
    let ends = jose::claims(&good)["exp"].as_u64().unwrap();

    castellan.said(&["user", "deactivate", "ann"]);
    within_the_bound("the token holds", async || {
        let said = ask(&castellan, Some(&support), &json!({"token": good})).await.json();
        said["valid"] == false
    })
    .await;
    assert_problem(&castellan, &support, &good, ("deactivated", "User/ann is deactivated")).await;

    // Its time passes before that of whoever asks, who has another one.
    castellan.advance_to(3_600);
    let support = token_of(&castellan, "support").await;
    let said = assert_problem(&castellan, &support, &good, ("expired", "has expired, at 2")).await;
    assert_eq!(said["since"], json!(ends), "{said}");
}

#[tokio::test]
async fn having_a_token_explained_needs_its_own_right() {
    let (_api, castellan) = start().await;
    let (support, reader) =
        (token_of(&castellan, "support").await, token_of(&castellan, "reader").await);
    let body = json!({"token": reader});
    assert_eq!(ask(&castellan, None, &body).await.status, 401);
    assert_eq!(ask(&castellan, Some(&reader), &body).await.status, 403);
    assert_eq!(ask(&castellan, Some(&support), &body).await.status, 200);
    for (body, part) in [
        (json!({}), "token is missing"),
        (json!({"token": ""}), "token must be a text"),
        (json!({"token": "x", "guard": "none"}), "does not exist at this site"),
        (json!({"token": "x", "tokens": []}), "unknown member"),
    ] {
        let refused = ask(&castellan, Some(&support), &body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.body.contains(part), "{part}: {refused:?}");
    }
    let described = castellan.said(&["config", "openapi"]);
    assert!(
        described.contains("/auth/explain-token") && described.contains("Castellan:Token:Explain")
    );
}

#[tokio::test]
async fn explain_says_where_only_an_exact_scope_reaches_a_field() {
    let (_api, castellan) = start().await;
    let said = castellan.said(&["explain", "--query", "{ node(id: 1) { id } }"]);
    assert!(said.contains("exact scope     only a scope or public pattern that spells"), "{said}");
    let said = castellan.said(&["explain", "--query", "{ person(id: 1) { id } }"]);
    assert!(!said.contains("exact scope"), "{said}");
    // The same of a denial that is kept.
    let denied = castellan.graphql("/one", None, "{ node(id: 1) { id } }").await;
    let id = denied.header("castellan-decision").unwrap().to_owned();
    let said = castellan.until_said(&["explain", &id]).await;
    assert!(said.contains("exact scope     "), "{said}");
}
