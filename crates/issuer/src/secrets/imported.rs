//! Hashes of passwords that other programs made (`docs/resources.md`, `passwordHash`): Argon2, bcrypt,
//! scrypt and PBKDF2, as PHC strings or in the forms of Aidbox and Django.
//!
//! What they cost to check is bounded, because whoever knows a name can have one checked.

use std::num::NonZeroU32;

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier as _, phc::PasswordHash},
};
use aws_lc_rs::{digest, pbkdf2};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use castellan_proto::constant_time_eq;

/// A hash that was read, and costs no more than is allowed.
pub(crate) enum Imported {
    /// PHC string, of any of the three variants.
    Argon2(String),
    /// In the form of crypt(3).
    Bcrypt(String),
    /// The same of the SHA-256 of the password in hexadecimal, as Django makes it so that bcrypt does not
    /// cut it off.
    BcryptOfSha256(String),
    /// RFC 7914.
    Scrypt { params: scrypt::Params, salt: Vec<u8>, key: Vec<u8> },
    /// RFC 8018 §5.2.
    Pbkdf2 { algorithm: pbkdf2::Algorithm, rounds: NonZeroU32, salt: Vec<u8>, key: Vec<u8> },
}

/// Why a hash is not imported. It never shows any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotImportable {
    /// It is in none of the known formats.
    #[error(
        "is not a hash of a known format: Argon2, bcrypt, scrypt or PBKDF2 ($argon2id$, $2b$, \
         $scrypt$, $s0$, $pbkdf2-sha256$, or one of Django's)"
    )]
    Unknown,
    /// It begins like one, and goes on differently.
    #[error("begins like a hash of {0}, and is not a valid one")]
    Malformed(&'static str),
    /// Checking it would take more time or memory than is allowed.
    #[error("would take too long or too much memory to check: {0}")]
    Costly(&'static str),
}

use NotImportable::{Costly, Malformed, Unknown};

/// Kibibytes of memory at most.
const MOST_MEMORY: u32 = 256 * 1024;
/// Kibibytes that Argon2 fills at most, over all its passes: about a second.
const MOST_FILLED: u64 = 1024 * 1024;
/// The cost of bcrypt at most: about a second.
const MOST_BCRYPT: u32 = 14;
/// `N * r * p` of scrypt at most: 256 MiB, once, in about a second.
const MOST_SCRYPT: u64 = 1 << 21;
/// Rounds of PBKDF2 at most, of which a long key takes several times as many: about a second.
const MOST_ROUNDS: u64 = 2_000_000;
/// Bytes of a salt, and of a key, at most.
const MOST_BYTES: usize = 128;
/// Bytes of a key at least: a shorter one is met by other passwords too often.
const LEAST_KEY: usize = 16;
/// Characters of a hash at most.
const LONGEST: usize = 512;

impl Imported {
    /// Reads `text`.
    ///
    /// # Errors
    /// [`NotImportable`] saying what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, NotImportable> {
        if text.len() > LONGEST {
            return Err(Unknown);
        }
        if text.starts_with("$argon2") {
            return argon2(text);
        }
        if let Some(phc) = text.strip_prefix("argon2") {
            return if phc.starts_with("$argon2") { argon2(phc) } else { Err(Unknown) };
        }
        if let Some(hash) = text.strip_prefix("bcrypt_sha256$") {
            return bcrypt(hash).map(Self::BcryptOfSha256);
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|start| text.starts_with(start)) {
            return bcrypt(text).map(Self::Bcrypt);
        }
        let parts: Vec<&str> = text.split('$').collect();
        match *parts {
            ["", "scrypt", params, salt, key] => {
                let [log_n, r, p] = named(params, ["ln", "r", "p"]).ok_or(Malformed("scrypt"))?;
                scrypt_of(log_n, r, p, unpadded(salt), unpadded(key))
            }
            ["", "s0", params, salt, key] => {
                let params = u32::from_str_radix(params, 16).map_err(|_| Malformed("scrypt"))?;
                let (log_n, r, p) = (params >> 16, (params >> 8) & 0xff, params & 0xff);
                scrypt_of(log_n, r, p, padded(salt), padded(key))
            }
            ["scrypt", n, salt, r, p, key] => {
                let n = number(n).filter(|n| n.is_power_of_two()).ok_or(Malformed("scrypt"))?;
                let (r, p) = number(r).zip(number(p)).ok_or(Malformed("scrypt"))?;
                scrypt_of(n.trailing_zeros(), r, p, text_of(salt), padded(key))
            }
            ["", name @ ("pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512"), params, salt, key] => {
                let (rounds, length) = match named(params, ["i", "l"]) {
                    Some([rounds, length]) => (Some(rounds), Some(length)),
                    None => (named(params, ["i"]).map(|[rounds]| rounds), None),
                };
                let key = unpadded(key).filter(|key| {
                    length.is_none_or(|length| usize::try_from(length) == Ok(key.len()))
                });
                pbkdf2_of(name, rounds, unpadded(salt), key)
            }
            ["pbkdf2_sha256", rounds, salt, key] => {
                pbkdf2_of("pbkdf2-sha256", number(rounds), text_of(salt), padded(key))
            }
            _ => Err(Unknown),
        }
    }

    /// Whether it is the hash of `password`.
    pub(crate) fn is_of(&self, password: &str) -> bool {
        match self {
            Self::Argon2(phc) => PasswordHash::new(phc).is_ok_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            }),
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::BcryptOfSha256(hash) => {
                let digest = digest::digest(&digest::SHA256, password.as_bytes());
                bcrypt::verify(hex(digest.as_ref()), hash).unwrap_or(false)
            }
            Self::Scrypt { params, salt, key } => {
                let mut made = vec![0; key.len()];
                scrypt::scrypt(password.as_bytes(), salt, params, &mut made).is_ok()
                    && constant_time_eq(&made, key)
            }
            Self::Pbkdf2 { algorithm, rounds, salt, key } => {
                pbkdf2::verify(*algorithm, *rounds, salt, password.as_bytes(), key).is_ok()
            }
        }
    }
}

