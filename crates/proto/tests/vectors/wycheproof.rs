//! Wycheproof's tokens and keys, of which there is a part; `crates/proto/tests/vectors/data/README.md` says which.

use castellan_proto::jose::{Compact, HmacKey, JwkSet};
use serde_json::{Value, json};

use super::{
    example::{Case, hold, said},
    forge::decode,
};

const TOKENS: &str = include_str!("data/json_web_signature_test.part.json");
const KEYS: &str = include_str!("data/json_web_key_test.part.json");

/// The number of a test that is answered otherwise than the file has it, and why. The contrary of
/// the file is then what must be answered, so an entry that is no longer true fails.
type Otherwise = (u64, &'static str);

const TOKENS_OTHERWISE: [Otherwise; 8] = [
    (346, "the header says PS384, the key PS256: a key has one algorithm"),
    (347, "ES512 is not among the algorithms"),
    (350, "the header says PS384, the key PS256: a key has one algorithm"),
    (351, "ES512 is not among the algorithms"),
    (367, "it is 357 to the letter, which is valid (C2SP/wycheproof#236)"),
    (370, "it is 357 to the letter, which is valid (C2SP/wycheproof#236)"),
    (372, "a question mark is no base64url (RFC 7515 §2)"),
    (373, "a question mark is no base64url (RFC 7515 §2)"),
];

const KEYS_OTHERWISE: [Otherwise; 5] = [
    (2, "there is no set of shared secrets"),
    (10, "how long a shared secret must be is asked of the setting it comes from"),
    (14, "HS384 is not among the algorithms"),
    (15, "HS512 is not among the algorithms"),
    (16, "how long a shared secret must be is asked of the setting it comes from"),
];

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn read(file: &str) -> Value {
    serde_json::from_str(file).unwrap()
}

/// The keys of a set, or the one that stands for itself.
fn keys(of: &Value) -> &[Value] {
    of.get("keys").map_or(std::slice::from_ref(of), |keys| list(keys))
}

/// Whether `jws` holds for a shared secret. Castellan has it from a setting, never from a JWK or
/// by name from among others; so it is taken out of its JWK here, if it is alone and for HS256.
fn holds_for_secret(keys: &[Value], jws: &str) -> bool {
    let set = json!({"keys": keys});
    assert!(serde_json::from_value::<JwkSet>(set).is_err(), "a secret was read as a public key");
    let [key] = keys else { return false };
    let secret = HmacKey::new(&decode(&key["k"]));
    let holds = |jws: Compact<'_>| jws.verified_by_hmac(&secret).is_some();
    key["alg"] == "HS256" && Compact::read(jws).is_some_and(holds)
}

/// Holds the code to a file, and says of how many tests.
fn hold_file(file: &str, otherwise: &[Otherwise]) -> usize {
    let file = read(file);
    let (mut ran, mut met) = (0, 0);
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for group in list(&file["testGroups"]) {
        for test in list(&group["tests"]) {
            // None of these is `acceptable`, to which either answer would do.
            let valid = test["result"] == "valid";
            assert!(valid || test["result"] == "invalid");
            let why = otherwise.iter().find(|(id, _)| test["tcId"] == *id).map(|(_, why)| *why);
            let holds = valid != why.is_some();
            let what = format!(
                "{} {} {} {}",
                test["tcId"],
                group["comment"],
                test["comment"],
                why.unwrap_or_default()
            );
            if let Some(public) = group.get("public") {
                let [jwk] = keys(public) else { unreachable!("{what}: one key for each") };
                let line = json!({"jwk": jwk, "jws": test["jws"]});
                cases.push(Case::new(what, &line, said(holds)));
            } else if holds_for_secret(keys(&group["private"]), text(&test["jws"])) != holds {
                wrong.push(format!("{what} is {}", said(!holds)));
            }
            ran += 1;
            met += usize::from(why.is_some());
        }
    }
    assert_eq!(met, otherwise.len(), "a number is that of no test");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    hold(&cases);
    ran
}

#[test]
fn wycheproof_tokens() {
    assert_eq!(hold_file(TOKENS, &TOKENS_OTHERWISE), 128);
}

#[test]
fn wycheproof_keys() {
    assert_eq!(hold_file(KEYS, &KEYS_OTHERWISE), 26);
}

/// How many tests of a file are a good token with one part changed or some missing. A slip in
/// copying one of them would be refused as well, and nothing would be held; so all else of it must
/// be that of the good token, which holds.
fn edited(file: &str) -> usize {
    const CHANGED: [&str; 3] =
        ["rejectsModifiedHeader", "rejectsModifiedPayload", "rejectsModifiedSignature"];
    let file = read(file);
    let mut edited = 0;
    for group in list(&file["testGroups"]) {
        let tests = list(&group["tests"]);
        let Some(good) = tests.iter().find(|test| test["result"] == "valid") else { continue };
        let good: Vec<&str> = text(&good["jws"]).split('.').collect();
        for test in tests {
            let comment = text(&test["comment"]);
            let parts: Vec<&str> = text(&test["jws"]).split('.').collect();
            if let Some(changed) = CHANGED.iter().position(|name| *name == comment) {
                assert_eq!(parts.len(), 3, "{test}");
                for part in 0..3 {
                    assert_eq!(parts[part] == good[part], part != changed, "{test}");
                }
            } else if comment.starts_with("rejectsMissing") {
                let known = |part: &&str| part.is_empty() || good.contains(part);
                assert!(parts != good && parts.iter().all(known), "{test}");
            } else {
                continue;
            }
            edited += 1;
        }
    }
    edited
}

#[test]
fn wycheproof_edits_are_what_they_say() {
    assert_eq!(edited(TOKENS), 9 + 24);
    assert_eq!(edited(KEYS), 1);
}
