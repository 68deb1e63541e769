//! What a client was given in the Database Clients API and has no effect here
//! (`docs/contracts/curity.md` §§7.3 to 7.5): it is kept in the form of the inputs there, shown, and
//! warned of.

use std::collections::BTreeMap;

use castellan_proto::Secret;
use serde_json::{Map, Value};

use crate::{
    Issuer,
    records::client_details::{SECRET, SYMMETRIC_KEYS},
    resources::Problem,
};

/// The attributes of which something may have no effect.
const ATTRIBUTES: &[&str] = &[
    "access_token_ttl",
    "allow_per_request_redirect_uris",
    "audiences",
    "capabilities",
    "claim_mapper_id",
    "client_authentication",
    "id_token",
    "redirect_uri_validation_policy_id",
    "redirect_uris",
    "refresh_token",
    "request_object",
    "require_secured_authorization_response",
    "sector_identifier",
    "subject_type",
    "user_authentication",
    "userinfo_signed_issuer_id",
    "validate_port_on_loopback_interfaces",
];

/// The proofs that a client of this server can have: they are no part of what has no effect.
const SERVED_PROOFS: &[&str] = &["secret", "jwks_object", "no_authentication"];

/// What is warned of as a whole, and not member by member.
const WHOLE: &[&str] = &[
    "capabilities.assertion",
    "capabilities.assisted_token",
    "capabilities.backchannel",
    "capabilities.haapi",
    "capabilities.implicit",
    "capabilities.oauth_token_exchange",
    "capabilities.token_exchange",
    "client_authentication.primary",
    "client_authentication.secondary",
    "id_token.id_token_encryption",
    "request_object.by_reference",
];

/// Characters of values that a warning repeats at most.
const MOST_REPEATED: usize = 256;

/// Refuses what is no attribute, or belongs to those that have an effect.
pub(super) fn check(unserved: &Map<String, Value>) -> Result<(), Problem> {
    let wrong = |text: &str| Err(Problem::Text(format!("unserved: {text}")));
    if !unserved.keys().all(|name| ATTRIBUTES.contains(&&**name)) {
        return wrong("a member is not an attribute that can be without effect");
    }
    let proof = unserved.get("client_authentication").and_then(|both| both.get("primary"));
    let is_served = |proof: &Value| match proof.as_object() {
        Some(proof) => {
            proof.len() != 1 || proof.keys().any(|name| SERVED_PROOFS.contains(&&**name))
        }
        None => true,
    };
    if proof.is_some_and(is_served) {
        return wrong(
            "client_authentication.primary must be one proof that this server does not know; a \
             secret and keys stand at the top of the document",
        );
    }
    for path in SYMMETRIC_KEYS.iter().chain([&SECRET]) {
        let found = at(unserved, path);
        if found.is_some_and(|value| value.as_str().is_none_or(str::is_empty)) {
            return wrong("a secret or symmetric key must be a text that is not empty");
        }
    }
    Ok(())
}

/// Seals the symmetric keys in `unserved` and hashes its secret. What stands there as it is stored
/// `before` stays; everything else is taken for the key or secret itself, so that nobody can set the
/// stored form of one. Says whether any is another than before.
pub(super) async fn keep_secrets(
    issuer: &Issuer,
    unserved: &mut Map<String, Value>,
    before: Option<&Map<String, Value>>,
) -> Result<bool, Problem> {
    let mut changed = false;
    for path in SYMMETRIC_KEYS.iter().chain([&SECRET]) {
        let Some(written) = at(unserved, path).and_then(Value::as_str).map(ToOwned::to_owned)
        else {
            continue;
        };
        // It may have been moved from one place to another.
        let mut kept = SYMMETRIC_KEYS.iter().filter(|_| *path != SECRET).chain([path]);
        let is_kept = |place: &&str| {
            before.and_then(|before| at(before, place)).and_then(Value::as_str) == Some(&written)
        };
        if kept.any(is_kept) {
            continue;
        }
        let secret = Secret::new(written);
        let stored = if *path == SECRET {
            let written = issuer.settings().secrets.secret(&secret);
            let written = written.map_err(|why| format!("unserved.{path} {why}"))?;
            issuer.keep_secret(&written).await?
        } else {
            issuer.seal_secret(&secret)?
        };
        set(unserved, path, Value::String(stored));
        changed = true;
    }
    Ok(changed)
}