fn argon2(phc: &str) -> Result<Imported, NotImportable> {
    let malformed = Malformed("Argon2");
    let hash = PasswordHash::new(phc).map_err(|_| malformed)?;
    let is_known = [argon2::ARGON2ID_IDENT, argon2::ARGON2I_IDENT, argon2::ARGON2D_IDENT]
        .contains(&hash.algorithm);
    let key = hash.hash.as_ref().map_or(0, |key| key.as_bytes().len());
    if !is_known || hash.salt.is_none() || key < LEAST_KEY {
        return Err(malformed);
    }
    let params = argon2::Params::try_from(&hash).map_err(|_| malformed)?;
    let (memory, passes) = (params.m_cost(), params.t_cost());
    if memory > MOST_MEMORY || u64::from(memory) * u64::from(passes) > MOST_FILLED {
        return Err(Costly("m must not exceed 262144 (256 MiB), nor m * t 1048576"));
    }
    Ok(Imported::Argon2(phc.to_owned()))
}

/// `$2b$COST$` and 53 characters.
fn bcrypt(text: &str) -> Result<String, NotImportable> {
    let malformed = Malformed("bcrypt");
    let parts: Vec<&str> = text.split('$').collect();
    let ["", "2a" | "2b" | "2y", cost, rest] = *parts else { return Err(malformed) };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    if cost.len() != 2 || rest.len() != 53 || !rest.bytes().all(is_base64) {
        return Err(malformed);
    }
    match number(cost) {
        Some(cost) if cost > MOST_BCRYPT => Err(Costly("the cost must not exceed 14")),
        Some(4..) => Ok(text.to_owned()),
        _ => Err(malformed),
    }
}

fn scrypt_of(
    log_n: u32,
    r: u32,
    p: u32,
    salt: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
) -> Result<Imported, NotImportable> {
    let malformed = Malformed("scrypt");
    let (salt, key) = salt.zip(key).filter(is_sized).ok_or(malformed)?;
    if log_n == 0 || r == 0 || p == 0 {
        return Err(malformed);
    }
    let cost = 1_u64
        .checked_shl(log_n)
        .and_then(|n| n.checked_mul(u64::from(r)).and_then(|cost| cost.checked_mul(u64::from(p))));
    if log_n > 21 || cost.is_none_or(|cost| cost > MOST_SCRYPT) {
        return Err(Costly("N * r * p must not exceed 2097152 (256 MiB)"));
    }
    let log_n = u8::try_from(log_n).map_err(|_| malformed)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| malformed)?;
    Ok(Imported::Scrypt { params, salt, key })
}

