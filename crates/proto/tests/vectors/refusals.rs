//! Tokens that must be refused, each beside one that must not.

use castellan_proto::jose::HmacKey;
use serde_json::{Value, json};

use super::{
    example::{Case, hold},
    forge::{PAYLOAD, Scheme, decode, encode, pss_with_salt, with},
};

/// Every key, as it may be written: with its algorithm, and where it has but one, without.
fn jwks() -> Vec<(Value, Option<Scheme>)> {
    let mut jwks: Vec<(Value, Option<Scheme>)> = Vec::new();
    for scheme in Scheme::ALL {
        jwks.push((scheme.jwk(), Some(scheme)));
        // An RSA key that does not say is for RS256.
        let meant = if scheme == Scheme::Ps256 { Scheme::Rs256 } else { scheme };
        jwks.push((with(&scheme.jwk(), "alg", Value::Null), Some(meant)));
        jwks.push((with(&scheme.jwk(), "alg", json!("HS256")), None));
    }
    jwks.push((json!({"kty": "oct", "kid": "one", "k": encode([7; 32])}), None));
    jwks.push((json!({"kty": "oct", "kid": "one", "k": encode([7; 32]), "alg": "HS256"}), None));
    jwks
}

/// One key, one algorithm: a token holds where the scheme that made it, the algorithm in its
/// header, that of the key and that which the key is used with are all the same.
#[test]
fn every_algorithm_against_every_key() {
    const CLAIMED: [&str; 14] = [
        "ES256",
        "EdDSA",
        "RS256",
        "PS256",
        "HS256",
        "none",
        "None",
        "",
        "es256",
        "ES384",
        "RS384",
        "PS512",
        "Ed25519",
        "RS256\\u0000",
    ];
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        for claimed in CLAIMED {
            let token = scheme.token(format!(r#"{{"alg":"{claimed}","kid":"one"}}"#));
            for (jwk, meant) in jwks() {
                for used in CLAIMED {
                    let holds = [claimed, used].map(older_name) == [scheme.alg(); 2]
                        && meant == Some(scheme);
                    let what = format!("{scheme:?} as {claimed}, used with {used}");
                    cases.push(Case::jws(what, (&jwk, used), &token, holds));
                }
            }
        }
    }
    let holding = cases.iter().filter(|case| case.expect == "valid").count();
    // Two spellings of the P-256 key, of the Ed25519 key with four pairs of names, three of the RSA
    // key for RS256, one for PS256.
    assert_eq!(holding, 2 + 2 * 4 + 3 + 1);
    hold(&cases);
}

/// `Ed25519` is a newer name of what `EdDSA` stands for here (RFC 9864 §2.2).
fn older_name(alg: &str) -> &str {
    if alg == "Ed25519" { "EdDSA" } else { alg }
}

/// The public key as a shared secret, in every form that a careless reader might hold it in.
#[test]
fn a_public_key_is_no_shared_secret() {
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        let jwk = scheme.jwk();
        let key = (&jwk, scheme.alg());
        cases.push(Case::jws("its own", key, &scheme.token(scheme.header()), true));
        let mut secrets = vec![jwk.to_string().into_bytes(), Vec::new()];
        for member in ["x", "y", "n", "e"].iter().filter_map(|name| jwk.get(name)) {
            secrets.push(decode(member));
            secrets.push(member.as_str().unwrap().as_bytes().to_vec());
        }
        for secret in secrets {
            let oct = json!({"kty": "oct", "kid": "one", "k": encode(&secret)});
            for claimed in ["HS256", scheme.alg()] {
                let header = encode(format!(r#"{{"alg":"{claimed}","kid":"one"}}"#));
                let signed = format!("{header}.{}", encode(PAYLOAD));
                let code = HmacKey::new(&secret).code(signed.as_bytes());
                let token = format!("{signed}.{}", encode(code));
                for used in ["HS256", scheme.alg()] {
                    cases.push(Case::jws("a code as signature", (&jwk, used), &token, false));
                    cases.push(Case::jws("a shared key", (&oct, used), &token, false));
                }
            }
        }
    }
    hold(&cases);
}

#[test]
fn a_changed_signature_does_not_hold() {
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        let jwk = scheme.jwk();
        let signed = format!("{}.{}", encode(scheme.header()), encode(PAYLOAD));
        let good = scheme.sign(signed.as_bytes());
        let mut case = |what: String, signature: &[u8], holds| {
            let token = format!("{signed}.{}", encode(signature));
            cases.push(Case::jws(what, (&jwk, scheme.alg()), &token, holds));
        };
        case(format!("{scheme:?}"), &good, true);
        for at in 0..good.len() {
            for bit in [1, 0x80] {
                let mut flipped = good.clone();
                flipped[at] ^= bit;
                case(format!("{scheme:?}, byte {at} with bit {bit} flipped"), &flipped, false);
            }
        }
        case("nothing".to_owned(), &[], false);
        for length in [1, good.len() / 2, good.len() - 1] {
            case(format!("{length} bytes of it"), &good[..length], false);
            case(format!("all but {length} bytes"), &good[length..], false);
        }
        case("a zero behind".to_owned(), &[&good[..], &[0]].concat(), false);
        case("a zero before".to_owned(), &[&[0], &good[..]].concat(), false);
        case("twice".to_owned(), &[&good[..], &good[..]].concat(), false);
        for byte in [0, 1, 0xff] {
            case(format!("all {byte}"), &vec![byte; good.len()], false);
        }
        let halves = [&good[good.len() / 2..], &good[..good.len() / 2]].concat();
        case("its halves exchanged".to_owned(), &halves, false);
    }
    hold(&cases);
}

/// A number as ASN.1 writes it.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let sign: &[u8] = if bytes[start] >= 0x80 { &[0] } else { &[] };
    let body = [sign, &bytes[start..]].concat();
    [&[2, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

/// RFC 7518 §3.4: two numbers of 32 bytes, not zero, and in no other form.
#[test]
fn es256_has_one_form() {
    let jwk = Scheme::Es256.jwk();
    let signed = format!("{}.{}", encode(Scheme::Es256.header()), encode(PAYLOAD));
    let good = Scheme::Es256.sign(signed.as_bytes());
    let (r, s) = good.split_at(32);
    let both = [integer(r), integer(s)].concat();
    let der = [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat();
    let zero = [0; 32];
    let order = decode(&json!("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE"));
    let wide = |number: &[u8], length: usize| [&vec![0; length - 32], number].concat();
    let forms = [
        ("as it is", good.clone(), true),
        ("DER", der, false),
        ("r is zero", [&zero, s].concat(), false),
        ("s is zero", [r, &zero].concat(), false),
        ("both are zero", [zero, zero].concat(), false),
        ("r is the order", [&order, s].concat(), false),
        ("s is the order", [r, &order].concat(), false),
        ("33 bytes each", [wide(r, 33), wide(s, 33)].concat(), false),
        ("256 bytes each", [wide(r, 256), wide(s, 256)].concat(), false),
    ];
    let case = |(what, signature, holds): &(&str, Vec<u8>, bool)| {
        let token = format!("{signed}.{}", encode(signature));
        Case::jws(*what, (&jwk, "ES256"), &token, *holds)
    };
    hold(&forms.iter().map(case).collect::<Vec<_>>());
}

/// RFC 7518 §3.5: the salt is as long as the digest.
#[test]
fn ps256_has_one_length_of_salt() {
    let jwk = Scheme::Ps256.jwk();
    let signed = format!("{}.{}", encode(Scheme::Ps256.header()), encode(PAYLOAD));
    let case = |salt: u16| {
        let token = format!("{signed}.{}", encode(pss_with_salt(salt, signed.as_bytes())));
        Case::jws(format!("{salt} bytes"), (&jwk, "PS256"), &token, salt == 32)
    };
    hold(&[0, 20, 31, 32, 33, 222].map(case));
}

/// The last character, with a bit set that stands for none (RFC 4648 §3.5).
fn sloppy(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(text.len() % 4, 0, "every bit of it stands for something");
    let (rest, last) = text.split_at(text.len() - 1);
    let at = ALPHABET.find(last).unwrap() + 1;
    format!("{rest}{}", &ALPHABET[at..=at])
}

/// What is done to a part.
type Spoil = fn(&str) -> String;

/// base64url without padding, in its one form and with nothing between (RFC 7515 §2). Whatever is
/// done to the header or the payload is signed as it stands.
#[test]
fn a_part_has_one_spelling() {
    let spoilt: [(&str, Spoil); 8] = [
        ("bits that stand for nothing", sloppy),
        ("padding", |text| format!("{text}{}", &"=="[text.len() % 4 / 3..])),
        ("a space before", |text| format!(" {text}")),
        ("a line's end behind", |text| format!("{text}\n")),
        ("a space within", |text| format!("{} {}", &text[..2], &text[2..])),
        ("a character of no alphabet", |text| format!("{}?{}", &text[..2], &text[2..])),
        ("a byte of zero", |text| format!("{text}\0")),
        ("the other alphabet", |text| format!("-_-_{text}").replace('-', "+").replace('_', "/")),
    ];
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        let jwk = scheme.jwk();
        let key = (&jwk, scheme.alg());
        // Spaces until bits are left over at the end of either.
        let header = encode(format!("{:61}", scheme.header()));
        let payload = encode(format!("{PAYLOAD:16}"));
        let good = scheme.over(&header, &payload);
        let signature = good.rsplit('.').next().unwrap();
        cases.push(Case::jws(format!("{scheme:?}"), key, &good, true));
        cases.push(Case::jws("any bytes", key, &scheme.over(&header, "-_-_"), true));
        cases.push(Case::jws("no bytes", key, &scheme.over(&header, ""), true));
        for (what, spoil) in spoilt {
            let mut case = |part: &str, token: &str| {
                cases.push(Case::jws(format!("{what}, in the {part}"), key, token, false));
            };
            case("header", &scheme.over(&spoil(&header), &payload));
            case("payload", &scheme.over(&header, &spoil(&payload)));
            case("signature", &format!("{header}.{payload}.{}", spoil(signature)));
        }
    }
    hold(&cases);
}

/// Three parts (RFC 7515 §7.1), not two, not four, and not the JSON serialisation.
#[test]
fn a_token_has_three_parts() {
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        let jwk = scheme.jwk();
        let good = scheme.token(scheme.header());
        let parts: Vec<&str> = good.split('.').collect();
        let (header, payload, signature) = (parts[0], parts[1], parts[2]);
        let mut case =
            |token: &str, holds| cases.push(Case::jws(token, (&jwk, scheme.alg()), token, holds));
        case(&good, true);
        case("", false);
        case(header, false);
        case(&format!("{header}.{payload}"), false);
        case(&format!("{header}.{payload}."), false);
        case(&format!("{header}.{signature}"), false);
        case(&format!("{header}..{signature}"), false);
        case(&format!(".{payload}.{signature}"), false);
        case(&format!("{good}."), false);
        case(&format!(".{good}"), false);
        case(&format!("{good}.{signature}"), false);
        case(&format!("{header}.{payload}.{payload}.{signature}"), false);
        case(&format!("{header}.{payload},{signature}"), false);
        let flat = json!({"protected": header, "payload": payload, "signature": signature});
        case(&flat.to_string(), false);
        // Signed as it should be, but longer than any token is read.
        case(&scheme.over(header, &encode([b'a'; 16 * 1024])), false);
        case(&scheme.over(header, &encode([b'a'; 8 * 1024])), true);
    }
    hold(&cases);
}

/// Headers that are signed by the right key, `ALG` standing for its algorithm.
const GOOD_HEADERS: [&str; 8] = [
    r#"{"alg":"ALG"}"#,
    r#"{"alg":"ALG","kid":"one"}"#,
    r#" { "kid" : "one" , "alg" : "ALG" } "#,
    r#"{"\u0061lg":"ALG"}"#,
    r#"{"alg":"ALG","unknown":{"kid":"two","kid":"two"}}"#,
    r#"{"alg":"ALG","x5t":"a","x5c":["a"]}"#,
    r#"{"alg":"ALG","typ":"at+jwt","cty":"JWT"}"#,
    r#"{"alg":"ALG","jku":"https://attacker.test/","jwk":{"kty":"EC"}}"#,
];
const BAD_HEADERS: [&str; 39] = [
    // A member twice (RFC 7515 §4), however it is written and whether or not we know it.
    r#"{"alg":"ALG","alg":"ALG"}"#,
    r#"{"alg":"none","alg":"ALG"}"#,
    r#"{"alg":"ALG","alg":"none"}"#,
    r#"{"alg":"ALG","\u0061lg":"ALG"}"#,
    r#"{"alg":"ALG","kid":"one","kid":"one"}"#,
    r#"{"alg":"ALG","typ":"JWT","typ":"JWT"}"#,
    r#"{"alg":"ALG","unknown":1,"unknown":1}"#,
    r#"{"unknown":1,"alg":"ALG","unkn\u006fwn":2}"#,
    // Extensions that must be understood (RFC 7515 §4.1.11).
    r#"{"alg":"ALG","crit":["b64"],"b64":false}"#,
    r#"{"alg":"ALG","crit":["b64"],"b64":true}"#,
    r#"{"alg":"ALG","crit":["exp"],"exp":1}"#,
    r#"{"alg":"ALG","crit":["alg"]}"#,
    r#"{"alg":"ALG","crit":["unknown"]}"#,
    r#"{"alg":"ALG","crit":[]}"#,
    r#"{"alg":"ALG","crit":null}"#,
    r#"{"alg":"ALG","crit":false}"#,
    r#"{"alg":"ALG","crit":"b64"}"#,
    r#"{"alg":"ALG","cr\u0069t":["b64"]}"#,
    // Another key's name.
    r#"{"alg":"ALG","kid":"two"}"#,
    r#"{"alg":"ALG","kid":""}"#,
    r#"{"alg":"ALG","kid":"one "}"#,
    r#"{"alg":"ALG","kid":"ONE"}"#,
    // No text where there must be one.
    r#"{"alg":"ALG","kid":1}"#,
    r#"{"alg":"ALG","kid":["one"]}"#,
    r#"{"alg":"ALG","typ":{}}"#,
    r#"{"alg":["ALG"]}"#,
    r#"{"alg":null}"#,
    r#"{"kid":"one"}"#,
    // No JSON object.
    "",
    "{}",
    "null",
    r#""ALG""#,
    r#"["ALG",null,"one"]"#,
    r#"{"alg":"ALG"}{"alg":"ALG"}"#,
    r#"{"alg":"ALG",}"#,
    r"{'alg':'ALG'}",
    r#"{"alg":"ALG"}/**/"#,
    "\u{feff}{\"alg\":\"ALG\"}",
    r#"{"alg":"ALG"} x"#,
];

#[test]
fn a_header_is_a_json_object_of_different_names() {
    let mut cases = Vec::new();
    for scheme in Scheme::ALL {
        let jwk = scheme.jwk();
        let key = (&jwk, scheme.alg());
        for (headers, holds) in [(&GOOD_HEADERS[..], true), (&BAD_HEADERS, false)] {
            for header in headers {
                let token = scheme.token(header.replace("ALG", scheme.alg()));
                cases.push(Case::jws(*header, key, &token, holds));
            }
        }
        let name = format!("{{\"alg\":\"{}\",\"x\":\"", scheme.alg());
        let broken = [name.as_bytes(), &[0xff], b"\"}"].concat();
        cases.push(Case::jws("no UTF-8", key, &scheme.token(broken), false));
    }
    hold(&cases);
}
