//! Nobody registers a client that acts for itself and may do more than they may
//! (`docs/contracts/curity.md` §7.4).

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::support::{machine_token, managed, refused, registered, sent};
use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::text,
    upstream::Recorder,
};

const SDL: &str = "type Query { news: String } type Mutation { write: String }";
const DOCUMENTS: &str = r#"
{resourceType: User, id: gus, userName: gus, password: pw-gus}
---
{resourceType: User, id: eva, userName: eva, password: pw-eva, groups: [{value: editors}]}
---
{resourceType: Role, id: editing, scope: ["Query:*"], groups: [editors]}
---
{resourceType: Client, id: phone, secret: s3cr3t-phone, first_party: true, grant_types: [password],
 scope: [openid, dcr, plain, "Query:*", "Mutation:*"]}
---
{resourceType: Client, id: robot, secret: s3cr3t-robot, grant_types: [client_credentials],
 scope: [dcr, "Query:*"]}
"#;

async fn stage(more: &str) -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    let config = format!(
        "[registration]\nby = [\"token\"]\n\
         scopes = [\"openid\", \"plain\", \"Query:*\", \"Mutation:*\"]\n\n\
         [[guard]]\nname = \"api\"\npath = \"/graphql\"\nupstream = \"{}\"\nschema = \"api.graphqls\"\n\
         require = [\"person\"]\n",
        recorder.url
    );
    let castellan = Castellan::start(Plan {
        config,
        documents: format!("{DOCUMENTS}{more}"),
        files: vec![("api.graphqls", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

async fn token_of(castellan: &Castellan, person: &str, scope: &str) -> String {
    let password = format!("pw-{person}");
    let pairs = [
        ("grant_type", "password"),
        ("username", person),
        ("password", &*password),
        ("client_id", "phone"),
        ("client_secret", "s3cr3t-phone"),
        ("scope", scope),
    ];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

fn machine(scope: &str) -> Value {
    json!({"grant_types": ["client_credentials"], "scope": scope})
}

#[tokio::test]
async fn a_person_gives_a_machine_no_more_than_their_token_and_their_roles_have() {
    let (_recorder, castellan) = stage("").await;
    for (person, has, scope, is_given) in [
        ("gus", "openid dcr", "Query:news:*", false),
        ("gus", "openid dcr", "plain", false),
        ("gus", "openid dcr plain", "plain", true),
        ("eva", "openid dcr Query:*", "Query:*", true),
        // Of other people, roles leave nothing in a token; of her, what no role has.
        ("gus", "openid dcr Query:*", "Query:*", false),
        ("eva", "openid dcr Query:* Mutation:*", "Mutation:*", false),
        ("eva", "openid dcr", "Query:*", false),
    ] {
        let token = token_of(&castellan, person, has).await;
        let answer = sent(&castellan, &token, &machine(scope)).await;
        if is_given {
            assert_eq!(registered(&answer)["scope"], scope, "{person} {has}");
        } else {
            let said = refused(&answer, 400, "invalid_client_metadata");
            assert!(said.starts_with("scope: number 1 is more than"), "{said}");
        }
    }
    // Where a person signs in, their roles count then.
    let token = token_of(&castellan, "gus", "openid dcr").await;
    let app = json!({"redirect_uris": ["https://shop.test/cb"], "scope": "openid Query:*"});
    registered(&sent(&castellan, &token, &app).await);
}

/// What a person gave a machine ends when the person may no longer sign in.
#[tokio::test]
async fn a_machine_ends_with_the_person_who_registered_it() {
    let (_recorder, castellan) = stage("").await;
    let token = token_of(&castellan, "eva", "openid dcr Query:*").await;
    let client = registered(&sent(&castellan, &token, &machine("Query:*")).await);
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", text(&client, "client_id")),
        ("client_secret", text(&client, "client_secret")),
    ];
    let issued = castellan.token(&pairs).await.json();
    let held = text(&issued, "access_token");
    let its = (pairs[1].1, pairs[2].1);
    assert!(castellan.is_active(held, its).await);
    for verb in ["deactivate", "activate"] {
        let done = castellan.cli(&["user", verb, "eva"]);
        assert!(done.status.success(), "{done:?}");
        let is_active = verb == "activate";
        let mut answer = castellan.token(&pairs).await;
        for _ in 0..50 {
            // Until the server has heard of it.
            if (answer.status == 200) == is_active {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = castellan.token(&pairs).await;
        }
        if !is_active {
            let said = answer.json();
            assert_eq!(answer.status, 400);
            assert_eq!(said["error"], "unauthorized_client");
            assert!(text(&said, "error_description").contains("no longer active"), "{said}");
        }
        // What was over stays over.
        let mut is_held = castellan.is_active(held, its).await;
        for _ in 0..50 {
            if !is_held || is_active {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            is_held = castellan.is_active(held, its).await;
        }
        assert!(!is_held, "{verb}");
    }
}

#[tokio::test]
async fn a_registration_is_not_replaced_by_one_of_a_machine_that_may_do_more() {
    let (_recorder, castellan) = stage("").await;
    let put = async |client: &Value, mut body: Value| {
        body["client_id"] = client["client_id"].clone();
        managed(Method::PUT, client, Some(&body)).await
    };
    let token = token_of(&castellan, "gus", "openid dcr").await;
    let app = json!({"redirect_uris": ["https://shop.test/cb"], "scope": "openid Query:*"});
    let client = registered(&sent(&castellan, &token, &app).await);
    refused(&put(&client, machine("Query:*")).await, 400, "invalid_client_metadata");
    assert_eq!(put(&client, machine("openid")).await.status, 200);
    // What a role no longer allows is not written again.
    let token = token_of(&castellan, "eva", "openid dcr Query:*").await;
    let client = registered(&sent(&castellan, &token, &machine("Query:*")).await);
    let replaced = put(&client, machine("Query:*")).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let mut client = replaced.json();
    castellan.said(&["delete", "Role", "editing"]);
    for _ in 0..100 {
        let answer = put(&client, machine("Query:*")).await;
        if answer.status != 200 {
            refused(&answer, 400, "invalid_client_metadata");
            return;
        }
        client = answer.json();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the role still counts");
}

#[tokio::test]
async fn a_client_gives_a_machine_no_more_than_its_token_has() {
    let (_recorder, castellan) = stage("").await;
    let token = machine_token(&castellan, "robot", "dcr").await;
    refused(&sent(&castellan, &token, &machine("Query:*")).await, 400, "invalid_client_metadata");
    let token = machine_token(&castellan, "robot", "dcr Query:*").await;
    refused(
        &sent(&castellan, &token, &machine("Mutation:*")).await,
        400,
        "invalid_client_metadata",
    );
    registered(&sent(&castellan, &token, &machine("Query:*")).await);
}

#[tokio::test]
async fn templates_that_give_strangers_tokens_are_warned_of() {
    let template = |id: &str, grant: &str| {
        format!(
            "---\n{{resourceType: Client, id: {id}, secret: s3cr3t-t, template: true, \
             grant_types: [{grant}], redirect_uris: ['https://t.test/cb'], scope: [plain]}}\n"
        )
    };
    let documents = format!(
        "{DOCUMENTS}{}{}",
        template("app", "authorization_code"),
        template("worker", "authorization_code, client_credentials")
    );
    for (by, is_warned) in [("open", true), ("token", false)] {
        let config = format!("[registration]\nby = [\"{by}\"]\n");
        let mut castellan =
            Castellan::start(Plan { config, documents: documents.clone(), ..Plan::default() })
                .await;
        let said = castellan.said(&["doctor"]);
        let warned = "the scopes of the template worker, which has";
        assert_eq!(said.contains(warned), is_warned, "{said}");
        castellan.restart().await;
        let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
        assert_eq!(log.contains(warned), is_warned, "{log}");
    }
}
