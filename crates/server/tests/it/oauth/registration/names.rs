//! No client is called like another one (RFC 7591 §5).

use http::Method;
use serde_json::json;

use super::support::{
    BY_TOKEN, asked, machine_token, managed, refused, registered, sent, serving, web_app,
};

#[tokio::test]
async fn a_name_that_imitates_another_app_is_refused() {
    let castellan = serving(BY_TOKEN).await;
    let token = machine_token(&castellan, "other", "dcr").await;
    let host = url::Url::parse(&castellan.at("")).unwrap().host_str().unwrap().to_owned();
    for name in [
        "The portal",
        "THE-PORTAL",
        "The p0rtal",
        "The p\u{043e}rtal",
        "Ｔｈｅ ｐｏｒｔａｌ",
        // The name of a first-party app, with words around it.
        "Spa (official)",
        "Your Spа sign-in",
        "S.P.A. mobile",
        "Castellan support",
        "Spa2",
        "SpaOfficial",
        // What has no name is shown by its id.
        "kiosk",
        // The template's.
        "Field app",
        // This server's own.
        "Castellan",
        &host,
        &format!("Sign-in at {host}"),
        &castellan.at(""),
    ] {
        let answer = sent(&castellan, &token, &web_app(&json!({"client_name": name}))).await;
        let said = refused(&answer, 400, "invalid_client_metadata");
        assert!(said.starts_with("client_name: people could take it"), "{said}");
        let more = json!({"client_name": "Free", "client_name#de": name});
        let answer = sent(&castellan, &token, &web_app(&more)).await;
        refused(&answer, 400, "invalid_client_metadata");
    }
    for name in ["Teleп", "Deskꞏone", "Tasĸ"] {
        let answer = sent(&castellan, &token, &web_app(&json!({"client_name": name}))).await;
        let said = refused(&answer, 400, "invalid_client_metadata");
        assert!(said.starts_with("client_name: has letters of several scripts"), "{said}");
    }
    // The same client may register an app several times, and no other client may.
    registered(&asked(&castellan, &web_app(&json!({}))).await);
    let client = registered(&asked(&castellan, &web_app(&json!({"client_name": "SHOP"}))).await);
    let answer = sent(&castellan, &token, &web_app(&json!({}))).await;
    refused(&answer, 400, "invalid_client_metadata");
    // A name that is given up is free.
    let free =
        registered(&sent(&castellan, &token, &web_app(&json!({"client_name": "Mine"}))).await);
    let body = web_app(&json!({"client_id": client["client_id"], "client_name": "Mine"}));
    refused(&managed(Method::PUT, &client, Some(&body)).await, 400, "invalid_client_metadata");
    assert_eq!(managed(Method::DELETE, &free, None).await.status, 204);
    assert_eq!(managed(Method::PUT, &client, Some(&body)).await.status, 200);
}

#[tokio::test]
async fn of_two_that_come_at_the_same_time_with_one_name_not_both_get_it() {
    let castellan = serving(BY_TOKEN).await;
    for round in 0..6 {
        let metadata = web_app(&json!({"client_name": format!("Race {round}")}));
        let one = machine_token(&castellan, "initial", "dcr").await;
        let two = machine_token(&castellan, "other", "dcr").await;
        let (one, two) =
            tokio::join!(sent(&castellan, &one, &metadata), sent(&castellan, &two, &metadata));
        let made = [&one, &two].iter().filter(|answer| answer.status == 201).count();
        assert!(made <= 1, "{one:?} {two:?}");
    }
}
