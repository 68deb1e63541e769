//! Holds the keys and signatures of this crate to test vectors: reads one case a line from its
//! standard input, prints one line for each. Members that are not named here are passed over.
//!
//! | case | answer |
//! |---|---|
//! | `{"jwk": {…}, "alg": "ES256", "jws": "…"}` | `valid` or `invalid` |
//! | `{"jwk": {…}, "alg": "ES256", "message": "…", "signature": "…"}`, both base64url | the same |
//! | `{"thumbprint_of": {…}}` | the thumbprint (RFC 7638), or `invalid` for what is no public key |
//!
//! `alg` is the algorithm that the key is to be used with; without it, the key's own.
//!
//! ```text
//! cargo run -q -p castellan-proto --example jose < crates/proto/tests/vectors/data/rfc.jsonl
//! ```

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::jose::{Compact, Jwk, VerifyingKey};
use serde_json::{Value, value::RawValue};

#[derive(serde::Deserialize)]
struct Case {
    /// As it is written, so that what must not read as a key is told from what is no case.
    jwk: Option<Box<RawValue>>,
    alg: Option<String>,
    jws: Option<String>,
    message: Option<String>,
    signature: Option<String>,
    thumbprint_of: Option<Box<RawValue>>,
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for (number, line) in io::stdin().lines().enumerate() {
        let Some(answer) = answer(&line?) else {
            eprintln!("line {} is no case", number + 1);
            return Ok(ExitCode::FAILURE);
        };
        writeln!(out, "{answer}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `None` for a line that is no case at all, lest a slip in a vector pass for a refusal.
fn answer(line: &str) -> Option<String> {
    let case: Case = serde_json::from_str(line).ok()?;
    let said = |holds: bool| (if holds { "valid" } else { "invalid" }).to_owned();
    if let Some(jwk) = case.thumbprint_of {
        let jwk = serde_json::from_str::<Jwk>(jwk.get()).ok();
        return Some(jwk.map_or_else(|| said(false), |jwk| jwk.thumbprint()));
    }
    let jwk = case.jwk?;
    match (case.jws, case.message, case.signature) {
        (Some(jws), None, None) => Some(said(holds(&jwk, case.alg, &jws).is_some())),
        (None, Some(message), Some(signature)) => {
            let message = URL_SAFE_NO_PAD.decode(message).ok()?;
            let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
            let key = key(&jwk, case.alg);
            Some(said(key.is_some_and(|(_, key)| key.verifies(&message, &signature))))
        }
        _ => None,
    }
}

fn holds(jwk: &RawValue, alg: Option<String>, jws: &str) -> Option<()> {
    let (jwk, key) = key(jwk, alg)?;
    let compact = Compact::read(jws)?;
    (compact.header().names(&jwk) && compact.verified_by(&key).is_some()).then_some(())
}

fn key(jwk: &RawValue, alg: Option<String>) -> Option<(Jwk, VerifyingKey)> {
    let jwk: Jwk = serde_json::from_str(jwk.get()).ok()?;
    let algorithm = match alg {
        Some(alg) => serde_json::from_value(Value::String(alg)).ok()?,
        None => jwk.algorithm()?,
    };
    let key = VerifyingKey::from_jwk(algorithm, &jwk).ok()?;
    Some((jwk, key))
}
