//! A client in the words of RFC 7591 §2 and OpenID Connect Registration 1.0 §2, computed from its
//! record, so that they say what holds.

use serde_json::{Map, Value, json};

use super::grant_types::grant_names;
use crate::{
    Issuer,
    records::{Client, GrantName},
};

/// Where clients are registered.
pub(crate) const REGISTRATION_PATH: &str = "/register";

/// Where the registration of the client `id` is managed (RFC 7592 §3).
pub(crate) fn registration_uri(issuer: &Issuer, id: &str) -> String {
    format!("{}{REGISTRATION_PATH}/{id}", issuer.address().issuer)
}

/// How `client` proves who it is at the token endpoint.
pub(crate) fn auth_method(client: &Client) -> &str {
    let registered = client.registration.as_ref();
    let registered = registered.and_then(|one| one.metadata.get("token_endpoint_auth_method"));
    if client.secret.is_some() {
        // Both are accepted of whoever has a secret.
        let is_post = registered.is_some_and(|method| method == "client_secret_post");
        if is_post { "client_secret_post" } else { "client_secret_basic" }
    } else if client.jwks.is_empty() {
        "none"
    } else {
        "private_key_jwt"
    }
}

/// The metadata of `client`, without its id, its secret, and what answers have besides.
pub(crate) fn metadata(client: &Client) -> Map<String, Value> {
    let details = &client.details;
    let grants: Vec<_> = grant_names(client).into_iter().filter(|name| *name != "basic").collect();
    let has_code = client.grants.has(&GrantName::AUTHORIZATION_CODE);
    let back = client.backchannel_logout.as_ref();
    let front = client.frontchannel_logout.as_ref();
    let shown = json!({
        "client_name": (!client.name.is_empty()).then_some(&client.name),
        "client_uri": client.uri,
        "logo_uri": details.logo_uri,
        "policy_uri": details.policy_uri,
        "tos_uri": details.tos_uri,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": some(&client.post_logout_redirect_uris),
        "grant_types": grants,
        "response_types": if has_code { &["code"][..] } else { &[] },
        "scope": client.scope.to_string(),
        "token_endpoint_auth_method": auth_method(client),
        "jwks": (!client.jwks.is_empty()).then(|| json!({"keys": client.jwks})),
        "subject_type": "public",
        "id_token_signed_response_alg": client.id_alg,
        "userinfo_signed_response_alg": client.userinfo_alg,
        "introspection_signed_response_alg": client.introspection_alg,
        "dpop_bound_access_tokens": client.dpop_bound,
        "require_pushed_authorization_requests": client.require_pushed,
        "default_max_age": client.default_max_age,
        "allowed_origins": some(&client.allowed_origins),
        "backchannel_logout_uri": back.map(|target| &target.uri),
        "backchannel_logout_session_required": back.map(|target| target.session_required),
        "frontchannel_logout_uri": front.map(|target| &target.uri),
        "frontchannel_logout_session_required": front.map(|target| target.session_required),
    });
    let Value::Object(mut members) = shown else { return Map::new() };
    members.retain(|_, value| !value.is_null());
    let kept = client.registration.iter().flat_map(|registration| &registration.metadata);
    for (name, value) in kept {
        members.entry(name.clone()).or_insert_with(|| value.clone());
    }
    members
}

/// A list that is not empty.
fn some<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}
