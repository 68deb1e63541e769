//! Vectors that others published; where they come from is in `crates/proto/tests/vectors/data/README.md`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::example::{Case, hold, said};

/// The cases of a file that is written as the example reads it.
fn lines(text: &str) -> Vec<Case> {
    let case = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        let (what, expect) = (case["source"].as_str().unwrap(), case["expect"].as_str().unwrap());
        Case { what: what.to_owned(), line: line.to_owned(), expect: expect.to_owned() }
    };
    text.lines().map(case).collect()
}

#[test]
fn the_rfcs() {
    let cases = lines(include_str!("data/rfc.jsonl"));
    assert_eq!(cases.len(), 10);
    hold(&cases);
}

#[test]
fn signatures_of_another_library() {
    let cases = lines(include_str!("data/openssl.jsonl"));
    assert_eq!(cases.len(), 18);
    hold(&cases);
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// A number without the zeros before it, or with as many as make it `length` bytes.
fn number(text: &Value, length: usize) -> String {
    let bytes = hex(text);
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let mut padded = vec![0; length.saturating_sub(bytes.len() - start)];
    padded.extend_from_slice(&bytes[start..]);
    URL_SAFE_NO_PAD.encode(padded)
}

/// The public key of a group as a JWK, made from its numbers; it must be the JWK that the file
/// gives, where it gives one.
fn jwk(group: &Value, alg: &str) -> Value {
    let key = &group["publicKey"];
    let jwk = match alg {
        "ES256" => {
            let (x, y) = (number(&key["wx"], 32), number(&key["wy"], 32));
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
        }
        "EdDSA" => {
            json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(hex(&key["pk"]))})
        }
        _ => {
            let (n, e) = (number(&key["modulus"], 0), number(&key["publicExponent"], 0));
            json!({"kty": "RSA", "alg": alg, "n": n, "e": e})
        }
    };
    for given in ["publicKeyJwk", "keyJwk"].iter().filter_map(|name| group.get(name)) {
        // A key is also tried with the other scheme, so its `alg` may be another.
        for (name, value) in jwk.as_object().unwrap().iter().filter(|(name, _)| *name != "alg") {
            assert_eq!(value, &given[name]);
        }
    }
    jwk
}

/// Wycheproof's plain signatures. A signature in a JWS is one over text of a certain form, which
/// these messages are not, so they are shown to the key alone.
fn signatures(text: &str, alg: &str, expect: impl Fn(&Value, &Value) -> bool) -> Vec<Case> {
    let file: Value = serde_json::from_str(text).unwrap();
    let mut cases = Vec::new();
    for group in file["testGroups"].as_array().unwrap() {
        let jwk = jwk(group, alg);
        for test in group["tests"].as_array().unwrap() {
            let line = json!({
                "jwk": jwk, "alg": alg,
                "message": URL_SAFE_NO_PAD.encode(hex(&test["msg"])),
                "signature": URL_SAFE_NO_PAD.encode(hex(&test["sig"])),
            });
            let what = format!("{alg} {}: {}", test["tcId"], test["comment"]);
            cases.push(Case::new(what, &line, said(expect(group, test))));
        }
    }
    assert_eq!(file["numberOfTests"], cases.len());
    cases
}

/// What is merely acceptable must be refused as well.
fn is_valid(_: &Value, test: &Value) -> bool {
    test["result"] == "valid"
}

#[test]
fn wycheproof_es256() {
    let text = include_str!("data/ecdsa_secp256r1_sha256_p1363_test.json");
    hold(&signatures(text, "ES256", is_valid));
}

#[test]
fn wycheproof_eddsa() {
    hold(&signatures(include_str!("data/ed25519_test.json"), "EdDSA", is_valid));
}

#[test]
fn wycheproof_rs256() {
    let text = include_str!("data/rsa_signature_2048_sha256_test.json");
    // Two keys have an exponent of three, which is taken of nobody.
    let usual = |group: &Value| group["publicKey"]["publicExponent"] == "010001";
    let cases = signatures(text, "RS256", |group, test| is_valid(group, test) && usual(group));
    assert_eq!(cases.iter().filter(|case| case.expect == "valid").count(), 7);
    hold(&cases);
    // Under the other scheme there is one; its neighbours have other digests or salts.
    hold(&signatures(text, "PS256", |_, test| test["tcId"] == 257));
}

#[test]
fn wycheproof_ps256() {
    let text = include_str!("data/rsa_pss_2048_sha256_mgf1_32_test.json");
    hold(&signatures(text, "PS256", is_valid));
    let pkcs1 = "PKCS #1 v1.5 signature with SHA-256";
    hold(&signatures(text, "RS256", |_, test| test["comment"] == pkcs1));
    // Good signatures with a salt of no bytes, which JWS does not know (RFC 7518 §3.5), and one
    // that is bad for having a salt.
    let text = include_str!("data/rsa_pss_2048_sha256_mgf1_0_test.json");
    hold(&signatures(text, "PS256", |_, test| test["comment"] == "s_len changed to 32"));
}
