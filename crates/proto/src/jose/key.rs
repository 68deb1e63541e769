//! Keys, parsed once and held.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, EcdsaKeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Algorithm, Jwk};

/// A key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
#[error("the key cannot be used with {}", .0.as_str())]
pub struct KeyError(Algorithm);

enum Private {
    Es256(EcdsaKeyPair),
    Rs256(Box<RsaKeyPair>),
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
        // Version 1 of PKCS#8 for both, which every library reads.
        let bytes = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(failed)?
                .as_ref()
                .to_vec(),
            Algorithm::Rs256 => {
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
    /// [`KeyError`] if the document holds no key for `algorithm`.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let private = match algorithm {
            Algorithm::Es256 => Private::Es256(
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map_err(|_| KeyError(algorithm))?,
            ),
            Algorithm::Rs256 => Private::Rs256(Box::new(
                RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError(algorithm))?,
            )),
            Algorithm::Hs256 => return Err(KeyError(algorithm)),
        };
        let mut jwk = private.public();
        let kid = jwk.thumbprint();
        jwk.kid = Some(kid.clone());
        Ok(Self { private, jwk, kid })
    }

    /// Its algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.private {
            Private::Es256(_) => Algorithm::Es256,
            Private::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// Its name: the thumbprint of its public half.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public half.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A compact JWS over `claims`, with `typ` in its header (RFC 7515 §7.1).
    ///
    /// # Errors
    /// [`KeyError`] if the claims do not serialise or the signature fails.
    pub fn sign(&self, typ: &str, claims: &impl serde::Serialize) -> Result<String, KeyError> {
        let failed = KeyError(self.algorithm());
        let Ok(claims) = serde_json::to_vec(claims) else { return Err(failed) };
        let header = format!(
            r#"{{"alg":"{}","typ":"{typ}","kid":"{}"}}"#,
            self.algorithm().as_str(),
            self.kid
        );
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
            kid: None,
            crv: None,
            x: None,
            y: None,
            n: None,
            e: None,
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
            Self::Rs256(pair) => {
                let key = pair.public_key();
                Jwk {
                    n: text(key.modulus().big_endian_without_leading_zero()),
                    e: text(key.exponent().big_endian_without_leading_zero()),
                    ..blank("RSA", Algorithm::Rs256)
                }
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut out).ok()?;
                Some(out)
            }
        }
    }
}

/// A public key that checks signatures of one algorithm.
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// The key of `jwk`, for `algorithm` only.
    ///
    /// # Errors
    /// [`KeyError`] if the key is not of that algorithm, is an RSA key under 2048 bits, or does
    /// not read.
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        let failed = || KeyError(algorithm);
        let part = |value: &Option<String>| {
            URL_SAFE_NO_PAD.decode(value.as_deref().unwrap_or_default()).map_err(|_| failed())
        };
        let key = match (algorithm, &*jwk.kty, jwk.crv.as_deref()) {
            (Algorithm::Es256, "EC", Some("P-256")) => {
                let point = [vec![4], part(&jwk.x)?, part(&jwk.y)?].concat();
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .map_err(|_| failed())?
            }
            (Algorithm::Rs256, "RSA", _) => {
                let parts = RsaPublicKeyComponents { n: part(&jwk.n)?, e: part(&jwk.e)? };
                if parts.n.len() < 256 {
                    return Err(failed());
                }
                let der = parts.as_der().map_err(|_| failed())?;
                ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, der.as_ref())
                    .map_err(|_| failed())?
            }
            _ => return Err(failed()),
        };
        Ok(Self { algorithm, key })
    }

    /// Its one algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it made `signature` over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
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

    /// A compact JWS whose header is exactly `alg` and `typ: JWT` (`contracts/trompa.md` §3).
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
