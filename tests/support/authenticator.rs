//! An authenticator and the browser before it, in software: it makes the responses of WebAuthn Level 3
//! with real keys, and lies as it is told to. It writes CBOR by itself, so that what reads it is not
//! checked by itself.

#![allow(dead_code, reason = "not every test uses all of it")]

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key of one of the algorithms that are offered.
enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

/// An authenticator with one credential.
pub struct Authenticator {
    key: Key,
    /// The id of its credential.
    pub id: Vec<u8>,
    /// Its counter; 0 if it has none.
    pub counter: u32,
    user_handle: Option<Vec<u8>>,
}

/// What is told otherwise than it is.
#[derive(Clone, Debug)]
pub struct Lies {
    /// The origin of the page.
    pub origin: String,
    /// The domain, if not that of the options.
    pub rp_id: Option<String>,
    /// The challenge, if not that of the options.
    pub challenge: Option<String>,
    /// The type of the client data.
    pub kind: Option<&'static str>,
    /// Further members of the client data.
    pub client_data: Value,
    /// Present, verified, may be copied.
    pub flags: u8,
    /// The format of the attestation: `none`, `packed` by the credential, or another one.
    pub format: &'static str,
    /// Bytes at the end of the authenticator data.
    pub trailer: Vec<u8>,
    /// The signature is another one.
    pub signs_wrongly: bool,
}

/// User present, user verified.
pub const UP_UV: u8 = 0x05;

impl Lies {
    /// The truth, on a page of `origin`.
    pub fn none(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            rp_id: None,
            challenge: None,
            kind: None,
            client_data: json!({"crossOrigin": false}),
            flags: UP_UV,
            format: "none",
            trailer: Vec::new(),
            signs_wrongly: false,
        }
    }
}

impl Authenticator {
    /// One that signs with the COSE algorithm `number`.
    pub fn new(number: i64) -> Self {
        let key = match number {
            -7 => Key::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()),
            -8 => Key::EdDsa(Ed25519KeyPair::generate().unwrap()),
            -257 => Key::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
            _ => panic!("no algorithm {number}"),
        };
        let mut id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        Self { key, id, counter: 0, user_handle: None }
    }

    /// What `navigator.credentials.create` answers to `options`, in JSON.
    pub fn create(&mut self, options: &Value, lies: &Lies) -> Value {
        let offered = options["pubKeyCredParams"].as_array().unwrap();
        assert!(offered.iter().any(|one| one["alg"] == self.algorithm()), "{options}");
        self.user_handle = Some(decoded(&options["user"]["id"]));
        let rp_id = lies.rp_id.as_deref().unwrap_or_else(|| options["rp"]["id"].as_str().unwrap());
        let client_data = client_data("webauthn.create", options, lies);
        let mut data = self.auth_data(rp_id, lies.flags | 0x40);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        data.extend(&lies.trailer);
        let statement = if lies.format == "none" {
            head(5, 0)
        } else {
            let message = signed(&data, &client_data);
            let signature =
                self.sign(if lies.signs_wrongly { b"something else" } else { &message });
            let algorithm = [text("alg"), number(self.algorithm())].concat();
            [head(5, 2), algorithm, text("sig"), bytes(&signature)].concat()
        };
        let object = [
            head(5, 3),
            text("fmt"),
            text(lies.format),
            text("attStmt"),
            statement,
            text("authData"),
            bytes(&data),
        ]
        .concat();
        self.response(&json!({
            "clientDataJSON": encoded(&client_data),
            "attestationObject": encoded(&object),
            "authenticatorData": encoded(&data),
            "transports": ["internal", "hybrid"],
        }))
    }

    /// What `navigator.credentials.get` answers to `options`, in JSON.
    pub fn get(&mut self, options: &Value, lies: &Lies) -> Value {
        if self.counter > 0 {
            self.counter += 1;
        }
        let rp_id = lies.rp_id.as_deref().unwrap_or_else(|| options["rpId"].as_str().unwrap());
        let client_data = client_data("webauthn.get", options, lies);
        let mut data = self.auth_data(rp_id, lies.flags);
        data.extend(&lies.trailer);
        let message = signed(&data, &client_data);
        let signature = self.sign(if lies.signs_wrongly { b"something else" } else { &message });
        self.response(&json!({
            "clientDataJSON": encoded(&client_data),
            "authenticatorData": encoded(&data),
            "signature": encoded(&signature),
            "userHandle": self.user_handle.as_deref().map(encoded),
        }))
    }

    fn response(&self, response: &Value) -> Value {
        json!({
            "id": encoded(&self.id),
            "rawId": encoded(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        })
    }

    fn auth_data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let hash = digest::digest(&digest::SHA256, rp_id.as_bytes());
        [hash.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    const fn algorithm(&self) -> i64 {
        match self.key {
            Key::Es256(_) => -7,
            Key::EdDsa(_) => -8,
            Key::Rs256(_) => -257,
        }
    }

    /// RFC 9053 §7.
    fn cose(&self) -> Vec<u8> {
        let pair = |label: i64, value: Vec<u8>| [number(label), value].concat();
        let algorithm = pair(3, number(self.algorithm()));
        match &self.key {
            Key::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                let curve = [pair(-1, number(1)), pair(-2, bytes(x)), pair(-3, bytes(y))].concat();
                [head(5, 5), pair(1, number(2)), algorithm, curve].concat()
            }
            Key::EdDsa(key) => {
                let x = bytes(key.public_key().as_ref());
                [head(5, 4), pair(1, number(1)), algorithm, pair(-1, number(6)), pair(-2, x)]
                    .concat()
            }
            Key::Rs256(key) => {
                let key = key.public_key();
                let n = bytes(key.modulus().big_endian_without_leading_zero());
                let e = bytes(key.exponent().big_endian_without_leading_zero());
                [head(5, 4), pair(1, number(3)), algorithm, pair(-1, n), pair(-2, e)].concat()
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Es256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Key::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

fn client_data(kind: &str, options: &Value, lies: &Lies) -> Vec<u8> {
    let challenge = options["challenge"].as_str().unwrap();
    let mut data = json!({
        "type": lies.kind.unwrap_or(kind),
        "challenge": lies.challenge.as_deref().unwrap_or(challenge),
        "origin": lies.origin,
    });
    for (name, value) in lies.client_data.as_object().into_iter().flatten() {
        data[name] = value.clone();
    }
    data.to_string().into_bytes()
}

fn signed(data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [data, digest::digest(&digest::SHA256, client_data).as_ref()].concat()
}

/// `bytes` in base64url.
pub fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes that `text` is in base64url.
pub fn decoded(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

/// RFC 8949 §3: a kind of item, and its number or length.
fn head(kind: u8, number: usize) -> Vec<u8> {
    let kind = kind << 5;
    match number {
        0..24 => vec![kind | u8::try_from(number).unwrap()],
        24..256 => vec![kind | 0x18, u8::try_from(number).unwrap()],
        _ => [&[kind | 0x19][..], &u16::try_from(number).unwrap().to_be_bytes()].concat(),
    }
}

fn number(number: i64) -> Vec<u8> {
    match usize::try_from(number) {
        Ok(number) => head(0, number),
        Err(_) => head(1, usize::try_from(-1 - number).unwrap()),
    }
}

fn text(text: &str) -> Vec<u8> {
    [head(3, text.len()), text.as_bytes().to_vec()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len()), bytes.to_vec()].concat()
}
