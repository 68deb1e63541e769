//! What may be kept as a password or as a secret. Every door asks here, and nothing is hashed that
//! was not found good: only what is [`Storable`] can be.

use castellan_proto::Secret;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use super::credential_policy::{CredentialPolicy, Rules};

/// The least that a site asks of what it keeps. What is empty or blank is refused whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretPolicy {
    /// Characters that people's passwords have at least. Default 12.
    pub password_min_length: usize,
    /// Characters that secrets of apps, machine users and API keys have at least. Default 8.
    pub secret_min_length: usize,
    /// What people's passwords have besides; none is asked without it.
    pub credential: Option<CredentialPolicy>,
}

impl Default for SecretPolicy {
    fn default() -> Self {
        Self { password_min_length: 12, secret_min_length: 8, credential: None }
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
    /// It is what another program keeps in place of a password or secret, as the text names it.
    #[error(
        "is a hash; send the {0} itself – only hashes of people's passwords can be imported, as passwordHash"
    )]
    Hash(&'static str),
    /// It breaks these rules of the policy.
    #[error("must have {0}")]
    Rules(Rules),
    /// It is the present password.
    #[error("must be another than the present one")]
    Present,
    /// It is the current password, or one of those that are remembered.
    #[error("must not be one that you had before")]
    Reused,
}

impl Storable {
    /// What is to be hashed.
    pub(crate) const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl SecretPolicy {
    /// The rules of people's passwords, if there is a policy.
    #[must_use]
    pub fn password_rules(self) -> Option<Rules> {
        self.credential.map(|policy| policy.rules(self.password_min_length))
    }

    /// How many earlier passwords of a person are remembered.
    #[must_use]
    pub fn history(self) -> usize {
        self.credential.map_or(0, |policy| policy.history.into())
    }

    /// `password`, if a person may choose it.
    ///
    /// # Errors
    /// [`Unacceptable`] saying what it lacks.
    pub fn password(self, password: &Secret) -> Result<Storable, Unacceptable> {
        let Some(policy) = self.credential else {
            return storable(password, self.password_min_length, "password");
        };
        let storable = storable(password, 1, "password")?;
        let seen: Vec<char> = password.expose().nfc().filter(|letter| is_seen(*letter)).collect();
        let broken = policy.broken(self.password_min_length, &seen);
        if broken.is_empty() { Ok(storable) } else { Err(Unacceptable::Rules(broken)) }
    }

    /// `secret`, if an app, a machine user or an API key may have it.
    ///
    /// # Errors
    /// [`Unacceptable`] saying what it lacks.
    pub fn secret(self, secret: &Secret) -> Result<Storable, Unacceptable> {
        storable(secret, self.secret_min_length, "secret")
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
fn storable(
    secret: &Secret,
    min_length: usize,
    name: &'static str,
) -> Result<Storable, Unacceptable> {
    let seen =
        secret.expose().nfc().filter(|letter| is_seen(*letter)).take(min_length.max(1)).count();
    if seen == 0 {
        return Err(Unacceptable::Blank);
    }
    if is_hash(secret.expose()) {
        return Err(Unacceptable::Hash(name));
    }
    if seen < min_length {
        return Err(Unacceptable::Short(min_length));
    }
    Ok(Storable(Secret::new(secret.expose().nfc().collect())))
}

fn is_seen(letter: char) -> bool {
    !is_invisible(letter) && !is_combining_mark(letter)
}

/// How hashes begin: those of Aidbox, PHC strings and crypt(3), Django and Werkzeug, phpass.
const HASHES: [&str; 37] = [
    "$s0$",
    "$argon2id$",
    "$argon2i$",
    "$argon2d$",
    "$2$",
    "$2a$",
    "$2b$",
    "$2x$",
    "$2y$",
    "$scrypt$",
    "$bcrypt-sha256$",
    "$pbkdf2$",
    "$pbkdf2-",
    "$1$",
    "$3$",
    "$5$",
    "$6$",
    "$7$",
    "$y$",
    "$gy$",
    "$md5$",
    "$md5,",
    "$sha1$",
    "$apr1$",
    "$P$",
    "$H$",
    "pbkdf2_sha1$",
    "pbkdf2_sha256$",
    "pbkdf2:sha",
    "argon2$argon2",
    "bcrypt$$2",
    "bcrypt_sha256$$2",
    "scrypt$",
    "scrypt:",
    "sha1$",
    "md5$",
    "grub.pbkdf2.",
];

/// What stands in braces before a hash (RFC 2307 §5.3; Spring Security), with a number or the name of
/// a function behind it.
const SCHEMES: [&str; 9] =
    ["ssha", "sha", "smd5", "md5", "crypt", "pbkdf2", "argon2", "bcrypt", "scrypt"];

/// Whether `text` is not a password but what one is kept as: taken for a password, whoever reads the
/// place it was exported from could sign in, and its owner could not.
fn is_hash(text: &str) -> bool {
    let text = text.trim_start();
    let scheme = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let is_scheme = scheme.is_some_and(|(scheme, _)| {
        let scheme = scheme.split(['-', '_', '@']).next().unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let plain = |known: &str| {
            scheme.strip_prefix(known).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
        };
        SCHEMES.into_iter().any(plain)
    });
    is_scheme || HASHES.iter().any(|start| text.starts_with(start))
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
        let lax = SecretPolicy { password_min_length: 0, secret_min_length: 0, credential: None };
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

    #[test]
    fn what_other_programs_keep_in_place_of_a_password_is_none() {
        for hash in [
            "$s0$e0801$0sGpgcVPqyKVXcGcMoQBVA==$0ePoRJcqRlz0cQUOxqbPqxsx1BBCQA9Z5Gi4qj4xpEo=",
            "$argon2id$v=19$m=19456,t=2,p=1$XT/VgouZzsKze91q7qpTvw$b6jCHmsj0kGhB9g0NmgP",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "$2y$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "\n$pbkdf2-sha256$i=600000$c2FsdA$aGFzaA",
            "$scrypt$ln=16,r=8,p=1$c2FsdA$aGFzaA",
            "$6$rounds=5000$salt$hash",
            "pbkdf2_sha256$600000$salt$hash=",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA",
            "bcrypt_sha256$$2b$12$R9h/cIPz0gi",
            "pbkdf2:sha256:600000$salt$hash",
            "scrypt:32768:8:1$salt$hash",
            "{SSHA}cGFzc3dvcmQgYW5kIHNhbHQ=",
            "{ssha512}cGFzc3dvcmQgYW5kIHNhbHQ=",
            "{PBKDF2-SHA256}10000$c2FsdA$aGFzaA",
            "{pbkdf2@SpringSecurity_v5_8}c2FsdCBhbmQgaGFzaA",
            "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe",
        ] {
            let secret = Secret::new(hash.to_owned());
            assert_eq!(password(hash), Err(Unacceptable::Hash("password")), "{hash}");
            let kept = SecretPolicy::default().secret(&secret).map(drop);
            assert_eq!(kept, Err(Unacceptable::Hash("secret")), "{hash}");
        }
        for good in [
            "$2 for a coffee",
            "$argon2id is a hash",
            "{shadow} of a doubt",
            "{sha of light}",
            "my $2b$12$ in the middle",
            "sha1 and md5 are old",
        ] {
            assert_eq!(password(good), Ok(()), "{good}");
        }
    }
}
