//! Secrets of apps that are rotated with an overlap: the old one is valid for a while, wherever an app
//! proves who it is, and can be ended at once (`docs/resources.md`, "Rotating secrets").

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    operations::nodes::within_the_bound,
    support::{
        castellan::{Castellan, Plan},
        fixtures::text,
        upstream::Recorder,
        wire::Ask,
    },
};

/// A secret that somebody chose, so that what was found right is remembered, and one that the command
/// line made would not be.
const OLD: &str = "s3cr3t-of-svc";
const CLIENT: &str = r#"
resourceType: Client
id: svc
secret: s3cr3t-of-svc
grant_types: [client_credentials, basic, authorization_code]
redirect_uris: ["https://svc.test/cb"]
scope: ["Query:*"]
"#;

const HELLO: &str = "type Query { hello: String }";

async fn start() -> (Recorder, Castellan) {
    let api = Recorder::start().await;
    api.answer(r#"{"data":{"hello":"hi"}}"#);
    let config = format!(
        "[[guard]]\nname = \"a\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
         schema = \"hello.graphql\"\nanonymous = \"refused\"\nauthenticate = [\"oauth\", \"basic\"]\n",
        api.url
    );
    let castellan = Castellan::start(Plan {
        config,
        documents: CLIENT.to_owned(),
        files: vec![("hello.graphql", HELLO.to_owned())],
        ..Plan::default()
    })
    .await;
    (api, castellan)
}

/// At how many of the places where an app shows a secret this one is good.
async fn good_at(castellan: &Castellan, secret: &str) -> Vec<&'static str> {
    let pairs = [("client_id", "svc"), ("client_secret", secret)];
    let basic = format!("Basic {}", STANDARD.encode(format!("svc:{secret}")));
    let post = |path: &str, more: &[(&str, &str)]| {
        Ask::post(&castellan.at(path)).form(&[&pairs[..], more].concat())
    };
    let token = Ask::post(&castellan.at("/auth/token")).header("authorization", &basic);
    let asked = [
        ("token by post", post("/auth/token", &[("grant_type", "client_credentials")])),
        ("token by basic", token.form(&[("grant_type", "client_credentials")])),
        ("introspection", post("/auth/introspect", &[("token", "x")])),
        ("revocation", post("/auth/revoke", &[("token", "x")])),
        (
            "pushed request",
            post(
                "/auth/par",
                &[
                    ("response_type", "code"),
                    ("redirect_uri", "https://svc.test/cb"),
                    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                    ("code_challenge_method", "S256"),
                ],
            ),
        ),
        (
            "guard",
            Ask::post(&castellan.at("/graphql"))
                .header("authorization", &basic)
                .json(&json!({"query": "{ hello }"})),
        ),
    ];
    let mut good = Vec::new();
    for (place, ask) in asked {
        let answer = ask.send().await;
        match answer.status.as_u16() {
            200 | 201 => good.push(place),
            401 => {}
            other => panic!("{place}: {other}: {answer:?}"),
        }
    }
    good
}

/// Whether the token endpoint takes this secret no more.
async fn refuses(castellan: &Castellan, secret: &str) -> bool {
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", secret)];
    castellan.token(&pairs).await.status == 401
}

const PLACES: [&str; 6] =
    ["token by post", "token by basic", "introspection", "revocation", "pushed request", "guard"];

