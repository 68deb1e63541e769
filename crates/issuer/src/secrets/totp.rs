//! One-time passwords of authenticator apps (RFC 6238, RFC 4226): HMAC-SHA-1, six digits, a new one
//! every 30 seconds. These are the values that every app assumes if it is told nothing else, and the
//! only ones that some apps know.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use castellan_proto::{Timestamp, constant_time_eq, random};
use zeroize::Zeroizing;

/// Digits of a code.
pub const DIGITS: u32 = 6;
/// Seconds for which a code is shown.
pub const INTERVAL: u64 = 30;
/// Codes before and after the present one that are accepted: clocks differ, and typing takes time
/// (RFC 6238 §5.2).
pub const SKEW: u64 = 1;
/// The name of the hash in `otpauth` addresses.
pub const ALGORITHM: &str = "SHA1";

/// Bytes of a key: as long as the hash (RFC 4226 §4, R6).
const LENGTH: usize = 20;

/// What an authenticator app and this server share.
#[derive(Clone)]
pub struct TotpKey(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for TotpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpKey")
    }
}

impl TotpKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::<LENGTH>().to_vec()))
    }

    /// The key with these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As people type it into an app (RFC 4648 §6, without padding).
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(String::with_capacity(self.0.len().div_ceil(5) * 8));
        base32(&self.0, text)
    }

    /// The time step for which `code` is the code, among those that are accepted at `now`. All of them
    /// are compared, each in constant time.
    #[must_use]
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        let present = now.0 / INTERVAL;
        let steps = present.saturating_sub(SKEW)..=present.saturating_add(SKEW);
        steps.fold(None, |found, step| {
            let is_it = constant_time_eq(self.code(step, DIGITS).as_bytes(), code.as_bytes());
            if is_it { Some(step) } else { found }
        })
    }

    /// The code that an app shows at `now`.
    #[must_use]
    pub fn code_at(&self, now: Timestamp) -> Zeroizing<String> {
        self.code(now.0 / INTERVAL, DIGITS)
    }

    /// The code of the time step `step` (RFC 4226 §5.3).
    fn code(&self, step: u64, digits: u32) -> Zeroizing<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = tag.last().map_or(0, |last| usize::from(last & 0xf));
        let cut = tag.iter().skip(at).take(4);
        let number = cut.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte)) & 0x7fff_ffff;
        let width = digits as usize;
        Zeroizing::new(format!("{:0width$}", number % 10_u32.pow(digits)))
    }

    /// What an app reads from a QR code: the key for `account` at `issuer`.
    #[must_use]
    pub fn address(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (escaped(issuer), escaped(account));
        let secret = self.text();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm={ALGORITHM}\
             &digits={DIGITS}&period={INTERVAL}",
            *secret
        ))
    }
}

fn base32(bytes: &[u8], mut text: Zeroizing<String>) -> Zeroizing<String> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for group in bytes.chunks(5) {
        let mut bits = [0; 8];
        bits[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(bits);
        for letter in 0..(group.len() * 8).div_ceil(5) {
            let index = (bits >> (35 - 5 * letter)) & 0x1f;
            text.push(char::from(LETTERS[usize::try_from(index).unwrap_or_default()]));
        }
    }
    text
}

/// `text` in a URI (RFC 3986 §2.1). Apps show a `+` as it is, so that blanks are escaped as well.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_4226_and_rfc_6238() {
        let key = TotpKey::of(b"12345678901234567890");
        // RFC 4226, appendix D.
        let counted = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (count, code) in (0..).zip(counted) {
            assert_eq!(*key.code(count, 6), code);
        }
        // RFC 6238, appendix B, the rows of SHA-1.
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(*key.code(seconds / INTERVAL, 8), code);
        }
    }

    #[test]
    fn the_codes_around_the_present_one_are_accepted_and_no_others() {
        let key = TotpKey::of(b"12345678901234567890");
        let now = Timestamp(1_000 * INTERVAL + 7);
        for step in 990..1_010 {
            let found = key.step_of(&key.code(step, DIGITS), now);
            assert_eq!(found, (999..=1_001).contains(&step).then_some(step), "{step}");
        }
        for wrong in ["", "12345", "1234567", "abcdef", " 755224"] {
            assert_eq!(key.step_of(wrong, now), None, "{wrong}");
        }
        // At the beginning of time there is nothing before.
        assert_eq!(key.step_of("755224", Timestamp(0)), Some(0));
    }

    #[test]
    fn a_key_is_written_as_rfc_4648_has_it() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(*TotpKey::of(bytes.as_bytes()).text(), text);
        }
        assert_eq!(TotpKey::generate().text().len(), 32);
        let key = TotpKey::of(b"foobar");
        assert_eq!(
            *key.address("Casa: Aurora", "ana+1@x.example"),
            "otpauth://totp/Casa%3A%20Aurora:ana%2B1%40x.example?secret=MZXW6YTBOI\
             &issuer=Casa%3A%20Aurora&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{key:?}"), "TotpKey");
    }
}
