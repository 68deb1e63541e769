//! Tokens as an API would read them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{
    Clock as _, SystemClock,
    jose::{Algorithm, Compact, HmacKey, JwkSet, VerifyingKey},
};
use serde_json::Value;

use crate::support::{castellan::Castellan, wire::Ask};

/// The claims of `token`, unproven.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of `token`.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap_or_else(|| panic!("no JWT: {token}"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The claims of `token`, proven by the published key that its header names.
pub async fn proven(castellan: &Castellan, jwks: &str, (token, alg): (&str, Algorithm)) -> Value {
    let published = Ask::get(&castellan.at(jwks)).send().await;
    let set: JwkSet = serde_json::from_str(&published.body).unwrap();
    let compact = Compact::read(token).unwrap();
    let kid = compact.header().kid.as_ref();
    let jwk = set.keys.iter().find(|key| key.kid.as_ref() == kid).expect("the key is published");
    let key = VerifyingKey::from_jwk(alg, jwk).unwrap();
    serde_json::from_slice(compact.verified_by(&key).expect("the signature is right")).unwrap()
}

/// A token signed with a shared secret.
pub fn signed_with(secret: &str, claims: &Value) -> String {
    HmacKey::new(secret.as_bytes()).sign(claims).unwrap()
}

/// A token with a header of one's own and that signature.
pub fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemClock.now().0
}