/// The secret that a command has shown.
fn shown(said: &str) -> String {
    let secret = said.lines().find_map(|line| line.strip_prefix("secret: "));
    secret.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn document(castellan: &Castellan) -> Value {
    let said = castellan.said(&["get", "Client", "svc", "--format", "json"]);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[tokio::test]
async fn with_an_overlap_both_secrets_are_good_everywhere_until_it_ends() {
    let (_api, castellan) = start().await;
    assert_eq!(good_at(&castellan, OLD).await, PLACES);
    let rotate = ["client", "rotate-secret", "svc", "--overlap-minutes", "60"];
    let said = castellan.said(&rotate);
    assert!(said.contains("The old secret is valid until "), "{said}");
    let new = shown(&said);
    assert_eq!(good_at(&castellan, &new).await, PLACES);
    assert_eq!(good_at(&castellan, OLD).await, PLACES, "remembered or not");

    // Until when is shown, the secret never.
    let shown = document(&castellan);
    assert!(shown["previous_secret_until"].as_u64().is_some(), "{shown}");
    let all = castellan.said(&["get", "Client", "svc"]);
    assert!(!all.contains(OLD) && !all.contains(&new) && !all.contains("argon2"), "{all}");
    castellan.advance_to(3_590);
    assert_eq!(good_at(&castellan, OLD).await, PLACES);
    castellan.advance_to(3_610);
    assert_eq!(good_at(&castellan, OLD).await, [""; 0], "remembered or not");
    assert_eq!(good_at(&castellan, &new).await, PLACES);
}

#[tokio::test]
async fn the_old_secret_can_be_ended_before_the_overlap_does() {
    let (_api, castellan) = start().await;
    let new =
        shown(&castellan.said(&["client", "rotate-secret", "svc", "--overlap-minutes", "60"]));
    assert_eq!(good_at(&castellan, OLD).await, PLACES);
    let said = castellan.said(&["client", "revoke-old-secret", "svc"]);
    assert!(said.contains("the old secret of Client/svc is no longer valid"), "{said}");
    within_the_bound("the old secret holds", async || refuses(&castellan, OLD).await).await;
    assert_eq!(good_at(&castellan, OLD).await, [""; 0]);
    assert_eq!(good_at(&castellan, &new).await, PLACES);
    assert!(document(&castellan)["previous_secret_until"].is_null());
    let again = castellan.said(&["client", "revoke-old-secret", "svc"]);
    assert!(again.contains("no old secret that is still valid"), "{again}");

    // Without an overlap it ends at once, and so does that of an overlap under way.
    let newer =
        shown(&castellan.said(&["client", "rotate-secret", "svc", "--overlap-minutes", "60"]));
    let newest = castellan.said(&["client", "rotate-secret", "svc"]);
    assert!(newest.contains("The old secret is no longer valid."), "{newest}");
    for old in [&new, &newer] {
        within_the_bound("an old secret holds", async || refuses(&castellan, old).await).await;
    }
    assert_eq!(good_at(&castellan, &shown(&newest)).await, PLACES);
}

#[tokio::test]
async fn a_document_says_until_when_the_secret_before_is_good() {
    let (_api, castellan) = start().await;
    let apply = |more: &str| {
        let output = castellan.cli_with(&["apply", "-f", "-"], &format!("{CLIENT}{more}"));
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, said) = apply("previous_secret_until: 4000000000\n");
    assert!(!done && said.contains("no earlier secret is valid any more"), "{said}");
    let replaced = CLIENT.replace(OLD, "another-s3cr3t");
    let rotated = format!("{replaced}previous_secret_until: 4000000000\n");
    for _ in 0..2 {
        // Applied again it changes nothing.
        let output = castellan.cli_with(&["apply", "-f", "-"], &rotated);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(good_at(&castellan, "another-s3cr3t").await, PLACES);
        assert_eq!(good_at(&castellan, OLD).await, PLACES);
    }
    // What is read can be written as it is, and is exported and imported.
    let read = document(&castellan);
    assert_eq!(read["previous_secret_until"], 4_000_000_000_u64);
    let output = castellan.cli_with(&["apply", "-f", "-"], &read.to_string());
    assert!(String::from_utf8_lossy(&output.stdout).contains("unchanged Client/svc"), "{output:?}");
    let file = castellan.path("export.jsonl");
    castellan.said(&["export", "--file", file.to_str().unwrap()]);
    castellan.said(&["delete", "Client", "svc"]);
    castellan.said(&["import", "--file", file.to_str().unwrap()]);
    assert_eq!(good_at(&castellan, OLD).await, PLACES);
    // A time that has passed ends it.
    let ended =
        format!("{}previous_secret_until: 0\n", replaced.replace("secret: another-s3cr3t\n", ""));
    let output = castellan.cli_with(&["apply", "-f", "-"], &ended);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    within_the_bound("the old secret holds", async || refuses(&castellan, OLD).await).await;
    assert_eq!(good_at(&castellan, "another-s3cr3t").await, PLACES);
}

#[tokio::test]
async fn a_machine_user_shows_until_when_its_old_secret_is_good() {
    let castellan = Castellan::with_documents(
        "resourceType: ApiCredential\nid: sync\nname: Sync\nsecret: s3cr3t-of-sync\n\
         scope: [\"api:read\"]\n",
    )
    .await;
    castellan.said(&["credential", "rotate", "sync", "--overlap-minutes", "10"]);
    let said = castellan.said(&["get", "ApiCredential", "sync", "--format", "json"]);
    let document: Value = serde_json::from_str(&said).unwrap();
    assert!(document["previous_secret_until"].as_u64().is_some(), "{said}");
    assert_eq!(text(&document, "name"), "Sync");
    assert!(!said.contains("s3cr3t"), "{said}");
}

#[tokio::test]
async fn deactivating_a_person_says_what_it_does() {
    let castellan = Castellan::with_ann().await;
    let said = castellan.said(&["user", "deactivate", "ann"]);
    for part in ["deactivated User/ann", "sessions have ended", "tokens", "in again"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let again = castellan.said(&["user", "deactivate", "ann"]);
    assert!(again.contains("was deactivated already"), "{again}");
}
