//! Libraries that find out how a client authenticates by trying: first with `Authorization: Basic`,
//! and after a refusal with the same request and the secret in the body, as `golang.org/x/oauth2` does
//! (`AuthStyleAutoDetect`). What the first try refuses the second must still be able to have.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, DOCUMENTS, VERIFIER, text},
    wire::{Answer, Ask},
};

/// A secret that Basic and a form write differently.
const ODD: &str = "s3:c r%25t+é&=";

fn documents() -> String {
    let odd =
        "resourceType: Client\nid: odd\ngrant_types: [client_credentials]\nscope: [\"Query:*\"]";
    format!("{DOCUMENTS}---\n{odd}\nsecret: \"{ODD}\"\n")
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What each try of the library is answered, until one is good.
async fn probe(
    castellan: &Castellan,
    id: &str,
    secret: &str,
    pairs: &[(&str, &str)],
) -> Vec<Answer> {
    let url = castellan.at("/auth/token");
    let credentials = STANDARD.encode(format!("{}:{}", escaped(id), escaped(secret)));
    let by_header =
        Ask::post(&url).header("authorization", &format!("Basic {credentials}")).form(pairs);
    let mut answers = vec![by_header.send().await];
    if !answers[0].status.is_success() {
        let mut pairs = [pairs, &[("client_id", id)]].concat();
        if !secret.is_empty() {
            pairs.push(("client_secret", secret));
        }
        answers.push(Ask::post(&url).form(&pairs).send().await);
    }
    answers
}

#[tokio::test]
async fn a_secret_is_taken_at_the_first_try_whatever_it_is_made_of() {
    let castellan = Castellan::with_documents(&documents()).await;
    let machine = [("grant_type", "client_credentials")];
    for (id, secret) in [("svc", "s3cr3t-svc"), ("odd", ODD)] {
        let answers = probe(&castellan, id, secret, &machine).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0].status, 200, "{answers:?}");
        // And at the second, for whoever begins there.
        let pairs = [machine[0], ("client_id", id), ("client_secret", secret)];
        assert_eq!(castellan.token(&pairs).await.status, 200);
    }
}

#[tokio::test]
async fn a_code_outlives_the_try_that_is_refused() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    // A public client, of which the library knows no secret: thirty processes, each of which tries.
    for _ in 0..30 {
        let code = browser.code(&castellan, &Asking::spa()).await;
        let pairs =
            [("grant_type", "authorization_code"), ("code", &*code), ("code_verifier", VERIFIER)];
        let answers = probe(&castellan, "spa", "", &pairs).await;
        let last = answers.last().unwrap();
        assert_eq!(last.status, 200, "{answers:?}");
        let token = last.json();
        let pairs =
            [("grant_type", "refresh_token"), ("refresh_token", text(&token, "refresh_token"))];
        let answers = probe(&castellan, "spa", "", &pairs).await;
        assert_eq!(answers.last().unwrap().status, 200, "{answers:?}");
    }
    // One with a secret, and a wrong one first.
    let code = browser.code(&castellan, &Asking::portal()).await;
    let pairs = [("grant_type", "authorization_code"), ("code", &*code)];
    let answers = probe(&castellan, "portal", "wrong", &pairs).await;
    assert_eq!(answers.len(), 2);
    for answer in &answers {
        assert_eq!(
            (answer.status.as_u16(), text(&answer.json(), "error")),
            (401, "invalid_client")
        );
    }
    assert_eq!(answers[0].header("www-authenticate"), Some("Basic realm=\"castellan\""));
    assert_eq!(answers[1].header("www-authenticate"), None, "nothing was asked by Basic");
    let answers = probe(&castellan, "portal", "s3cr3t-portal", &pairs).await;
    assert_eq!((answers.len(), answers[0].status.as_u16()), (1, 200), "{answers:?}");
}
