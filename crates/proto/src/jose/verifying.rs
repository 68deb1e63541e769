//! Public keys, parsed once and kept.

use aws_lc_rs::{
    encoding::AsDer as _,
    signature::{self, ParsedPublicKey, RsaPublicKeyComponents},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Algorithm, Jwk, KeyError, rsa};

/// A public key that checks signatures of one algorithm.
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// The key of `jwk`, for `algorithm` only.
    ///
    /// # Errors
    /// [`KeyError`] if the key is for another algorithm ([`Jwk::algorithm`]) or not for signatures,
    /// is an RSA key outside 2048 to 8192 bits or one that is known to be weak, or does not read.
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        let is_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        if jwk.algorithm() != Some(algorithm) || !is_for_signatures {
            return Err(KeyError(algorithm));
        }
        let key = match algorithm {
            Algorithm::Es256 => p256(jwk),
            Algorithm::EdDsa => ed25519(jwk),
            Algorithm::Rs256 => rsa_key(jwk, &signature::RSA_PKCS1_2048_8192_SHA256),
            // Its salt is as long as its digest, and no other length will do (RFC 7518 §3.5).
            Algorithm::Ps256 => rsa_key(jwk, &signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Hs256 => None,
        };
        Ok(Self { algorithm, key: key.ok_or(KeyError(algorithm))? })
    }

    /// The algorithm of the key.
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

fn decoded(member: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member?).ok()
}

/// Exactly 32 bytes. The library distinguishes points from DER by their length, and would accept
/// both, or a point whose halves have 31 and 33 bytes: one key with several representations.
fn thirty_two(member: Option<&String>) -> Option<[u8; 32]> {
    decoded(member)?.try_into().ok()
}

/// RFC 7518 §6.2.1.
fn p256(jwk: &Jwk) -> Option<ParsedPublicKey> {
    let (x, y) = (thirty_two(jwk.x.as_ref())?, thirty_two(jwk.y.as_ref())?);
    let point = [&[4], &x[..], &y[..]].concat();
    ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok()
}

/// RFC 8037 §2.
fn ed25519(jwk: &Jwk) -> Option<ParsedPublicKey> {
    ParsedPublicKey::new(&signature::ED25519, thirty_two(jwk.x.as_ref())?).ok()
}

/// RFC 7518 §6.3.1.
fn rsa_key(jwk: &Jwk, scheme: &'static signature::RsaParameters) -> Option<ParsedPublicKey> {
    let parts = RsaPublicKeyComponents { n: decoded(jwk.n.as_ref())?, e: decoded(jwk.e.as_ref())? };
    if !rsa::is_sound(&parts.n, &parts.e) {
        return None;
    }
    ParsedPublicKey::new(scheme, parts.as_der().ok()?.as_ref()).ok()
}
