//! The compact serialisation: three base64url parts (RFC 7515 §7.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Algorithm, HmacKey, Jwk, VerifyingKey,
    members::{PassedOver, pass_over},
};

/// What the header of a token says, all of it unproven.
#[derive(Debug, serde::Deserialize)]
pub struct Header {
    /// The algorithm that the header claims.
    pub alg: String,
    /// The media type claimed (RFC 7515 §4.1.9).
    pub typ: Option<String>,
    /// Which key is claimed to have signed.
    pub kid: Option<String>,
    /// A public key sent in the header (RFC 7515 §4.1.3). Nothing vouches for it.
    #[serde(default)]
    pub jwk: Option<Jwk>,
    #[serde(flatten, deserialize_with = "nothing_critical")]
    _others: PassedOver,
}

/// `crit` names extensions that must be understood (RFC 7515 §4.1.11). None is supported, and an
/// empty or unreadable list is refused as well.
fn nothing_critical<'de, D: serde::Deserializer<'de>>(members: D) -> Result<PassedOver, D::Error> {
    pass_over(members, &["crit"])
}

impl Header {
    /// Whether `key` is the one claimed, or none is (RFC 7515 §4.1.4).
    #[must_use]
    pub fn names(&self, key: &Jwk) -> bool {
        self.kid.is_none() || self.kid == key.kid
    }
}

/// A token taken apart and not yet believed.
pub struct Compact<'a> {
    header: Header,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    const LONGEST: usize = 16 * 1024;

    /// Splits `token` into its parts. `None` if it is not a compact JWS, or its header names a
    /// member twice or has a `crit`.
    #[must_use]
    pub fn read(token: &'a str) -> Option<Self> {
        if token.len() > Self::LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if payload.contains('.') {
            return None;
        }
        Some(Self {
            header,
            signed,
            payload: URL_SAFE_NO_PAD.decode(payload).ok()?,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// The unproven header, to find the key by.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// What the payload claims, all of it unproven; to find the key by.
    #[must_use]
    pub fn claimed<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.payload).ok()
    }

    /// The payload, if `key` made the signature and the header agrees with the key's algorithm.
    #[must_use]
    pub fn verified_by(&self, key: &VerifyingKey) -> Option<&[u8]> {
        (Algorithm::named(&self.header.alg) == Some(key.algorithm())
            && key.verifies(self.signed.as_bytes(), &self.signature))
        .then_some(&*self.payload)
    }

    /// The payload, if `key` made the authentication code with HS256.
    #[must_use]
    pub fn verified_by_hmac(&self, key: &HmacKey) -> Option<&[u8]> {
        (self.header.alg == "HS256" && key.verifies(self.signed.as_bytes(), &self.signature))
            .then_some(&*self.payload)
    }
}