fn pbkdf2_of(
    name: &str,
    rounds: Option<u32>,
    salt: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
) -> Result<Imported, NotImportable> {
    let malformed = Malformed("PBKDF2");
    let (algorithm, block) = match name {
        "pbkdf2-sha256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        "pbkdf2-sha512" => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        _ => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
    };
    let rounds = rounds.and_then(NonZeroU32::new).ok_or(malformed)?;
    let (salt, key) = salt.zip(key).filter(is_sized).ok_or(malformed)?;
    let blocks = u64::try_from(key.len().div_ceil(block)).map_err(|_| malformed)?;
    if u64::from(rounds.get()) * blocks > MOST_ROUNDS {
        return Err(Costly("there must not be more than 2000000 iterations"));
    }
    Ok(Imported::Pbkdf2 { algorithm, rounds, salt, key })
}

/// Whether a salt and a key have a size that makes sense.
fn is_sized((salt, key): &(Vec<u8>, Vec<u8>)) -> bool {
    (1..=MOST_BYTES).contains(&salt.len()) && (LEAST_KEY..=MOST_BYTES).contains(&key.len())
}

/// The values of exactly the parameters `names`, in this order, of a PHC string.
fn named<const N: usize>(params: &str, names: [&str; N]) -> Option<[u32; N]> {
    let mut params = params.split(',');
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        let (found, text) = params.next()?.split_once('=')?;
        *value = number(text).filter(|_| found == name)?;
    }
    params.next().is_none().then_some(values)
}

/// A decimal number without a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn unpadded(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

