//! The keys that stand in a `TokenIntrospector` document.

use castellan_proto::{
    Secret,
    jose::{Algorithm, Jwk, VerifyingKey},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MOST_ENTRIES, MOST_SECRET, Problem, wrong};
use crate::{
    Issuer,
    records::{TrustedKey, Verification},
    secrets::policy::is_blank,
};

/// A key.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct KeyMember {
    /// A shared secret, of 32 bytes or more; write-only. Left out, the one at this place of the list
    /// is kept.
    k: Option<Secret>,
    /// A public key in PEM.
    r#pub: Option<String>,
    /// `OCT` for `k`, `RSA` or `EC` for `pub`.
    kty: String,
    /// `HS256` for `OCT`, `RS256` for `RSA`, `ES256` for `EC`.
    alg: String,
    /// `plain` for `k`, `PEM` for `pub`. Default: that.
    format: Option<String>,
}

/// Bytes of a shared secret at least (RFC 7518 §3.2).
const LEAST_SECRET: usize = 32;

/// A key as it is shown.
pub(super) fn shown_key(key: &TrustedKey) -> Value {
    match key {
        TrustedKey::Secret(_) => json!({"kty": "OCT", "alg": "HS256", "format": "plain"}),
        TrustedKey::Public { pem, algorithm } => {
            let kty = if *algorithm == Algorithm::Es256 { "EC" } else { "RSA" };
            json!({"pub": pem, "kty": kty, "alg": algorithm.as_str(), "format": "PEM"})
        }
    }
}

/// The keys of a document, over those that were there.
pub(super) fn read_keys(
    issuer: &Issuer,
    keys: &[KeyMember],
    before: &[TrustedKey],
) -> Result<(Verification, bool), Problem> {
    if keys.is_empty() || keys.len() > MOST_ENTRIES {
        return wrong(format!("jwt.keys must have 1 to {MOST_ENTRIES} entries"));
    }
    let mut changed = false;
    let mut read = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let place = format!("jwt.keys[{at}]");
        let format = key.format.as_deref();
        let kept = match before.get(at) {
            Some(TrustedKey::Secret(kept)) => Some(kept.as_str()),
            _ => None,
        };
        let algorithm = match (&*key.kty, &*key.alg) {
            ("OCT", "HS256") => Algorithm::Hs256,
            ("RSA", "RS256") => Algorithm::Rs256,
            ("EC", "ES256") => Algorithm::Es256,
            (_, "RS384") => return wrong(format!("{place}: RS384 is not supported; use RS256")),
            _ => {
                return wrong(format!(
                    "{place}: kty and alg must be OCT and HS256, RSA and RS256, or EC and ES256"
                ));
            }
        };
        let is_shared = algorithm == Algorithm::Hs256;
        let wanted = if is_shared { "plain" } else { "PEM" };
        if format.is_some_and(|format| format != wanted) {
            return wrong(format!("{place}: format must be {wanted} for kty {}", key.kty));
        }
        read.push(match (is_shared, &key.k, &key.r#pub) {
            (true, Some(written), None) => {
                check_secret(&format!("{place}.k"), written)?;
                let (kept, is_new) = keep(issuer, written, kept)?;
                changed |= is_new;
                TrustedKey::Secret(kept)
            }
            (true, None, None) => match kept {
                Some(kept) => TrustedKey::Secret(kept.to_owned()),
                None => return wrong(format!("{place}.k is missing")),
            },
            (false, None, Some(pem)) if Jwk::from_pem(algorithm, pem).is_some_and(is_sound) => {
                TrustedKey::Public { pem: pem.trim().to_owned(), algorithm }
            }
            (false, None, Some(_)) => {
                return wrong(format!(
                    "{place}.pub must be a public key in PEM (BEGIN PUBLIC KEY), of RSA with 2048 to \
                     8192 bits or of P-256, as kty says"
                ));
            }
            _ => return wrong(format!("{place}: k goes with kty OCT, and pub with RSA and EC")),
        });
    }
    Ok((Verification::Keys(read), changed))
}

/// Whether a key is safe to believe; a size that is not shows when it is written.
#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
fn is_sound(key: Jwk) -> bool {
    let algorithm = key.algorithm();
    algorithm.is_some_and(|one| VerifyingKey::from_jwk(one, &key).is_ok())
}

/// Refuses a shared secret that could be guessed, or that is a public key: everybody could sign with
/// that (`docs/security-cases.md` row 6).
pub(super) fn check_secret(member: &str, secret: &Secret) -> Result<(), Problem> {
    let text = secret.expose();
    if text.len() < LEAST_SECRET || text.len() > MOST_SECRET || is_blank(secret) {
        return wrong(format!("{member} must have {LEAST_SECRET} to {MOST_SECRET} bytes"));
    }
    if text.contains("-----BEGIN") || text.contains("\"kty\"") {
        return wrong(format!(
            "{member} is a key in PEM or JSON; write a public key to jwt.keys, with pub"
        ));
    }
    Ok(())
}

/// `written` as it is stored, and whether it is another one than what was kept.
pub(super) fn keep(
    issuer: &Issuer,
    written: &Secret,
    kept: Option<&str>,
) -> Result<(String, bool), Problem> {
    let is_same = |kept: &&str| issuer.open_secret(kept).is_ok_and(|kept| kept == *written);
    match kept.filter(is_same) {
        Some(kept) => Ok((kept.to_owned(), false)),
        None => Ok((issuer.seal_secret(written)?, true)),
    }
}
