//! A client in the form of the inputs of the Database Clients API (`docs/contracts/curity.md` §7.3):
//! what acts, and beside it what was given and has no effect.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use castellan_proto::Digest;
use serde_json::{Map, Value, json};

use crate::{
    Settings,
    records::{Client, GrantName, GrantSettings, IntrospectionReach, Rotation},
};

/// The attributes of a client by their names.
pub(super) type Attributes = Map<String, Value>;

/// All attributes of `client`. Where something acts, it stands here even if another value was given.
pub(super) fn attributes(client: &Client, settings: &Settings) -> Attributes {
    let mut found = acting(client, settings);
    fill(&mut found, &client.details.unserved);
    found
}

/// The attributes that act, or describe it.
fn acting(client: &Client, settings: &Settings) -> Attributes {
    let details = &client.details;
    let status = match (client.active, details.revoked) {
        (true, _) => "ACTIVE",
        (false, true) => "REVOKED",
        (false, false) => "INACTIVE",
    };
    let shown = json!({
        "name": client.name,
        "description": details.description,
        "logo_uri": details.logo_uri,
        "policy_uri": details.policy_uri,
        "tos_uri": details.tos_uri,
        "application_url": client.uri,
        "status": status,
        "tags": details.tags,
        "properties": details.properties,
        "scopes": client.scope,
        "audiences": audiences(client),
        "redirect_uris": client.redirect_uris,
        "allowed_origins": client.allowed_origins,
        "access_token_ttl": access_seconds(client),
        "id_token": client.id_seconds.map(|seconds| json!({"id_token_ttl": seconds})),
        "refresh_token": refresh(client, settings),
        "user_authentication": user_authentication(client),
        "client_authentication": proof(client).map(|proof| json!({"primary": proof})),
        "capabilities": capabilities(client),
    });
    let Value::Object(members) = shown else { return Attributes::new() };
    members.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// The audiences of all of its grants.
fn audiences(client: &Client) -> Vec<&String> {
    let mut all = Vec::new();
    for audience in in_order(client).flat_map(|grant| &grant.audience) {
        if !all.contains(&audience) {
            all.push(audience);
        }
    }
    all
}

/// Its grants, that of authorization codes first.
fn in_order(client: &Client) -> impl Iterator<Item = &GrantSettings> {
    let code = GrantName::AUTHORIZATION_CODE;
    let others = client.grants.names().filter(move |name| **name != code);
    let others = others.filter_map(|name| client.grants.get(name));
    client.grants.get(&GrantName::AUTHORIZATION_CODE).into_iter().chain(others)
}

pub(in crate::management) fn access_seconds(client: &Client) -> Option<u64> {
    in_order(client).find_map(|grant| grant.access_seconds)
}

/// The grants whose refresh tokens `refresh_token` is about.
pub(super) const REFRESHING: [GrantName; 2] = [GrantName::AUTHORIZATION_CODE, GrantName::PASSWORD];

/// `refresh_token`: absent where refresh tokens are issued as the site has it.
pub(in crate::management) fn refresh(client: &Client, settings: &Settings) -> Option<Value> {
    let grant = REFRESHING.iter().find_map(|name| client.grants.get(name))?;
    let Some(refresh) = grant.refresh else { return Some(json!({"refresh_token_ttl": 0})) };
    let idle = settings.refresh_idle.get().as_secs();
    Some(json!({
        "refresh_token_ttl": refresh.idle_seconds.unwrap_or(idle),
        "refresh_token_max_rolling_lifetime": refresh.longest_seconds,
        "reuse_refresh_tokens": refresh.rotation == Rotation::Keep,
    }))
}

/// Whether people sign in to it.
pub(super) fn has_people(client: &Client) -> bool {
    client.grants.names().any(|name| *name != GrantName::CLIENT_CREDENTIALS)
}

fn user_authentication(client: &Client) -> Option<Value> {
    if !has_people(client) {
        return None;
    }
    let back = client.backchannel_logout.as_ref().map(|target| &target.uri);
    let front = client.frontchannel_logout.as_ref().map(|target| &target.uri);
    Some(without_null(json!({
        "allowed_post_logout_redirect_uris": client.post_logout_redirect_uris,
        "backchannel_logout_uri": back,
        "frontchannel_logout_uri": front,
        "consent": (!client.first_party).then(|| json!({})),
    })))
}

/// What a text begins with that stands for a secret.
pub(super) const SHOWN: &str = "stored:";

/// What is shown of a secret: a digest of its stored form, by which nobody can try secrets, since the
/// salt is not known.
fn shown_secret(stored: &str) -> String {
    format!("{SHOWN}{}", Digest::of(stored.as_bytes()).text())
}

/// How it proves who it is; none if that is of no effect here.
fn proof(client: &Client) -> Option<Value> {
    if let Some(stored) = &client.secret {
        return Some(json!({"secret": {"secret": shown_secret(stored)}}));
    }
    if !client.jwks.is_empty() {
        let jwks = STANDARD.encode(json!({"keys": client.jwks}).to_string());
        return Some(json!({"jwks_object": {"jwks": jwks}}));
    }
    client.is_public().then(|| json!({"no_authentication": "no_auth"}))
}

fn capabilities(client: &Client) -> Value {
    let mut found = Map::new();
    if let Some(code) = client.grants.get(&GrantName::AUTHORIZATION_CODE) {
        let is_required = code.pkce != Some(false) || client.is_public();
        let shown = json!({
            "require_pushed_authorization_request": client.require_pushed,
            "proof_key": {
                "require_proof_key": is_required,
                "disallow_challenge_method_plain": true,
                "disallow_challenge_method_s256": false,
            },
        });
        found.insert("code".to_owned(), shown);
    }
    for (name, grant) in [
        ("client_credentials", GrantName::CLIENT_CREDENTIALS),
        ("resource_owner_password", GrantName::PASSWORD),
    ] {
        if client.grants.has(&grant) {
            found.insert(name.to_owned(), json!({}));
        }
    }
    if client.introspection_reach == IntrospectionReach::Any {
        found.insert("introspection".to_owned(), json!({}));
    }
    Value::Object(found)
}

/// Adds what `more` has and `found` lacks.
fn fill(found: &mut Attributes, more: &Attributes) {
    for (name, value) in more {
        match (found.get_mut(name), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => fill(ours, theirs),
            (Some(Value::Array(ours)), _) if ours.is_empty() => {
                found.insert(name.clone(), value.clone());
            }
            (Some(_), _) => {}
            (None, _) => {
                found.insert(name.clone(), value.clone());
            }
        }
    }
}

pub(super) fn without_null(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}
