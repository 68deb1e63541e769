//! A registered client as the API shows it: what is registered in the words of RFC 7591, and what is
//! known of it besides (`docs/contracts/curity.md` §8.2). No secret is among it.

use serde_json::{Value, json};

use crate::{
    Issuer,
    management::clients::attributes::{access_seconds, refresh},
    records::{Client, GrantName, repository::Versioned},
    resources::{client_metadata, registration_uri},
};

pub(super) fn view(issuer: &Issuer, stored: &Versioned<Client>) -> Value {
    let (id, client) = (&stored.id, &stored.body);
    let mut shown = client_metadata(client);
    let registration = client.registration.as_ref();
    let refresh = refresh(client, issuer.settings()).unwrap_or_default();
    let has_code = client.grants.get(&GrantName::AUTHORIZATION_CODE);
    let proof = has_code.map(|code| code.pkce != Some(false) || client.is_public());
    let status = match (client.active, client.details.revoked) {
        (true, _) => "active",
        (false, true) => "revoked",
        (false, false) => "inactive",
    };
    let method = shown.get("token_endpoint_auth_method").cloned();
    let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    set("client_id", json!(id));
    set("client_id_issued_at", json!(client.created));
    set("registration_client_uri", json!(registration_uri(issuer, id)));
    set("token_endpoint_auth_methods", json!(method.into_iter().collect::<Vec<_>>()));
    set("authenticated_user", json!(registration.and_then(|one| one.account.as_deref())));
    set("status", json!(status));
    set("requires_consent", json!(!client.first_party));
    set("properties", json!(client.details.properties));
    set("access_token_ttl", json!(access_seconds(client)));
    set("id_token_ttl", json!(client.id_seconds));
    set("require_proof_key", json!(proof));
    set("disallowed_proof_key_challenge_methods", json!(has_code.map(|_| ["plain"])));
    set("allow_per_request_redirect_uris", json!(false));
    for name in ["refresh_token_ttl", "refresh_token_max_rolling_lifetime", "reuse_refresh_tokens"]
    {
        set(name, refresh[name].clone());
    }
    Value::Object(shown)
}
