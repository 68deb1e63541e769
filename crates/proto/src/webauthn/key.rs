//! Public keys of credentials, in COSE (RFC 9052 §7, RFC 9053 §§2, 7, RFC 8230).

use aws_lc_rs::{
    encoding::AsDer as _,
    signature::{self, ParsedPublicKey, RsaPublicKeyComponents},
};
use minicbor::Decoder;

use super::WebAuthnError;
use crate::jose::is_sound_rsa;

/// Bytes of an RSA modulus at most.
const LONGEST_MODULUS: usize = 512;

/// An algorithm of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Those that are offered, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Its number in the registry "COSE Algorithms".
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Rs256 => -257,
        }
    }
}

/// The public key of a credential.
#[derive(Debug)]
pub struct CredentialKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
    cose: Vec<u8>,
}

/// A parameter of a key.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

/// Labels of what every key has, and of what depends on its kind.
const KIND: i64 = 1;
const ALGORITHM: i64 = 3;
const FIRST: i64 = -1;
const SECOND: i64 = -2;
const THIRD: i64 = -3;

impl CredentialKey {
    /// The key that `cose` is.
    ///
    /// # Errors
    /// [`WebAuthnError::Key`] if it is none of an algorithm in [`Algorithm::ALL`].
    pub fn read(cose: &[u8]) -> Result<Self, WebAuthnError> {
        let mut decoder = Decoder::new(cose);
        let key = Self::read_from(&mut decoder)?;
        if decoder.position() == cose.len() { Ok(key) } else { Err(WebAuthnError::Key) }
    }

    /// The key that is next in `decoder`. It has no parameters but those that its algorithm needs
    /// (WebAuthn §6.5.1).
    pub(super) fn read_from(decoder: &mut Decoder<'_>) -> Result<Self, WebAuthnError> {
        let begin = decoder.position();
        let parameters = parameters(decoder).ok_or(WebAuthnError::Key)?;
        let (algorithm, key) = parsed(&parameters).ok_or(WebAuthnError::Key)?;
        let cose = decoder.input().get(begin..decoder.position()).unwrap_or_default().to_vec();
        Ok(Self { algorithm, key, cose })
    }

    /// The key as it was read.
    #[must_use]
    pub fn cose(&self) -> &[u8] {
        &self.cose
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it made `signature` over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

/// At most five parameters, none of them twice.
fn parameters<'a>(decoder: &mut Decoder<'a>) -> Option<Vec<(i64, Value<'a>)>> {
    let number = decoder.map().ok()??;
    let mut found: Vec<(i64, Value<'a>)> = Vec::new();
    for _ in 0..Some(number).filter(|number| *number <= 5)? {
        let label = decoder.i64().ok()?;
        let value = match decoder.datatype().ok()? {
            minicbor::data::Type::Bytes => Value::Bytes(decoder.bytes().ok()?),
            _ => Value::Number(decoder.i64().ok()?),
        };
        if found.iter().any(|(other, _)| *other == label) {
            return None;
        }
        found.push((label, value));
    }
    Some(found)
}

fn parsed(parameters: &[(i64, Value<'_>)]) -> Option<(Algorithm, ParsedPublicKey)> {
    let value = |label: i64| parameters.iter().find(|(other, _)| *other == label);
    let number = |label: i64| match value(label)? {
        (_, Value::Number(number)) => Some(*number),
        (_, Value::Bytes(_)) => None,
    };
    let bytes = |label: i64| match value(label)? {
        (_, Value::Bytes(bytes)) => Some(*bytes),
        (_, Value::Number(_)) => None,
    };
    let thirty_two = |label: i64| bytes(label).filter(|bytes| bytes.len() == 32);
    match (number(KIND)?, number(ALGORITHM)?, parameters.len()) {
        // An elliptic curve with both coordinates: P-256.
        (2, -7, 5) if number(FIRST)? == 1 => {
            let point = [&[4], thirty_two(SECOND)?, thirty_two(THIRD)?].concat();
            let key = ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point).ok()?;
            Some((Algorithm::Es256, key))
        }
        // An octet key pair: Ed25519.
        (1, -8, 4) if number(FIRST)? == 6 => {
            let key = ParsedPublicKey::new(&signature::ED25519, thirty_two(SECOND)?).ok()?;
            Some((Algorithm::EdDsa, key))
        }
        // RSA: modulus and exponent.
        (3, -257, 4) => {
            let parts = RsaPublicKeyComponents { n: bytes(FIRST)?, e: bytes(SECOND)? };
            if parts.n.len() > LONGEST_MODULUS || !is_sound_rsa(parts.n, parts.e) {
                return None;
            }
            let scheme = &signature::RSA_PKCS1_2048_8192_SHA256;
            let key = ParsedPublicKey::new(scheme, parts.as_der().ok()?.as_ref()).ok()?;
            Some((Algorithm::Rs256, key))
        }
        _ => None,
    }
}
