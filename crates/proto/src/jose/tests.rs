//! The vectors of RFC 7515 appendix A and RFC 7638, and what must not verify.

use super::*;

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// The algorithms of key pairs.
const PAIRS: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];

fn public(kty: &str) -> Jwk {
    Jwk { kty: kty.to_owned(), ..Jwk::default() }
}

fn decode(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

#[test]
fn rfc_7515_a_1_hs256() {
    let key = HmacKey::new(&decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ));
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    assert!(Compact::read(&token).unwrap().verified_by_hmac(&key).is_some());
    assert!(Compact::read(&token).unwrap().verified_by_hmac(&HmacKey::new(b"other")).is_none());
}

#[test]
fn rfc_7515_a_2_rs256() {
    let jwk = Jwk {
        n: Some("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ".into()),
        e: Some("AQAB".into()),
        ..public("RSA")
    };
    let token = format!(
        "eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let key = VerifyingKey::from_jwk(Algorithm::Rs256, &jwk).unwrap();
    assert!(Compact::read(&token).unwrap().verified_by(&key).is_some());
    assert!(VerifyingKey::from_jwk(Algorithm::Es256, &jwk).is_err());
}

#[test]
fn rfc_7515_a_3_es256() {
    let jwk = Jwk {
        crv: Some("P-256".into()),
        x: Some("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".into()),
        y: Some("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".into()),
        ..public("EC")
    };
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let key = VerifyingKey::from_jwk(Algorithm::Es256, &jwk).unwrap();
    assert!(Compact::read(&token).unwrap().verified_by(&key).is_some());
}

#[test]
fn rfc_7638_3_1_thumbprint() {
    let jwk = Jwk {
        n: Some("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw".into()),
        e: Some("AQAB".into()),
        alg: Some(Algorithm::Rs256),
        kid: Some("2011-04-29".into()),
        ..public("RSA")
    };
    assert_eq!(jwk.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn a_signature_holds_for_its_own_key_and_algorithm_only() {
    for algorithm in PAIRS {
        let (signer, pkcs8) = SigningKey::generate(algorithm).unwrap();
        let token = signer.sign("at+jwt", &serde_json::json!({"sub": "ada"})).unwrap();
        let compact = Compact::read(&token).unwrap();
        assert_eq!(compact.header().kid.as_deref(), Some(signer.kid()));
        let again = SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap();
        let key = VerifyingKey::from_jwk(algorithm, again.jwk()).unwrap();
        assert_eq!(compact.verified_by(&key), Some(&br#"{"sub":"ada"}"#[..]));
        let other = SigningKey::generate(algorithm).unwrap().0;
        let other = VerifyingKey::from_jwk(algorithm, other.jwk()).unwrap();
        assert!(compact.verified_by(&other).is_none());
        // The public key as an HMAC secret is the classic confusion of algorithms.
        let confused = HmacKey::new(serde_json::to_string(signer.jwk()).unwrap().as_bytes());
        assert!(compact.verified_by_hmac(&confused).is_none());
    }
}

#[test]
fn what_is_no_token_does_not_read() {
    let none = "eyJhbGciOiJub25lIn0.e30.";
    assert!(Compact::read(none).unwrap().verified_by_hmac(&HmacKey::new(b"")).is_none());
    // {"alg":"HS256","crit":["b64"]}
    assert!(Compact::read("eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYjY0Il19.e30.AA").is_none());
    for junk in ["", ".", "..", "a.b.c", "e30.e30.e30.e30", "é.é.é"] {
        assert!(Compact::read(junk).is_none(), "{junk}");
    }
}

#[test]
fn an_algorithm_is_written_as_in_a_header() {
    for algorithm in [&PAIRS[..], &[Algorithm::Hs256]].concat() {
        assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.as_str());
        let read: Algorithm = serde_json::from_value(algorithm.as_str().into()).unwrap();
        assert_eq!(read, algorithm);
    }
    assert!(serde_json::from_str::<Algorithm>("\"none\"").is_err());
}

#[test]
fn a_document_holds_a_key_of_one_kind() {
    for made in PAIRS {
        let (signer, pkcs8) = SigningKey::generate(made).unwrap();
        for read in [&PAIRS[..], &[Algorithm::Hs256]].concat() {
            let rsa = [Algorithm::Rs256, Algorithm::Ps256];
            let fits = made == read || rsa.contains(&made) && rsa.contains(&read);
            let key = SigningKey::from_pkcs8(read, &pkcs8).ok();
            assert_eq!(key.is_some(), fits, "{made:?} as {read:?}");
            let Some(key) = key else { continue };
            assert_eq!(key.algorithm(), read);
            assert_eq!(key.jwk().algorithm(), Some(read));
            assert_eq!(key.kid(), signer.kid());
        }
        assert!(SigningKey::from_pkcs8(made, &pkcs8[..pkcs8.len() - 1]).is_err());
    }
    assert!(SigningKey::generate(Algorithm::Hs256).is_err());
}

/// The key of RFC 8037 A.1 as RFC 8410 §7 writes one; its name is the thumbprint of A.3.
#[test]
fn rfc_8037_a_ed25519() {
    let seed = decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let pkcs8 = [&prefix[..], &seed].concat();
    let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).unwrap();
    assert_eq!(key.jwk().x.as_deref(), Some("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// Whether a key is taken must show when it is registered, not at its first signature.
#[test]
fn an_rsa_key_is_measured_when_it_is_read() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let taken = |bits: usize, e: &[u8]| {
        let mut n = vec![0x55; bits.div_ceil(8)];
        n[0] = 1 << ((bits - 1) % 8);
        [Algorithm::Rs256, Algorithm::Ps256].map(|algorithm| {
            let jwk = Jwk {
                alg: Some(algorithm),
                n: Some(URL_SAFE_NO_PAD.encode(&n)),
                e: Some(URL_SAFE_NO_PAD.encode(e)),
                ..public("RSA")
            };
            VerifyingKey::from_jwk(algorithm, &jwk).is_ok()
        })
    };
    for bits in [2048, 2049, 3072, 4096, 8192] {
        assert_eq!(taken(bits, &[1, 0, 1]), [true; 2], "{bits} bits");
    }
    for bits in [8, 1024, 2040, 2047, 8193, 8200, 16384] {
        assert_eq!(taken(bits, &[1, 0, 1]), [false; 2], "{bits} bits");
    }
    let good: [&[u8]; 3] = [&[1, 0, 1], &[1, 0, 3], &[1, 0, 0, 0, 1]];
    for e in good {
        assert_eq!(taken(2048, e), [true; 2], "{e:?}");
    }
    let bad: [&[u8]; 9] =
        [&[], &[0], &[1], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[0, 1, 0, 1], &[2, 0, 0, 0, 1]];
    for e in bad {
        assert_eq!(taken(2048, e), [false; 2], "{e:?}");
    }
}

/// A key states its purpose, and is used for nothing else.
#[test]
fn a_key_is_for_one_algorithm() {
    let all = [&PAIRS[..], &[Algorithm::Hs256]].concat();
    for made in PAIRS {
        let jwk = SigningKey::generate(made).unwrap().0.jwk().clone();
        let unsaid = Jwk { alg: None, ..jwk.clone() };
        let meant = if made == Algorithm::Ps256 { Algorithm::Rs256 } else { made };
        assert_eq!(unsaid.algorithm(), Some(meant));
        for used in all.clone() {
            assert_eq!(VerifyingKey::from_jwk(used, &jwk).is_ok(), used == made);
            assert_eq!(VerifyingKey::from_jwk(used, &unsaid).is_ok(), used == meant);
            // Whatever it claims beyond its kind makes it of no use.
            let claiming = Jwk { alg: Some(used), ..jwk.clone() };
            let rsa = [Algorithm::Rs256, Algorithm::Ps256];
            let may = used == made || rsa.contains(&made) && rsa.contains(&used);
            assert_eq!(claiming.algorithm(), may.then_some(used));
        }
    }
}

/// The digests of "abc" (FIPS 180-4, the examples of its appendix).
#[test]
fn an_algorithm_digests_by_the_hash_that_it_signs_by() {
    let sha_256 = decode("ungWv48Bz-pBQUDeXa4iIw");
    let sha_512 = decode("3a81oZNherrMQXNJriBBMRLm-k6JqX6iCp7u5ktV05o");
    for algorithm in PAIRS {
        let expected = if algorithm == Algorithm::EdDsa { &sha_512 } else { &sha_256 };
        assert_eq!(&algorithm.half_digest(b"abc"), expected, "{algorithm:?}");
    }
}
