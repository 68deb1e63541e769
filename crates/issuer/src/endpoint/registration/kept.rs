//! What an administrator wrote into the document of a registered client, and is no client metadata: a
//! client that replaces its metadata does not remove it (RFC 7592 §2.2).

use serde_json::{Map, Value};

use super::plan::Plan;
use crate::{
    Issuer,
    records::Client,
    resources::{ClientDocument, Resource as _},
};

/// Members that only describe a client.
const DESCRIBING: [&str; 4] = ["description", "owner", "tags", "properties"];
/// Members that say what a client may do, which of an instance of a template the template says.
/// `first_party` is none of them: people would not be asked about a client that has since changed its
/// name and its redirect URIs.
const RULING: [&str; 3] = ["unserved", "id_token_expiration", "access_token_signed_response_alg"];
/// The same that need a secret or a key.
const OF_CONFIDENTIAL: [&str; 2] = ["introspect", "resources"];
/// What an administrator demands of the people who sign in to it.
const OF_PEOPLE: &str = "require_second_factor";
/// Settings of a grant.
const OF_GRANT: [&str; 3] = ["token_format", "access_token_expiration", "audience"];
/// Settings of a grant's refresh tokens.
const OF_REFRESH: [&str; 3] =
    ["refresh_token_expiration", "refresh_token_max_lifetime", "refresh_token_rotation"];

impl Issuer {
    /// Writes into `plan` what it keeps of the client `id`, as far as that can hold beside the new
    /// metadata.
    pub(super) fn keep_additions(&self, plan: &mut Plan, id: &str, before: &Client) {
        let before = ClientDocument::show(id, before);
        let Some(before) = before.as_object() else { return };
        let document = &mut plan.document;
        keep(document, before, &DESCRIBING);
        if plan.template.is_some() {
            return;
        }
        keep(document, before, &RULING);
        if document.get("type").is_some_and(|kind| kind == "confidential") {
            keep(document, before, &OF_CONFIDENTIAL);
        }
        keep_groups(document, before);
        // Whoever signs in on another way later is not let in with less.
        if signs_people_in(document) {
            keep(document, before, &[OF_PEOPLE]);
        }
        self.keep_settings(document, before);
        let settings = document.get("auth").and_then(Value::as_object);
        let is_jwt = |settings: &Value| settings["token_format"] == "jwt";
        if !settings.is_some_and(|all| all.values().any(is_jwt)) {
            // Opaque tokens are not signed.
            document.shift_remove("access_token_signed_response_alg");
        }
    }

    /// The settings of the grants that it had and has.
    fn keep_settings(&self, document: &mut Map<String, Value>, before: &Map<String, Value>) {
        let is_same = |name: &str| document.get(name) == before.get(name);
        let is_as_strong = is_same("type") && is_same("dpop_bound_access_tokens");
        let mut all = document.get("auth").and_then(Value::as_object).cloned().unwrap_or_default();
        let names = document.get("grant_types").and_then(Value::as_array);
        let has = |name: &str| names.is_some_and(|names| names.iter().any(|one| one == name));
        for name in self.grants().iter().filter(|grant| has(grant.name())) {
            let Some(name) = name.auth_name() else { continue };
            let old = before.get("auth").and_then(|auth| auth.get(name)).and_then(Value::as_object);
            let Some(old) = old else { continue };
            let mut new = all.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
            keep(&mut new, old, &OF_GRANT);
            if is_as_strong {
                let stricter = old.iter().filter(|(name, value)| {
                    ["pkce", "secret_required"].contains(&name.as_str()) && **value == true
                });
                new.extend(stricter.map(|(name, value)| (name.clone(), value.clone())));
                let refreshes = |settings: &Map<String, Value>| {
                    settings.get("refresh_token").is_some_and(|is| is == true)
                };
                if refreshes(&new) && refreshes(old) {
                    keep(&mut new, old, &OF_REFRESH);
                }
            }
            all.insert(name.to_owned(), Value::Object(new));
        }
        if !all.is_empty() {
            document.insert("auth".to_owned(), Value::Object(all));
        }
    }
}

/// Whether it has a grant by which people sign in.
fn signs_people_in(document: &Map<String, Value>) -> bool {
    let names = document.get("grant_types").and_then(Value::as_array).into_iter().flatten();
    let is_one = |name: &str| name == "authorization_code" || name.ends_with("device_code");
    names.filter_map(Value::as_str).any(is_one)
}

/// The claims whose scope it still has.
fn keep_groups(document: &mut Map<String, Value>, before: &Map<String, Value>) {
    let Some(claims) = before.get("groups_claims").and_then(Value::as_array) else { return };
    let scopes = document.get("scope").and_then(Value::as_array);
    let has = |claim: &&Value| scopes.is_some_and(|scopes| scopes.contains(&claim["scope"]));
    let kept: Vec<Value> = claims.iter().filter(has).cloned().collect();
    // None at all is something else than those of the configuration.
    if claims.is_empty() || !kept.is_empty() {
        document.insert("groups_claims".to_owned(), Value::Array(kept));
    }
}

/// Writes those of `names` that `old` has over `new`.
fn keep(new: &mut Map<String, Value>, old: &Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(value) = old.get(*name) {
            new.insert((*name).to_owned(), value.clone());
        }
    }
}
