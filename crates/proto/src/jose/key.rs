//! Private keys, and shared secrets.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Algorithm, Jwk};

/// A key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
#[error("the key cannot be used with {}", .0.as_str())]
pub struct KeyError(pub(super) Algorithm);

enum Private {
    Es256(EcdsaKeyPair),
    EdDsa(Box<Ed25519KeyPair>),
    Rs256(Box<RsaKeyPair>),
    Ps256(Box<RsaKeyPair>),
}

/// A private key and the name of its public half.
pub struct SigningKey {
    private: Private,
    jwk: Jwk,
    kid: String,
}

impl SigningKey {
    /// A new key and its PKCS#8 document, to be sealed and kept.
    ///
    /// # Errors
    /// [`KeyError`] for an algorithm that has no key pair, or if the generator fails.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Vec<u8>), KeyError> {
        let failed = |_| KeyError(algorithm);
        // Version 1 of PKCS#8 for all, which every library reads.
        let bytes = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(failed)?
                .as_ref()
                .to_vec(),
            Algorithm::EdDsa => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(failed)?
                .as_ref()
                .to_vec(),
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                let der: Pkcs8V1Der<'static> = pair.as_der().map_err(failed)?;
                der.as_ref().to_vec()
            }
            Algorithm::Hs256 => return Err(KeyError(algorithm)),
        };
        Ok((Self::from_pkcs8(algorithm, &bytes)?, bytes))
    }

    /// The key of a PKCS#8 document.
    ///
    /// # Errors
    /// [`KeyError`] if the document contains no key for `algorithm`.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let private = match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map(Private::Es256)
            }
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Box::new).map(Private::EdDsa),
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Box::new).map(Private::Rs256),
            Algorithm::Ps256 => RsaKeyPair::from_pkcs8(pkcs8).map(Box::new).map(Private::Ps256),
            Algorithm::Hs256 => return Err(KeyError(algorithm)),
        };
        let private = private.map_err(|_| KeyError(algorithm))?;
        let mut jwk = private.public();
        let kid = jwk.thumbprint();
        jwk.kid = Some(kid.clone());
        Ok(Self { private, jwk, kid })
    }

    /// The algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.private {
            Private::Es256(_) => Algorithm::Es256,
            Private::EdDsa(_) => Algorithm::EdDsa,
            Private::Rs256(_) => Algorithm::Rs256,
            Private::Ps256(_) => Algorithm::Ps256,
        }
    }

    /// Its name: the thumbprint of its public half.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half of the key.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A compact JWS over `claims`, with `typ` in its header (RFC 7515 §7.1).
    ///
    /// # Errors
    /// [`KeyError`] if the claims do not serialise or the signature fails.
    pub fn sign(&self, typ: &str, claims: &impl serde::Serialize) -> Result<String, KeyError> {
        let header = format!(
            r#"{{"alg":"{}","typ":"{typ}","kid":"{}"}}"#,
            self.algorithm().as_str(),
            self.kid
        );
        self.sign_under(&header, claims)
    }

    /// A compact JWS over `claims` under the JSON text `header`, which is not checked: for clients
    /// that send their key in the header, and for tests of attacks.
    ///
    /// # Errors
    /// [`KeyError`] if the claims do not serialise or the signature fails.
    pub fn sign_under(
        &self,
        header: &str,
        claims: &impl serde::Serialize,
    ) -> Result<String, KeyError> {
        let failed = KeyError(self.algorithm());
        let Ok(claims) = serde_json::to_vec(claims) else { return Err(failed) };
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.private.sign(token.as_bytes()).ok_or(failed)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl Private {
    fn public(&self) -> Jwk {
        let text = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        let blank = |kty: &str, alg| Jwk {
            kty: kty.to_owned(),
            usage: Some("sig".to_owned()),
            alg: Some(alg),
            ..Jwk::default()
        };
        let rsa = |pair: &RsaKeyPair, alg| {
            let key = pair.public_key();
            Jwk {
                n: text(key.modulus().big_endian_without_leading_zero()),
                e: text(key.exponent().big_endian_without_leading_zero()),
                ..blank("RSA", alg)
            }
        };
        match self {
            Self::Es256(pair) => {
                // An uncompressed point: 0x04, 32 bytes of x, 32 bytes of y.
                let point = pair.public_key().as_ref();
                Jwk {
                    crv: Some("P-256".to_owned()),
                    x: text(&point[1..33]),
                    y: text(&point[33..]),
                    ..blank("EC", Algorithm::Es256)
                }
            }
            Self::EdDsa(pair) => Jwk {
                crv: Some("Ed25519".to_owned()),
                x: text(pair.public_key().as_ref()),
                ..blank("OKP", Algorithm::EdDsa)
            },
            Self::Rs256(pair) => rsa(pair, Algorithm::Rs256),
            Self::Ps256(pair) => rsa(pair, Algorithm::Ps256),
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let rsa = |pair: &RsaKeyPair, scheme| {
            let mut out = vec![0; pair.public_modulus_len()];
            pair.sign(scheme, &random, message, &mut out).ok()?;
            Some(out)
        };
        match self {
            Self::Es256(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::EdDsa(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
            Self::Rs256(pair) => rsa(pair, &signature::RSA_PKCS1_SHA256),
            // Its salt is as long as its digest (RFC 7518 §3.5).
            Self::Ps256(pair) => rsa(pair, &signature::RSA_PSS_SHA256),
        }
    }
}

/// A shared secret for HS256 (RFC 7518 §3.2).
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// The raw bytes of a secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The authentication code of `message`.
    #[must_use]
    pub fn code(&self, message: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        out
    }

    /// Whether `code` is that of `message`; the comparison takes the same time whatever it finds.
    #[must_use]
    pub fn verifies(&self, message: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.0, message, code).is_ok()
    }

    /// A compact JWS whose header is exactly `alg` and `typ: JWT` (`docs/contracts/trompa.md` §3).
    ///
    /// # Errors
    /// [`KeyError`] if the claims do not serialise.
    pub fn sign(&self, claims: &impl serde::Serialize) -> Result<String, KeyError> {
        let claims = serde_json::to_vec(claims).map_err(|_| KeyError(Algorithm::Hs256))?;
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        let code = URL_SAFE_NO_PAD.encode(self.code(signed.as_bytes()));
        Ok(format!("{signed}.{code}"))
    }
}
