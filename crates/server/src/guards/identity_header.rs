//! `Castellan-Identity`: who the caller is, for the API behind a guard (`docs/rules.md` rule 39).

use std::time::Duration;

use castellan_gate::{Attestor, Caller, Identity, PersonTerm, Rules};
use castellan_issuer::{Issuer, keys::KeyUse};
use castellan_proto::{
    jose::Algorithm,
    scope::{RoleScopes, Scopes, within_roles},
};
use http::HeaderValue;
use moka::sync::Cache;
use serde_json::json;

/// Signs who the callers of one guard are, and keeps what it signed for half its life.
pub(super) struct Signer {
    issuer: Issuer,
    iss: String,
    audience: String,
    rules: Rules,
    signed: Cache<Box<[u8]>, HeaderValue>,
}

const LIFE: Duration = Duration::from_mins(1);
const KEPT: Duration = Duration::from_secs(30);
/// Bytes of what is kept at most.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

impl Signer {
    pub(super) fn new(issuer: Issuer, guard: &str, audience: String, rules: Rules) -> Self {
        let iss = format!("{}/guard/{guard}", issuer.address().issuer);
        let bytes = |key: &[u8], value: &HeaderValue| key.len() + value.len() + 256;
        let signed = Cache::<Box<[u8]>, HeaderValue>::builder()
            .max_capacity(MOST_BYTES)
            .weigher(move |key, value| u32::try_from(bytes(key, value)).unwrap_or(u32::MAX))
            .time_to_live(KEPT)
            .build();
        Self { issuer, iss, audience, rules, signed }
    }
}

impl Attestor for Signer {
    fn attest(&self, caller: &Caller) -> Option<HeaderValue> {
        let identity = caller.identity();
        let kind = identity.map_or("anonymous", |identity| identity.kind);
        let person = identity.and_then(|identity| identity.person.as_ref()).map(|one| &*one.id);
        let client = identity.and_then(|identity| identity.client_id.as_deref());
        let credential = identity.and_then(|identity| identity.credential_id.as_deref());
        let sub = person.or(credential).or(client).unwrap_or("anonymous");
        let now = self.issuer.now();
        // The time is in the key by halves of a life, so that a moved clock moves what is kept.
        let half = now.0 / KEPT.as_secs();
        let names = [kind, sub, client.unwrap_or_default()];
        let key = key(half, names, identity, self.rules.terms.person);
        if let Some(value) = self.signed.get(&key) {
            return Some(value);
        }
        let scope = identity.map_or_else(Scopes::default, |identity| self.scope(identity));
        let mut claims = json!({
            "iss": self.iss,
            "aud": self.audience,
            "sub": sub,
            "client_id": client,
            "kind": kind,
            "scope": scope.to_string(),
            "iat": now,
            "exp": now + LIFE,
        });
        if let Some((groups, roles)) = identity.and_then(groups_and_roles) {
            claims["groups"] = json!(groups);
            claims["roles"] = roles.iter().map(|role| &*role.role).collect();
        }
        let signed = self.issuer.keyring().sign(
            KeyUse::Identity.with(Algorithm::Es256),
            "castellan-identity+jwt",
            &claims,
            now,
        );
        let value = HeaderValue::from_str(&signed.ok()?).ok()?;
        self.signed.insert(key, value.clone());
        Some(value)
    }
}

impl Signer {
    /// What the caller may do: the token's scopes as far as the other terms go.
    fn scope(&self, identity: &Identity) -> Scopes {
        let scope = match &identity.client_scopes {
            Some(most) => most.narrow(&identity.token_scopes),
            None => identity.token_scopes.clone(),
        };
        match &identity.person_term {
            _ if !self.rules.terms.person => scope,
            PersonTerm::NoPerson => scope,
            PersonTerm::Unknown => within_roles(&scope, &[], &self.rules.aliases),
            PersonTerm::Roles(roles) => within_roles(&scope, roles, &self.rules.aliases),
        }
    }
}

/// The groups and roles of the person, if the API may know who they are.
fn groups_and_roles(identity: &Identity) -> Option<(&[String], &[RoleScopes])> {
    match (&identity.person, &identity.person_term) {
        (Some(person), PersonTerm::Roles(roles)) => Some((&person.groups, roles)),
        _ => None,
    }
}

/// What a signature depends on: each part with its length before it, so that no two callers have
/// the same.
fn key(
    half: u64,
    names: [&str; 3],
    identity: Option<&Identity>,
    person_decides: bool,
) -> Box<[u8]> {
    let mut text = Vec::with_capacity(256);
    let mut add = |part: &str| {
        text.extend_from_slice(&part.len().to_le_bytes());
        text.extend_from_slice(part.as_bytes());
    };
    names.into_iter().for_each(&mut add);
    if let Some(identity) = identity {
        identity.token_scopes.iter().for_each(|scope| add(scope.as_str()));
        // No scope is empty, so this parts one list from the other.
        add("");
        match &identity.client_scopes {
            Some(most) => most.iter().for_each(|scope| add(scope.as_str())),
            None => add(" "),
        }
        match &identity.person_term {
            PersonTerm::Unknown => add("unknown"),
            PersonTerm::NoPerson => add("no person"),
            PersonTerm::Roles(roles) => {
                add("roles");
                for role in &**roles {
                    add("");
                    add(&role.role);
                    if person_decides {
                        role.scopes.iter().for_each(|scope| add(scope.as_str()));
                    }
                }
            }
        }
        if let Some((groups, _)) = groups_and_roles(identity) {
            add(" ");
            for group in groups {
                add(group);
            }
        }
    }
    text.extend_from_slice(&half.to_le_bytes());
    text.into_boxed_slice()
}
