//! Signs what no honest signer would: any text, with any header. It uses the cryptographic library
//! itself, so that a mistake in our signing cannot hide one in our verifying.

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaEncoding, RsaKeyPair, RsaPssSaltLength},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

/// A way to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Es256,
    EdDsa,
    Rs256,
    Ps256,
}

impl Scheme {
    pub const ALL: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Rs256, Self::Ps256];

    pub const fn alg(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// The public key, which is one for RS256 and PS256 but for its `alg`. Its name is `one`.
    pub fn jwk(self) -> Value {
        let mut jwk = match self {
            Self::Es256 => FORGE.ec.1.clone(),
            Self::EdDsa => FORGE.ed.1.clone(),
            Self::Rs256 | Self::Ps256 => FORGE.rsa.1.clone(),
        };
        jwk["alg"] = json!(self.alg());
        jwk
    }

    pub fn sign(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256 => {
                FORGE.ec.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
            }
            Self::EdDsa => FORGE.ed.0.sign(message).as_ref().to_vec(),
            Self::Rs256 => rsa(&signature::RSA_PKCS1_SHA256, message),
            Self::Ps256 => rsa(&signature::RSA_PSS_SHA256, message),
        }
    }

    /// The text of a token over texts that may not even be base64url.
    pub fn over(self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token with `header`, which may not even be JSON.
    pub fn token(self, header: impl AsRef<[u8]>) -> String {
        self.over(&URL_SAFE_NO_PAD.encode(header), &URL_SAFE_NO_PAD.encode(PAYLOAD))
    }

    /// The header of an ordinary token.
    pub fn header(self) -> String {
        format!(r#"{{"alg":"{}","typ":"JWT","kid":"one"}}"#, self.alg())
    }
}

pub const PAYLOAD: &str = r#"{"sub":"ada"}"#;

/// PS256 but for its salt.
pub fn pss_with_salt(salt: u16, message: &[u8]) -> Vec<u8> {
    use RsaPssSaltLength::Custom;
    const PSS: signature::RsaSignatureEncoding = signature::RSA_PSS_SHA256;
    let scheme: &'static dyn RsaEncoding = match salt {
        0 => &const { PSS.with_pss_salt_length(Custom(0)) },
        20 => &const { PSS.with_pss_salt_length(Custom(20)) },
        31 => &const { PSS.with_pss_salt_length(Custom(31)) },
        32 => &const { PSS.with_pss_salt_length(Custom(32)) },
        33 => &const { PSS.with_pss_salt_length(Custom(33)) },
        // As much as goes into 2048 bits.
        _ => &const { PSS.with_pss_salt_length(Custom(222)) },
    };
    rsa(scheme, message)
}

fn rsa(scheme: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut out = vec![0; FORGE.rsa.0.public_modulus_len()];
    FORGE.rsa.0.sign(scheme, &SystemRandom::new(), message, &mut out).unwrap();
    out
}

struct Forge {
    ec: (EcdsaKeyPair, Value),
    ed: (Ed25519KeyPair, Value),
    rsa: (RsaKeyPair, Value),
}

static FORGE: LazyLock<Forge> = LazyLock::new(|| {
    let make = |algorithm| {
        let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
        let mut jwk = serde_json::to_value(key.jwk()).unwrap();
        jwk["kid"] = json!("one");
        (jwk, pkcs8)
    };
    let (ec, ec_pkcs8) = make(Algorithm::Es256);
    let (ed, ed_pkcs8) = make(Algorithm::EdDsa);
    let (rsa, rsa_pkcs8) = make(Algorithm::Rs256);
    let p256 = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    Forge {
        ec: (EcdsaKeyPair::from_pkcs8(p256, &ec_pkcs8).unwrap(), ec),
        ed: (Ed25519KeyPair::from_pkcs8(&ed_pkcs8).unwrap(), ed),
        rsa: (RsaKeyPair::from_pkcs8(&rsa_pkcs8).unwrap(), rsa),
    }
});

/// `object` with `name` set to `value`, or without it.
pub fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
    object
}

pub fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
