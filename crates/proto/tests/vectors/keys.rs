//! Keys that must not read, each beside one that does. The tokens are good; only the key changes.

use serde_json::{Value, json};

use super::{
    example::{Case, hold, hold_all, said},
    forge::{Scheme, decode, encode, with},
};

fn case(what: &str, scheme: Scheme, jwk: &Value, holds: bool) -> Case {
    let token = scheme.token(scheme.header());
    Case::jws(format!("{scheme:?} {what}"), (jwk, scheme.alg()), &token, holds)
}

/// RFC 7517 §4.
#[test]
fn what_every_key_must_be() {
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        let jwk = scheme.jwk();
        let mut set = |name: &str, value: Value, holds| {
            cases.push(case(&format!("{name} {value}"), scheme, &with(&jwk, name, value), holds));
        };
        set("kid", json!("one"), true);
        set("kid", json!("two"), false);
        set("kid", Value::Null, false);
        set("use", json!("sig"), true);
        set("use", Value::Null, true);
        set("unknown", json!({"d": "AQAB"}), true);
        for usage in ["enc", "SIG", ""] {
            set("use", json!(usage), false);
        }
        for kty in ["oct", "EC", "OKP", "RSA", "AKP", "ec", ""] {
            set("kty", json!(kty), jwk["kty"] == kty);
        }
        set("kty", Value::Null, false);
        for alg in ["ES256", "EdDSA", "RS256", "PS256", "HS256", "none", "ES384", "Ed25519"] {
            // A newer name of the same (RFC 9864 §2.2).
            let alg_meant = if alg == "Ed25519" { "EdDSA" } else { alg };
            set("alg", json!(alg), alg_meant == scheme.alg());
        }
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            set(private, json!("AQAB"), false);
            set(private, json!([]), false);
        }
        let text = jwk.to_string();
        let token = scheme.token(scheme.header());
        let mut written = |what: &str, jwk: &str, holds| {
            let line = format!(r#"{{"jwk":{jwk},"alg":"{}","jws":"{token}"}}"#, scheme.alg());
            cases.push(Case { what: what.to_owned(), line, expect: said(holds).to_owned() });
        };
        let more = |members: &str| format!("{{{members},{}", &text[1..]);
        written("as it is", &text, true);
        written("one member more", &more(r#""unknown":1"#), true);
        written("a private member that is null", &more(r#""d":null"#), false);
        written("an unknown member twice", &more(r#""unknown":1,"unknown":1"#), false);
        for name in ["kty", "kid", "alg"] {
            let again = format!(r#""{name}":{}"#, jwk[name]);
            written("a member twice", &more(&again), false);
        }
        let values: Vec<&Value> = ["kty", "use", "alg", "kid", "crv", "x", "y", "n", "e"]
            .iter()
            .map(|name| jwk.get(name).unwrap_or(&Value::Null))
            .collect();
        written("a list", &json!(values).to_string(), false);
        written("a text", "\"EC\"", false);
    }
    hold(&cases);
}

/// RFC 7518 §6.2.1: coordinates of 32 bytes, of a point on the curve.
#[test]
fn what_a_p256_key_must_be() {
    let jwk = Scheme::Es256.jwk();
    let (x, y) = (decode(&jwk["x"]), decode(&jwk["y"]));
    let mut cases = vec![case("as it is", Scheme::Es256, &jwk, true)];
    let mut set = |what: &str, (x, y): (&[u8], &[u8])| {
        let moved = with(&with(&jwk, "x", json!(encode(x))), "y", json!(encode(y)));
        cases.push(case(what, Scheme::Es256, &moved, false));
    };
    // The same 64 bytes, cut elsewhere.
    set("31 and 33 bytes", (&x[..31], &[&x[31..], &y[..]].concat()));
    set("33 and 31 bytes", (&[&x[..], &y[..1]].concat(), &y[1..]));
    set("64 and no bytes", (&[&x[..], &y[..]].concat(), &[]));
    set("a zero before each", (&[&[0], &x[..]].concat(), &[&[0], &y[..]].concat()));
    set("exchanged", (&y, &x));
    set("nowhere", (&[0; 32], &[0; 32]));
    let mut off = y.clone();
    off[31] ^= 1;
    set("off the curve", (&x, &off));
    for name in ["x", "y", "crv"] {
        cases.push(case("a part missing", Scheme::Es256, &with(&jwk, name, Value::Null), false));
    }
    for crv in ["P-384", "P-521", "secp256k1", "Ed25519", "p-256"] {
        cases.push(case(crv, Scheme::Es256, &with(&jwk, "crv", json!(crv)), false));
    }
    let padded = json!(format!("{}=", jwk["x"].as_str().unwrap()));
    cases.push(case("padded", Scheme::Es256, &with(&jwk, "x", padded), false));
    hold(&cases);
}

/// RFC 8037 §2: 32 bytes.
#[test]
fn what_an_ed25519_key_must_be() {
    let jwk = Scheme::EdDsa.jwk();
    let x = decode(&jwk["x"]);
    let mut cases = vec![case("as it is", Scheme::EdDsa, &jwk, true)];
    let mut set = |what: &str, x: &[u8]| {
        cases.push(case(what, Scheme::EdDsa, &with(&jwk, "x", json!(encode(x))), false));
    };
    set("31 bytes", &x[..31]);
    set("33 bytes", &[&x[..], &[0]].concat());
    set("no bytes", &[]);
    // The library reads this as the same key.
    let prefix = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    set("wrapped in DER", &[&prefix[..], &x[..]].concat());
    let mut other = x.clone();
    other[31] ^= 0x80;
    set("with the other sign", &other);
    for name in ["x", "crv"] {
        cases.push(case("a part missing", Scheme::EdDsa, &with(&jwk, name, Value::Null), false));
    }
    for crv in ["Ed448", "X25519", "P-256", "ed25519"] {
        cases.push(case(crv, Scheme::EdDsa, &with(&jwk, "crv", json!(crv)), false));
    }
    hold(&cases);
}

/// RFC 7518 §6.3.1: numbers in their shortest form. What sizes there may be is in `openssl.jsonl`.
#[test]
fn what_an_rsa_key_must_be() {
    let mut cases = Vec::new();
    for scheme in [Scheme::Rs256, Scheme::Ps256] {
        let jwk = scheme.jwk();
        let n = decode(&jwk["n"]);
        cases.push(case("as it is", scheme, &jwk, true));
        let mut set = |what: &str, name: &str, bytes: &[u8]| {
            cases.push(case(what, scheme, &with(&jwk, name, json!(encode(bytes))), false));
        };
        set("a zero before n", "n", &[&[0], &n[..]].concat());
        set("n cut short", "n", &n[..255]);
        set("no n", "n", &[]);
        set("a zero before e", "e", &[0, 1, 0, 1]);
        set("an even e", "e", &[1, 0, 0]);
        set("e of one", "e", &[1]);
        set("e of three", "e", &[3]);
        set("no e", "e", &[]);
        for name in ["n", "e"] {
            cases.push(case("a part missing", scheme, &with(&jwk, name, Value::Null), false));
        }
    }
    hold(&cases);
}

/// A thumbprint is of the required members alone (RFC 7638 §3.2), in whatever order they come and
/// whatever else is there; but not of a private key.
#[test]
fn a_thumbprint_is_of_the_key_alone() {
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        let jwk = scheme.jwk();
        let read: castellan_proto::jose::Jwk = serde_json::from_value(jwk.clone()).unwrap();
        let thumbprint = read.thumbprint();
        let mut of = |what: &str, jwk: &Value, expect: &str| {
            cases.push(Case::new(what, &json!({"thumbprint_of": jwk}), expect));
        };
        of("itself", &jwk, &thumbprint);
        let bare = ["kid", "use", "alg"]
            .iter()
            .fold(jwk.clone(), |jwk, name| with(&jwk, name, Value::Null));
        of("its required members", &bare, &thumbprint);
        let backwards: serde_json::Map<_, _> =
            jwk.as_object().unwrap().clone().into_iter().rev().collect();
        of("itself backwards", &Value::Object(backwards), &thumbprint);
        of("the private key", &with(&jwk, "d", json!("AQAB")), "invalid");
        of("no key", &json!("AQAB"), "invalid");
    }
    hold_all(&cases);
}
