//! The public keys of an app, as written.

use castellan_proto::jose::{Jwk, VerifyingKey};
use serde_json::Value;

use super::Problem;
use crate::assertion::algorithm_of;

/// Keys of a client at most.
const MOST_KEYS: usize = 8;

/// The public keys of a JWK Set, each of which can be used, and none of which gives a private one
/// away.
pub(super) fn public_keys(set: &Value) -> Result<Vec<Jwk>, Problem> {
    let wrong = |text: &str| Problem::Text(format!("jwks: {text}"));
    let keys = set.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or_else(|| wrong("write {keys: [...]}, a JWK Set of public keys"))?;
    if keys.is_empty() || keys.len() > MOST_KEYS {
        return Err(wrong("between one and eight keys"));
    }
    let mut read = Vec::new();
    for key in keys {
        if ["d", "p", "q", "k"].iter().any(|member| key.get(member).is_some()) {
            return Err(wrong(
                "a private key is among them; make new keys, and give the public ones",
            ));
        }
        let key: Jwk = serde_json::from_value(key.clone()).map_err(|_| {
            wrong("a key does not read, or has another algorithm than ES256 and RS256")
        })?;
        let usable = algorithm_of(&key)
            .is_some_and(|algorithm| VerifyingKey::from_jwk(algorithm, &key).is_ok());
        if !usable || key.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(wrong(
                "a key must be EC on P-256 or RSA of at least 2048 bits, for signatures",
            ));
        }
        read.push(key);
    }
    Ok(read)
}