/// What is at `path`, whose parts are separated by dots.
pub(crate) fn at<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = map.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Puts `value` at `path`, where something is.
pub(crate) fn set(map: &mut Map<String, Value>, path: &str, value: Value) {
    let mut parts = path.split('.');
    let first = parts.next().and_then(|part| map.get_mut(part));
    let place = first.and_then(|first| parts.try_fold(first, |value, part| value.get_mut(part)));
    if let Some(place) = place {
        *place = value;
    }
}

/// What is to be said of each attribute in `unserved`, by its path. No text holds a secret or key.
pub(crate) fn warnings(unserved: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, value) in unserved {
        warn_of(name, value, &mut found);
    }
    found
}

fn warn_of(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let is_whole = WHOLE.contains(&path);
    match value {
        Value::Object(members) if !is_whole && !members.is_empty() => {
            for (name, value) in members {
                warn_of(&format!("{path}.{name}"), value, found);
            }
        }
        value => {
            found.insert(path.to_owned(), text_of(path, value));
        }
    }
}

fn text_of(path: &str, value: &Value) -> String {
    let values = match value {
        // What is in it may be a secret.
        Value::Object(members) if path.starts_with("client_authentication.") => {
            members.keys().cloned().collect::<Vec<_>>().join(", ")
        }
        Value::Object(_) => String::new(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => plain(value),
    };
    let values: String = values.chars().take(MOST_REPEATED).collect();
    let what = match path {
        "user_authentication.allowed_authenticators" => "this server has no such authenticators",
        "user_authentication.authenticator_filters" => "this server has no such filters",
        "user_authentication.consent.consentors" => "this server has no such consentors",
        "capabilities.introspection" => "only tokens that concern the client can be introspected",
        "capabilities.resource_owner_password" => {
            "the password grant is for clients that an administrator made first-party"
        }
        "redirect_uris" | "audiences" | "refresh_token" | "access_token_ttl" => {
            "no capability that this server offers makes use of it"
        }
        _ => "this server does not act on it",
    };
    if values.is_empty() { what.to_owned() } else { format!("{what}: {values}") }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn each_attribute_without_effect_is_warned_of_by_its_path() {
        let unserved = map(&json!({
            "claim_mapper_id": "m",
            "user_authentication": {"allowed_authenticators": ["a", "b"], "freshness": 60},
            "capabilities": {"implicit": {}, "code": {"proof_key": {"require_proof_key": false}}},
            "client_authentication": {"primary": {"symmetric": {"symmetric_key": "hidden"}}},
        }));
        let found = warnings(&unserved);
        let paths: Vec<_> = found.keys().map(String::as_str).collect();
        let wanted = [
            "capabilities.code.proof_key.require_proof_key",
            "capabilities.implicit",
            "claim_mapper_id",
            "client_authentication.primary",
            "user_authentication.allowed_authenticators",
            "user_authentication.freshness",
        ];
        assert_eq!(paths, wanted);
        assert!(found["user_authentication.allowed_authenticators"].ends_with("a, b"));
        assert!(found.values().all(|text| !text.contains("hidden")), "{found:?}");
    }

    #[test]
    fn what_has_an_effect_is_refused_there() {
        for (unserved, is_good) in [
            (json!({"claim_mapper_id": "m"}), true),
            (json!({"scopes": ["a"]}), false),
            (json!({"client_authentication": {"primary": {"secret": {"secret": "x"}}}}), false),
            (
                json!({"client_authentication": {"primary": {"no_authentication": "no_auth"}}}),
                false,
            ),
            (json!({"client_authentication": {"primary": {}}}), false),
            (
                json!({"client_authentication": {"primary": {"symmetric": {"symmetric_key": "x"}}}}),
                true,
            ),
            (
                json!({"client_authentication": {"primary": {"symmetric": {"symmetric_key": 1}}}}),
                false,
            ),
        ] {
            assert_eq!(check(&map(&unserved)).is_ok(), is_good, "{unserved}");
        }
    }
}
