//! Public keys in PEM: `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7, RFC 7468 §13), of RSA (RFC 3279
//! §2.3.1) and of P-256 (RFC 5480 §2).

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use super::{Algorithm, Jwk};

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// Bytes of a text at most: an RSA key of 8192 bits has 1500.
const LONGEST: usize = 8 * 1024;

/// rsaEncryption, 1.2.840.113549.1.1.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// id-ecPublicKey, 1.2.840.10045.2.1.
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// prime256v1, 1.2.840.10045.3.1.7.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
const NULL: u8 = 5;
const OID: u8 = 6;
const SEQUENCE: u8 = 0x30;

impl Jwk {
    /// The one public key in the PEM text `pem`, of RSA for RS256 or PS256, or of P-256 for ES256.
    /// `None` if it is anything else, such as a private key or a certificate.
    #[must_use]
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Option<Self> {
        if pem.len() > LONGEST {
            return None;
        }
        let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let text: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(text).ok()?;
        let key = Self::from_spki(algorithm, &der)?;
        (key.algorithm() == Some(algorithm)).then_some(key)
    }

    fn from_spki(algorithm: Algorithm, der: &[u8]) -> Option<Self> {
        let mut info = Der(der).only(SEQUENCE)?;
        let mut kind = Der(info.next(SEQUENCE)?);
        let bits = info.next(BIT_STRING)?;
        info.end()?;
        // No bits of the last byte are unused.
        let key = bits.strip_prefix(&[0])?;
        let text = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        match kind.next(OID)? {
            RSA => {
                if !kind.next(NULL)?.is_empty() {
                    return None;
                }
                kind.end()?;
                let mut key = Der(key).only(SEQUENCE)?;
                let (n, e) = (key.positive()?, key.positive()?);
                key.end()?;
                let jwk = Self { kty: "RSA".to_owned(), alg: Some(algorithm), ..Self::default() };
                Some(Self { n: text(n), e: text(e), ..jwk })
            }
            EC if kind.next(OID)? == P256 => {
                kind.end()?;
                // An uncompressed point: 0x04, 32 bytes of x, 32 bytes of y.
                let point = key.strip_prefix(&[4]).filter(|point| point.len() == 64)?;
                let (x, y) = point.split_at(32);
                let jwk = Self { kty: "EC".to_owned(), alg: Some(algorithm), ..Self::default() };
                Some(Self { crv: Some("P-256".to_owned()), x: text(x), y: text(y), ..jwk })
            }
            _ => None,
        }
    }
}

/// What is left to read of a DER text (X.690 §10), every length in its shortest form.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, which must have `tag`.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_first()?;
        let (short, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(*short) {
            length @ 0..=0x7f => (length, rest),
            long @ (0x81 | 0x82) => {
                let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
                let length = bytes.iter().fold(0, |all, byte| all * 256 + usize::from(*byte));
                let least = if long == 0x81 { 0x80 } else { 0x100 };
                (length >= least).then_some((length, rest))?
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (*first == tag).then_some(content)
    }

    /// The content of the one element that there is.
    fn only(mut self, tag: u8) -> Option<Self> {
        let content = self.next(tag)?;
        self.end()?;
        Some(Self(content))
    }

    /// The next element, a positive integer, without the byte that only keeps it positive.
    fn positive(&mut self) -> Option<&'a [u8]> {
        match self.next(INTEGER)? {
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Some(rest),
            [first, ..] if *first == 0 || *first >= 0x80 => None,
            [] => None,
            whole => Some(whole),
        }
    }

    const fn end(&self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{SigningKey, VerifyingKey};

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut out = vec![tag];
        match u8::try_from(length) {
            Ok(short @ 0..=0x7f) => out.push(short),
            Ok(one) => out.extend([0x81, one]),
            Err(_) => {
                out.push(0x82);
                out.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        out.extend_from_slice(content);
        out
    }

    fn pem(der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }

    fn bytes(member: Option<&String>) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(member.unwrap()).unwrap()
    }

    fn info(kind: &[u8], key: &[u8]) -> Vec<u8> {
        let bits = element(BIT_STRING, &[&[0], key].concat());
        element(SEQUENCE, &[element(SEQUENCE, kind), bits].concat())
    }

    fn of(key: &Jwk) -> Vec<u8> {
        if key.kty == "EC" {
            let point = [vec![4], bytes(key.x.as_ref()), bytes(key.y.as_ref())].concat();
            return info(&[element(OID, EC), element(OID, P256)].concat(), &point);
        }
        let integer = |number: Vec<u8>| {
            let zero: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
            element(INTEGER, &[zero, &number].concat())
        };
        let (n, e) = (integer(bytes(key.n.as_ref())), integer(bytes(key.e.as_ref())));
        let kind = [element(OID, RSA), element(NULL, &[])].concat();
        info(&kind, &element(SEQUENCE, &[n, e].concat()))
    }

    /// The key of RFC 7515 A.3, in the form that OpenSSL reads and writes.
    #[test]
    fn a_key_that_another_program_wrote_reads() {
        let text = "-----BEGIN PUBLIC KEY-----\n\
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n\
            6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n\
            -----END PUBLIC KEY-----\n";
        let key = Jwk::from_pem(Algorithm::Es256, text).unwrap();
        assert_eq!(key.x.as_deref(), Some("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"));
        assert_eq!(key.y.as_deref(), Some("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
        for other in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa, Algorithm::Hs256] {
            assert!(Jwk::from_pem(other, text).is_none(), "{other:?}");
        }
        let private = text.replace("PUBLIC", "PRIVATE");
        assert!(Jwk::from_pem(Algorithm::Es256, &private).is_none());
        assert!(Jwk::from_pem(Algorithm::Es256, &format!("{text}{text}")).is_none());
    }

    #[test]
    fn every_key_reads_back_and_nothing_cut_or_changed_is_another_one() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
            let made = SigningKey::generate(algorithm).unwrap().0;
            let der = of(made.jwk());
            let read = Jwk::from_pem(algorithm, &pem(&der)).unwrap();
            assert_eq!(read.thumbprint(), made.kid());
            assert!(VerifyingKey::from_jwk(algorithm, &read).is_ok());
            for length in 0..der.len() {
                assert!(Jwk::from_pem(algorithm, &pem(&der[..length])).is_none(), "{length}");
            }
            assert!(Jwk::from_pem(algorithm, &pem(&[&der[..], &[0]].concat())).is_none());
        }
    }
}
