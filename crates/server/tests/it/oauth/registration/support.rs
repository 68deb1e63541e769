//! Those who register clients, and how they do.

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan},
    fixtures::{DOCUMENTS, text},
    wire::{Answer, Ask},
};

/// Who may register, with tables of management after it.
pub const BY_TOKEN: &str = "[registration]
by = [\"token\"]
scopes = [\"openid\", \"profile\", \"email\", \"offline_access\", \"orders:read\", \"orders:write\"]
";

/// `initial` and `other` register clients, `manager` manages all, `weak` may do neither. `phone` gets
/// tokens for Ann, and `tmpl` is a template.
pub const REGISTRANTS: &str = r#"
---
{resourceType: Client, id: initial, secret: s3cr3t-initial, grant_types: [client_credentials],
 scope: [dcr, 'orders:read']}
---
{resourceType: Client, id: other, secret: s3cr3t-other, grant_types: [client_credentials], scope: [dcr]}
---
{resourceType: Client, id: manager, secret: s3cr3t-manager, grant_types: [client_credentials],
 scope: [dcrm]}
---
{resourceType: Client, id: weak, secret: s3cr3t-weak, grant_types: [client_credentials],
 scope: ['orders:read']}
---
{resourceType: Client, id: phone, secret: s3cr3t-phone, first_party: true, grant_types: [password],
 scope: [dcr]}
---
resourceType: Client
id: tmpl
name: Field app
template: true
secret: s3cr3t-tmpl
grant_types: [authorization_code, refresh_token, client_credentials]
scope: [openid, profile, 'field:read']
redirect_uris: ["https://field.test/cb"]
"#;

/// A server with `config` and [`REGISTRANTS`].
pub async fn serving(config: &str) -> Castellan {
    Castellan::start(Plan {
        config: config.to_owned(),
        documents: format!("{DOCUMENTS}{REGISTRANTS}"),
        ..Plan::default()
    })
    .await
}

/// A token of `client` with `scope`.
pub async fn machine_token(castellan: &Castellan, client: &str, scope: &str) -> String {
    let secret = format!("s3cr3t-{client}");
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", &*secret),
        ("scope", scope),
    ];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

/// What is answered to `metadata` that come with `token`.
pub async fn sent(castellan: &Castellan, token: &str, metadata: &Value) -> Answer {
    Ask::post(&castellan.at("/register")).bearer(token).json(metadata).send().await
}

/// The same with a fresh token of `initial`.
pub async fn asked(castellan: &Castellan, metadata: &Value) -> Answer {
    sent(castellan, &machine_token(castellan, "initial", "dcr orders:read").await, metadata).await
}

/// What is registered by `metadata`.
#[track_caller]
pub fn registered(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    answer.json()
}

/// Metadata of a web app, with `more` over it.
pub fn web_app(more: &Value) -> Value {
    let mut metadata = json!({
        "client_name": "Shop",
        "redirect_uris": ["https://shop.test/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    metadata
}

/// What is answered at the address of the registration `client`, with its own token.
pub async fn managed(method: Method, client: &Value, body: Option<&Value>) -> Answer {
    let token = text(client, "registration_access_token");
    managed_with(method, client, token, body).await
}

/// The same with another token.
pub async fn managed_with(
    method: Method,
    client: &Value,
    token: &str,
    body: Option<&Value>,
) -> Answer {
    let ask = Ask::new(method, text(client, "registration_client_uri")).bearer(token);
    match body {
        Some(body) => ask.json(body).send().await,
        None => ask.send().await,
    }
}

/// Asserts that `answer` is an error of RFC 7591 or RFC 6750.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, error: &str) -> String {
    let body = answer.json();
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(body["error"], error, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    body["error_description"].as_str().unwrap_or_default().to_owned()
}
