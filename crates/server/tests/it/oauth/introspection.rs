//! Whom a token concerns (`docs/rules.md` rule 38a, RFC 7662 §2.2).

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, DOCUMENTS, PORTAL, RESOURCE_SERVER, SPA, text},
    wire::{Answer, Ask},
};

/// The API of the client `stock`.
const STOCK: &str = "https://stock.test/api";

/// `stock` is a resource server for one API, `rival` for another; the tokens of `seller` are for the
/// first one besides, and those of `buyer` for the client `rival`, by its id.
const CLIENTS: &str = r#"
---
{resourceType: Client, id: stock, secret: s3cr3t-stock, grant_types: [], resources: ["https://stock.test/api"]}
---
{resourceType: Client, id: rival, secret: s3cr3t-rival, grant_types: [], resources: ["https://stock.test/api/2"]}
---
{resourceType: Client, id: seller, secret: s3cr3t-seller, grant_types: [client_credentials], scope: ["Query:*"],
 auth: {client_credentials: {audience: ["https://stock.test/api"], token_format: jwt}}}
---
{resourceType: Client, id: buyer, secret: s3cr3t-buyer, grant_types: [client_credentials], scope: ["Query:*"],
 auth: {client_credentials: {audience: [rival], token_format: opaque}}}
"#;

async fn serving() -> Castellan {
    Castellan::with_documents(&format!("{DOCUMENTS}{CLIENTS}")).await
}

/// What `client` is told about `token`.
async fn asked(castellan: &Castellan, client: &str, token: &str) -> Answer {
    let secret = format!("s3cr3t-{client}");
    let pairs = [("client_id", client), ("client_secret", &*secret), ("token", token)];
    Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await
}

/// A token that `client` gets for itself.
async fn own_token(castellan: &Castellan, client: &str) -> String {
    let secret = format!("s3cr3t-{client}");
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", &*secret)];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

/// Asserts that `told` are told about `token`, and all others what they are told about junk, byte
/// for byte.
async fn concerns(castellan: &Castellan, token: &str, told: &[&str]) {
    let junk = asked(castellan, "stock", "junk").await.photograph();
    assert!(junk.ends_with("\n{\"active\":false}"), "{junk}");
    for client in ["portal", "svc", "stock", "rival", "seller", "buyer"] {
        let answer = asked(castellan, client, token).await;
        let pairs = [
            ("client_id", client),
            ("client_secret", &*format!("s3cr3t-{client}")),
            ("token", token),
        ];
        let elsewhere = Ask::post(&castellan.at("/oauth/introspect")).form(&pairs).send().await;
        assert_eq!(elsewhere.body, answer.body, "{client}: the same at the other address");
        if told.contains(&client) {
            assert_eq!(answer.json()["active"], true, "{client}: {answer:?}");
        } else {
            assert_eq!(answer.photograph(), junk, "{client} is told");
        }
    }
}

#[tokio::test]
async fn a_client_is_told_about_its_own_tokens_and_those_that_are_for_it() {
    let castellan = serving().await;
    concerns(&castellan, &own_token(&castellan, "seller").await, &["seller", "stock", "svc"]).await;
    concerns(&castellan, &own_token(&castellan, "buyer").await, &["buyer", "rival", "svc"]).await;
    concerns(&castellan, &own_token(&castellan, "svc").await, &["svc"]).await;

    let tokens = castellan.portal_tokens().await;
    for name in ["access_token", "refresh_token"] {
        concerns(&castellan, text(&tokens, name), &["portal", "svc"]).await;
    }
    let spa = castellan.tokens(&mut Browser::default(), &Asking::spa(), &SPA).await;
    for name in ["access_token", "refresh_token"] {
        concerns(&castellan, text(&spa, name), &["svc"]).await;
    }
}

/// A token that was narrowed to another resource is none of the first one's any more.
#[tokio::test]
async fn the_audience_of_the_token_itself_counts() {
    let castellan = serving().await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "seller"),
        ("client_secret", "s3cr3t-seller"),
        ("resource", &*castellan.url),
    ];
    let answer = castellan.token(&pairs).await.json();
    concerns(&castellan, text(&answer, "access_token"), &["seller", "svc"]).await;
    let narrowed = [&pairs[..3], &[("resource", STOCK)]].concat();
    let answer = castellan.token(&narrowed).await.json();
    concerns(&castellan, text(&answer, "access_token"), &["seller", "stock", "svc"]).await;
}

/// RFC 6749 §5.2: whoever used the header is told the scheme.
#[tokio::test]
async fn a_public_client_that_uses_the_header_is_challenged() {
    let castellan = serving().await;
    for (authorization, challenge) in
        [(Some("Basic c3BhOg=="), Some("Basic realm=\"castellan\"")), (None, None)]
    {
        let form = [("token", "x"), ("client_id", "spa")];
        let ask = Ask::post(&castellan.at("/auth/introspect")).form(&form);
        let ask = match authorization {
            Some(value) => ask.header("authorization", value),
            None => ask,
        };
        let answer = ask.send().await;
        assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, challenge));
    }
}

#[tokio::test]
async fn a_signed_answer_tells_no_more() {
    let castellan = serving().await;
    let token = own_token(&castellan, "seller").await;
    let signed = async |client: &[(&str, &str)]| {
        let pairs = [client, &[("token", &*token)]].concat();
        let accept = "application/token-introspection+jwt";
        let ask = Ask::post(&castellan.at("/auth/introspect")).form(&pairs);
        let answer = ask.header("accept", accept).send().await;
        crate::support::jose::claims(&answer.body)["token_introspection"].clone()
    };
    assert_eq!(signed(&PORTAL).await, json!({"active": false}));
    assert_eq!(signed(&RESOURCE_SERVER).await["active"], true);
}

/// Whatever a document says of it holds, or is refused.
#[tokio::test]
async fn what_a_client_is_told_about_is_read_strictly_and_shown() {
    let castellan = serving().await;
    let shown = |id: &str| -> Value {
        let said = castellan.said(&["get", "Client", id, "--format", "json"]);
        serde_json::from_str(&said).unwrap()
    };
    assert_eq!(shown("svc")["introspect"], "any");
    assert_eq!(shown("stock")["resources"], json!([STOCK]));
    assert_eq!(
        (&shown("seller")["introspect"], &shown("seller")["resources"]),
        (&Value::Null, &Value::Null)
    );
    let issuer = format!("resources: [{:?}]", castellan.url);
    for (more, why) in [
        ("secret: s3cr3t-x, introspect: all", "expected `own` or `any`"),
        ("introspect: any", "introspect: a public client cannot introspect tokens"),
        ("resources: [\"https://x.test/\"]", "resources: a public client"),
        ("secret: s3cr3t-x, resources: [x]", "is not an absolute URI"),
        ("secret: s3cr3t-x, resources: [\"https://x.test/#a\"]", "is not an absolute URI"),
        (&*format!("secret: s3cr3t-x, {issuer}"), "use introspect: any"),
    ] {
        let document = format!("{{resourceType: Client, id: odd, grant_types: [], {more}}}");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8_lossy(&applied.stderr).into_owned();
        assert!(!applied.status.success() && said.contains(why), "{document}: {said}");
    }
}
