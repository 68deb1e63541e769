//! The vectors of RFC 7515 appendix A and RFC 7638, and what must not verify.

use super::*;

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn public(kty: &str) -> Jwk {
    Jwk {
        kty: kty.to_owned(),
        usage: None,
        alg: None,
        kid: None,
        crv: None,
        x: None,
        y: None,
        n: None,
        e: None,
    }
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
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
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
