//! How an app proves who it is, as written: by a secret or by keys.

use castellan_proto::{
    Secret, Timestamp,
    jose::{Jwk, VerifyingKey},
};
use serde_json::{Value, json};

use crate::{
    Issuer,
    records::{Client, Previous},
    resources::{Problem, credential::keep, previous_secret::AskedPrevious},
};

/// What is stored of a proof. With neither a secret nor keys the app is public.
pub(crate) struct Proof {
    /// The stored form of its secret.
    pub(crate) secret: Option<String>,
    /// Its public keys.
    pub(crate) jwks: Vec<Jwk>,
    /// The secret before, while it still counts.
    pub(crate) previous: Option<Previous>,
    /// Whether the secret is another one than before.
    pub(crate) changed: bool,
}

/// What a document says of the proof.
pub(crate) struct AskedProof<'a> {
    /// The secret, if one is written.
    pub(crate) secret: Option<&'a Secret>,
    /// The keys, if some are written.
    pub(crate) jwks: Option<&'a Value>,
    /// It says that there is no secret: one that is not written does not stay.
    pub(crate) drops: bool,
    /// Until when the secret before is valid too, if that is written.
    pub(crate) until: Option<Timestamp>,
}

impl Proof {
    /// A secret that is not written stays, unless the document says that there is none.
    pub(crate) async fn read(
        issuer: &Issuer,
        asked: AskedProof<'_>,
        before: Option<&Client>,
    ) -> Result<Self, Problem> {
        let kept = before.and_then(|before| before.secret.as_deref());
        // Who has no secret any more has none of before either.
        let none = AskedPrevious { until: asked.until, kept: None, replaced: None };
        let (until, now) = (asked.until, issuer.now());
        match (asked.secret, asked.jwks) {
            (None, None) if asked.drops => {
                let (previous, changed) = (none.read(now)?, kept.is_some());
                Ok(Self { secret: None, jwks: Vec::new(), previous, changed })
            }
            (Some(_), Some(_)) => {
                Err(Problem::Text("jwks: set either keys or a secret, not both".to_owned()))
            }
            // Who proves themselves by a key must not be let in by a secret of before.
            (None, Some(set)) => {
                let (previous, changed) = (none.read(now)?, kept.is_some());
                Ok(Self { secret: None, jwks: public_keys(set)?, previous, changed })
            }
            (None, None) => {
                let before = before.and_then(|before| before.previous_secret.as_ref());
                let previous = AskedPrevious { until, kept: before, replaced: None }.read(now)?;
                let secret = kept.map(ToOwned::to_owned);
                Ok(Self { secret, jwks: Vec::new(), previous, changed: false })
            }
            (Some(secret), None) => {
                let (stored, changed) = keep(issuer, secret, kept).await?;
                let replaced = kept.filter(|_| changed);
                let kept = before.and_then(|before| before.previous_secret.as_ref());
                let previous = AskedPrevious { until, kept, replaced }.read(now)?;
                Ok(Self { secret: Some(stored), jwks: Vec::new(), previous, changed })
            }
        }
    }
}

/// Adds its keys, and until when the secret before is valid too; a secret never.
pub(super) fn show(client: &Client, shown: &mut Value) {
    if !client.jwks.is_empty() {
        shown["jwks"] = json!({"keys": client.jwks});
    }
    if let Some(previous) = &client.previous_secret {
        shown["previous_secret_until"] = json!(previous.until);
    }
}

/// Keys of a client at most.
const MOST_KEYS: usize = 8;

/// The public keys of a JWK Set, each of which can be used, and none of which gives a private one
/// away.
fn public_keys(set: &Value) -> Result<Vec<Jwk>, Problem> {
    let wrong = |text: &str| Problem::Text(format!("jwks: {text}"));
    let keys = set.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or_else(|| wrong("must be {keys: [...]}, a JWK Set of public keys"))?;
    if keys.is_empty() || keys.len() > MOST_KEYS {
        return Err(wrong("must have between one and eight keys"));
    }
    let mut read = Vec::new();
    for key in keys {
        if Jwk::PRIVATE.iter().any(|member| key.get(member).is_some()) {
            return Err(wrong(
                "contains a private key; generate new keys, and register the public ones only",
            ));
        }
        let key: Jwk = serde_json::from_value(key.clone()).map_err(|_| {
            wrong(
                "a key is not valid, or its algorithm is not one of ES256, EdDSA, PS256 and RS256",
            )
        })?;
        let usable = key
            .algorithm()
            .is_some_and(|algorithm| VerifyingKey::from_jwk(algorithm, &key).is_ok());
        if !usable {
            return Err(wrong(
                "a key must be EC on P-256, OKP on Ed25519, or RSA of 2048 to 8192 bits with an \
                 exponent above 65536, for signatures",
            ));
        }
        read.push(key);
    }
    Ok(read)
}
