//! Public keys as JSON (RFC 7517).

use crate::Digest;

use super::Algorithm;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Jwk {
    /// The family: `EC` or `RSA`.
    pub kty: String,
    /// What it is for; always `sig` here.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// The one algorithm it is used with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<Algorithm>,
    /// Its name in token headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The curve of an `EC` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The x coordinate of an `EC` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The y coordinate of an `EC` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The modulus of an `RSA` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The exponent of an `RSA` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
}

/// What `/.well-known/jwks.json` serves (RFC 7517 §5).
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// The key's thumbprint (RFC 7638 §3): the required members only, in lexicographic order.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let member = |value: &Option<String>| value.clone().unwrap_or_default();
        let canonical = if self.kty == "RSA" {
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, member(&self.e), member(&self.n))
        } else {
            format!(
                r#"{{"crv":"{}","kty":"{}","x":"{}","y":"{}"}}"#,
                member(&self.crv),
                self.kty,
                member(&self.x),
                member(&self.y)
            )
        };
        Digest::of(canonical.as_bytes()).text()
    }
}
