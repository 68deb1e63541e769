//! Public keys as JSON (RFC 7517).

use crate::Digest;

use super::{
    Algorithm,
    members::{PassedOver, pass_over},
};

/// A public key. A key with a member of a private key is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Jwk {
    /// The family: `EC`, `OKP` or `RSA`.
    pub kty: String,
    /// The purpose of the key; always `sig` here.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// What the key may be used for, if stated; only `verify` is of use here (RFC 7517 §4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// The one algorithm it is used with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<Algorithm>,
    /// Its name in token headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The curve of an `EC` or `OKP` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The x coordinate of an `EC` key, or an `OKP` key itself (RFC 8037 §2).
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
    #[serde(flatten, skip_serializing, deserialize_with = "nothing_private")]
    pub(super) _others: PassedOver,
}

fn nothing_private<'de, D: serde::Deserializer<'de>>(members: D) -> Result<PassedOver, D::Error> {
    pass_over(members, &Jwk::PRIVATE)
}

/// What `/.well-known/jwks.json` serves (RFC 7517 §5).
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct JwkSet {
    /// The keys of the set.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// The members that only a private or a shared key has (RFC 7518 §§6.2.2, 6.3.2, 6.4.1,
    /// RFC 8037 §2).
    pub const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

    /// The one algorithm that it is used with; `None` for a key of no use here.
    ///
    /// An RSA key that does not say is for RS256. It never is for RS256 and PS256 both: a key is
    /// safe with one scheme (RFC 8017 §6).
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        let by_kind = match (&*self.kty, self.crv.as_deref(), self.alg) {
            ("EC", Some("P-256"), _) => Algorithm::Es256,
            ("OKP", Some("Ed25519"), _) => Algorithm::EdDsa,
            ("RSA", _, Some(Algorithm::Ps256)) => Algorithm::Ps256,
            ("RSA", _, _) => Algorithm::Rs256,
            _ => return None,
        };
        self.alg.is_none_or(|alg| alg == by_kind).then_some(by_kind)
    }

    /// The key's thumbprint (RFC 7638 §3, RFC 8037 §2): the required members only, in lexicographic
    /// order. Of a key of no family known here it says nothing.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let Self { kty, crv, x, y, n, e, .. } = self;
        // Written by a serialiser, because values from outside may contain quotation marks.
        let canonical = match &**kty {
            "RSA" => serde_json::json!({"e": e, "kty": kty, "n": n}),
            "OKP" => serde_json::json!({"crv": crv, "kty": kty, "x": x}),
            _ => serde_json::json!({"crv": crv, "kty": kty, "x": x, "y": y}),
        };
        Digest::of(canonical.to_string().as_bytes()).text()
    }
}