fn padded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A salt that is a text, as Django's are.
#[expect(clippy::unnecessary_wraps, reason = "in place of a salt that may not decode")]
fn text_of(salt: &str) -> Option<Vec<u8>> {
    Some(salt.as_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A text takes everything that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "correct horse é". Those of Django were made by Django 5.2.19 (`ScryptPasswordHasher().encode`
    /// and its like), those of bcrypt by the Python package `bcrypt` 5.0.0, those of Argon2 by
    /// `argon2-cffi` 25.1.0, the others by `hashlib.scrypt` and `hashlib.pbkdf2_hmac` of Python.
    const VECTORS: [&str; 14] = [
        "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0$ahR6OhfsIDA8hFHPrjYOcsCPqutjMT92OEZOwHFl7ao",
        "$argon2i$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0$M1P6i7+BD9QkInqGNz7F7wo1iIcKz2gm5IaenubvGsA",
        "$argon2d$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0$gdiyBkh3gAn8TwBZ8J3+7Ny/kNA0aLo7Svv1XWsZXe8",
        "argon2$argon2id$v=19$m=1024,t=2,p=8$c2FsdHNhbHRzYWx0$+TxbXsoYTuF/mkbfXdL+uVdlCzwTbXq6NUp9jShXnB8",
        "$2b$04$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm6",
        "$2y$04$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm6",
        "$2a$04$PBeuUMwLZ02zxTsusUJQaO2P2ueBS63PVQeJU6KQK/lrENnDuEx6G",
        "bcrypt_sha256$$2b$04$zkHavMswYlB6bwYlPWKGi.u8j2Y8gxnZperuex6KsMRnk2tKwEXti",
        "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA",
        "$s0$a0801$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA=",
        "scrypt$1024$saltsaltsalt$8$5$2v/eRUjjiP0Eo5fI76hgWAg+Sm0QJ+plfKtFoTaiRg8xT6eXosjj3EodQsesVdT2xUNYVr7K/ZdpSMV0zaTHWg==",
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M",
        "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHRzYWx0$1+MRk5MdBIvz458mlu77XO49LU/hG/wPGMgrquDHnKrvBECFmL4Mh/7o/f45/MDCqGr2BjXMTiGLI4ae71DLrQ",
        "pbkdf2_sha256$1000$saltsaltsalt$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M=",
    ];

    #[test]
    fn hashes_of_other_programs_are_those_of_their_passwords_and_of_no_other() {
        for hash in VECTORS {
            let read = Imported::read(hash).unwrap();
            assert!(read.is_of("correct horse é"), "{hash}");
            for other in ["correct horse e", "correct horse é ", "Correct horse é", ""] {
                assert!(!read.is_of(other), "{hash}: {other:?}");
            }
        }
    }

    /// From the tests of the programs that made the formats: the first one is that of Aidbox's own
    /// library (`com.lambdaworks:scrypt`), the second one RFC 6070's, the third one of `crypt_blowfish`.
    #[test]
    fn published_vectors_hold() {
        for (hash, password) in [
            (
                "$s0$e0801$epIxT/h6HbbwHaehFnh/bw==$7H0vsXlY8UxxyW/BWx/9GuY7jEvGjT71GFd6O4SZND0=",
                "secret",
            ),
            (
                "$pbkdf2$i=4096$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$PS7sT+QchJuAyNg2YsDkSospGpZM8vBwOA",
                "passwordPASSWORDpassword",
            ),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
        ] {
            assert!(Imported::read(hash).unwrap().is_of(password), "{hash}");
        }
    }

    #[test]
    fn what_would_cost_too_much_is_refused_before_it_is_tried() {
        for hash in [
            "$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHRzYWx0$ahR6OhfsIDA8hFHPrjYOcsCPqutjMT92OEZOwHFl7ao",
            "$argon2id$v=19$m=65536,t=17,p=1$c2FsdHNhbHRzYWx0$ahR6OhfsIDA8hFHPrjYOcsCPqutjMT92OEZOwHFl7ao",
            "argon2$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHRzYWx0$ahR6OhfsIDA8hFHPrjYOcsCPqutjMT92OEZOwHFl7ao",
            "$2b$15$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm6",
            "bcrypt_sha256$$2b$31$zkHavMswYlB6bwYlPWKGi.u8j2Y8gxnZperuex6KsMRnk2tKwEXti",
            "$scrypt$ln=19,r=8,p=1$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA",
            "$scrypt$ln=63,r=4294967295,p=4294967295$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA",
            "$s0$140801$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA=",
            "scrypt$1048576$saltsaltsalt$8$1$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA=",
            "$pbkdf2-sha256$i=2000001$c2FsdHNhbHRzYWx0$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M",
            "pbkdf2_sha256$4294967295$saltsaltsalt$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M=",
        ] {
            assert!(matches!(Imported::read(hash), Err(Costly(_))), "{hash}");
        }
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for (text, why) in [
            ("", Unknown),
            ("a password", Unknown),
            ("$1$saltsalt$hash", Unknown),
            ("$2x$04$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm6", Unknown),
            ("{SSHA}cGFzc3dvcmQgYW5kIHNhbHQ=", Unknown),
            ("argon2id", Unknown),
            ("$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0", Malformed("Argon2")),
            (
                "$argon2x$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0$ahR6OhfsIDA8hFHPrjYOcsCPqutjMT92OEZOwHFl7ao",
                Malformed("Argon2"),
            ),
            ("$2b$04$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm", Malformed("bcrypt")),
            ("$2b$03$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWxm6", Malformed("bcrypt")),
            (
                "$2b$04$3dGEtouZB16XyfHJ/r1ifepuyhgqk4Dqntmqhmhxk3rJ9iq4RWx\u{a3}",
                Malformed("bcrypt"),
            ),
            (
                "$scrypt$ln=10,r=8$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA",
                Malformed("scrypt"),
            ),
            ("$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$OaqB", Malformed("scrypt")),
            (
                "$s0$zz$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA=",
                Malformed("scrypt"),
            ),
            (
                "$s0$a0001$c2FsdHNhbHRzYWx0$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA=",
                Malformed("scrypt"),
            ),
            (
                "scrypt$1000$salt$8$1$OaqBu54NsjwadwdPaQc4PiiZF6tnyw2RIu5cYSg5FRA=",
                Malformed("scrypt"),
            ),
            (
                "$pbkdf2-sha256$i=0$c2FsdA$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M",
                Malformed("PBKDF2"),
            ),
            (
                "$pbkdf2-sha256$i=10,l=31$c2FsdA$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M",
                Malformed("PBKDF2"),
            ),
            (
                "pbkdf2_sha256$+5$salt$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M=",
                Malformed("PBKDF2"),
            ),
            ("pbkdf2_sha256$5$$HpSbrkBrDWDAB9HrNXHZggikF+GO3Q6ksWrO0IeZG4M=", Malformed("PBKDF2")),
        ] {
            assert_eq!(Imported::read(text).err(), Some(why), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(start in 0..VECTORS.len(), at in 0_usize..140, with in "\\PC{0,6}") {
            let vector = VECTORS[start];
            let at = at.min(vector.len());
            let _ = Imported::read(&format!("{}{with}{}", &vector[..at], &vector[at..]));
            let _ = Imported::read(&format!("{}{with}", &vector[..at]));
        }
    }
}
