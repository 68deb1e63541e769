//! What may be kept as a password or as a secret. Every door asks here, and nothing is hashed that
//! was not found good: only what is [`Storable`] can be.

use castellan_proto::Secret;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The least that a site asks of what it keeps. What is empty or blank is refused whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretPolicy {
    /// Characters that people's passwords have at least. Default 12.
    pub password_min_length: usize,
    /// Characters that secrets of apps, machine users and API keys have at least. Default 8.
    pub secret_min_length: usize,
}

impl Default for SecretPolicy {
    fn default() -> Self {
        Self { password_min_length: 12, secret_min_length: 8 }
    }
}

/// A password or secret that may be kept, in NFC: the same keys give different characters on
/// different devices (RFC 8265 §4.2.2).
#[derive(Clone)]
pub struct Storable(Secret);

/// Why a password or secret is not kept. It never shows any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// There is nothing in it that could be seen.
    #[error("must not be empty or blank")]
    Blank,
    /// It is too short.
    #[error("must have at least {0} {characters}", characters = if *.0 == 1 { "character" } else { "characters" })]
    Short(usize),
}

impl Storable {
    /// What is to be hashed.
    pub(crate) const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl SecretPolicy {
    /// `password`, if a person may choose it.
    ///
    /// # Errors
    /// [`Unacceptable`] saying what it lacks.
    pub fn password(self, password: &Secret) -> Result<Storable, Unacceptable> {
        storable(password, self.password_min_length)
    }

    /// `secret`, if an app, a machine user or an API key may have it.
    ///
    /// # Errors
    /// [`Unacceptable`] saying what it lacks.
    pub fn secret(self, secret: &Secret) -> Result<Storable, Unacceptable> {
        storable(secret, self.secret_min_length)
    }
}

/// Whether there is nothing in `secret` that could be seen: such a one is nobody's, whatever an
/// older version may have kept.
#[must_use]
pub fn is_blank(secret: &Secret) -> bool {
    secret.expose().chars().all(is_invisible)
}

/// Whether `name` holds a character that shows nothing, by which two names that look alike could differ.
/// A blank is none of them.
#[must_use]
pub fn has_invisible(name: &str) -> bool {
    name.chars().any(|letter| letter != ' ' && is_invisible(letter))
}

/// Characters are those that can be seen, in NFC, so that `é` is one however it was typed. Marks that
/// stand on another character, or on none, are no characters of their own, and blanks are none.
fn storable(secret: &Secret, min_length: usize) -> Result<Storable, Unacceptable> {
    let is_seen = |letter: &char| !is_invisible(*letter) && !is_combining_mark(*letter);
    let seen = secret.expose().nfc().filter(is_seen).take(min_length.max(1)).count();
    if seen == 0 {
        return Err(Unacceptable::Blank);
    }
    if seen < min_length {
        return Err(Unacceptable::Short(min_length));
    }
    Ok(Storable(Secret::new(secret.expose().nfc().collect())))
}

/// White space, control characters, and those of Unicode's `Default_Ignorable_Code_Point` and the
/// blank Braille pattern, which show nothing either.
fn is_invisible(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fff8}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Result<(), Unacceptable> {
        SecretPolicy::default().password(&Secret::new(text.to_owned())).map(drop)
    }

    #[test]
    fn nothing_blank_is_kept_however_long_and_however_little_is_asked() {
        let lax = SecretPolicy { password_min_length: 0, secret_min_length: 0 };
        for blank in [
            "",
            "            ",
            "\u{a0}\u{2003}\u{3000}\u{2028}\t\n\0\u{7f}\u{85}",
            "\u{200b}\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}\u{2800}\u{3164}\u{fe0f}\u{e0020}\u{180e}\u{115f}",
        ] {
            let secret = Secret::new(blank.to_owned());
            assert_eq!(password(blank), Err(Unacceptable::Blank), "{blank:?}");
            assert_eq!(lax.password(&secret).map(drop), Err(Unacceptable::Blank), "{blank:?}");
            assert_eq!(lax.secret(&secret).map(drop), Err(Unacceptable::Blank), "{blank:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_not_counted() {
        for short in [
            "a           ",
            "a\u{200b}\u{200c}\u{200d}\u{feff}\u{2060}\u{ad}\u{3164}\u{fe0f}\u{200b}\u{200b}\u{200b}",
            "a\t\n\u{a0}\u{3000}\u{2028}\0\0\0\0\0\0",
            "twelve chars",
            "q\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        ] {
            assert_eq!(password(short), Err(Unacceptable::Short(12)), "{short:?}");
        }
        let marks = "\u{301}\u{302}\u{303}".repeat(4);
        assert_eq!(password(&marks), Err(Unacceptable::Blank), "marks on nothing");
        assert_eq!(password(&"q\u{301}".repeat(12)), Ok(()), "marks on something");
        assert_eq!(password("correct horse"), Ok(()));
        assert!(has_invisible("a\u{200b}da") && has_invisible("a\nda") && has_invisible("\u{ad}"));
        assert!(!has_invisible("Ada Lovelace") && !has_invisible("e\u{301}va"));
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!(password("eleven-char"), Err(Unacceptable::Short(12)));
        assert_eq!(password("twelve-chars"), Ok(()));
        assert_eq!(password(&"é".repeat(11)), Err(Unacceptable::Short(12)), "22 bytes");
        assert_eq!(password(&"e\u{301}".repeat(11)), Err(Unacceptable::Short(12)), "22 scalars");
        assert_eq!(password(&"e\u{301}".repeat(12)), Ok(()));
        assert_eq!(password("密码密码密码密码密码密码"), Ok(()));
        let secret = SecretPolicy::default().secret(&Secret::new("verysecret".to_owned()));
        assert_eq!(secret.map(drop), Ok(()));
    }
}
