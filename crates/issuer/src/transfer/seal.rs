//! An export that only the holder of the master key can read: each line is sealed in its place, so
//! that none can be read, changed, left out, moved or brought in from another export.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::random;
use zeroize::Zeroizing;

use crate::keys::{Branch, MasterKey};

/// Seals or opens the lines of one export, one after the other.
pub struct LineSeal {
    key: LessSafeKey,
    stream: String,
    /// The next line's. No two lines of a key have one number.
    number: u64,
}

impl LineSeal {
    /// A seal for a new export. `None` if the machine's cryptography fails.
    #[must_use]
    pub fn generate(master: &MasterKey) -> Option<Self> {
        Self::of(master, &URL_SAFE_NO_PAD.encode(random::<16>()))
    }

    /// The seal of the export that `stream` names.
    #[must_use]
    pub fn of(master: &MasterKey, stream: &str) -> Option<Self> {
        // A key of its own for each export, so that a counter suffices as the nonce of a line.
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, stream.as_bytes())
            .extract(&*master.branch(Branch::Export));
        let mut key = Zeroizing::new([0; 32]);
        prk.expand(&[b"lines"], hkdf::HKDF_SHA256).ok()?.fill(&mut *key).ok()?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).ok()?);
        Some(Self { key, stream: stream.to_owned(), number: 0 })
    }

    /// What names this export; no secret.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Seals the next line. `None` if the machine's cryptography fails.
    pub fn seal(&mut self, line: &str) -> Option<String> {
        let (nonce, mut bytes) = (self.nonce(), line.as_bytes().to_vec());
        self.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes).ok()?;
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens the next line. `None` if it is not that line of this export, or this is another key.
    pub fn open(&mut self, sealed: &str) -> Option<Zeroizing<String>> {
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let nonce = self.nonce();
        let plain = self.key.open_in_place(nonce, Aad::empty(), &mut bytes).ok()?;
        std::str::from_utf8(plain).ok().map(|line| Zeroizing::new(line.to_owned()))
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[NONCE_LEN - 8..].copy_from_slice(&self.number.to_be_bytes());
        self.number += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_opens_in_its_place_and_nowhere_else() {
        let master = MasterKey::read(&"A".repeat(43)).unwrap();
        let mut seal = LineSeal::generate(&master).unwrap();
        let stream = seal.stream().to_owned();
        let lines = ["one", "two", "three"].map(|line| seal.seal(line).unwrap());
        let opens = |master: &MasterKey, stream: &str, lines: &[&String]| {
            let mut seal = LineSeal::of(master, stream).unwrap();
            lines.iter().map(|line| seal.open(line).is_some()).collect::<Vec<_>>()
        };
        let [one, two, three] = &lines;
        assert_eq!(opens(&master, &stream, &[one, two, three]), [true; 3]);
        assert_eq!(opens(&master, &stream, &[one, three]), [true, false], "one is left out");
        assert_eq!(opens(&master, &stream, &[two, one]), [false; 2], "two are swapped");
        assert_eq!(opens(&master, "another", &[one]), [false]);
        let other = MasterKey::read(&format!("B{}", "A".repeat(42))).unwrap();
        assert_eq!(opens(&other, &stream, &[one]), [false]);
    }
}
