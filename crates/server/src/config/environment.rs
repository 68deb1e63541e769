//! What the environment says, read in one way for all variables: an empty one is an unset one, a
//! text loses one newline at its end, and a switch is one of eight words.

use super::ConfigError;

/// The words that a switch is written in, in any letter case.
const ON: [&str; 4] = ["true", "1", "yes", "on"];
const OFF: [&str; 4] = ["false", "0", "no", "off"];

/// Variables of the documents that we read; those of our own begin with [`PREFIX`].
const DOCUMENTS: [&str; 11] = [
    "BOX_SECURITY_USER_PASSWORD_MIN_LENGTH",
    "DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION",
    "DECIDIM_API_FORCE_API_AUTHENTICATION",
    "DECIDIM_API_JWT_EXPIRES_IN",
    "DECIDIM_API_JWT_SECRET",
    "DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN",
    "DECIDIM_SYSTEM_API_USERS_SECRET_LENGTH",
    "JWT_AUTH_KEYS",
    "JWT_EXPIRES",
    "JWT_ISSUER",
    "JWT_SECRET",
];
/// What the variables of our own begin with.
pub(super) const PREFIX: &str = "CASTELLAN__";

/// Whether the variable `name` is a setting, so that one of no text must not be passed over.
pub(crate) fn is_setting(name: &str) -> bool {
    name.starts_with(PREFIX) || DOCUMENTS.contains(&name)
}

/// The text of a variable: without one newline at its end, and nothing if that leaves it blank.
pub(crate) fn text(value: &str) -> Option<&str> {
    let text =
        value.strip_suffix('\n').map_or(value, |rest| rest.strip_suffix('\r').unwrap_or(rest));
    (!text.trim().is_empty()).then_some(text)
}

/// Whether `text` switches on or off; `None` if it is no boolean.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(ON) {
        Some(true)
    } else if is_one_of(OFF) {
        Some(false)
    } else {
        None
    }
}

/// A switch that is neither on nor off. Its value is not shown: somebody may have put a secret in
/// the wrong variable.
pub(super) fn no_boolean(name: &str) -> ConfigError {
    let words: Vec<_> = ON.iter().zip(OFF).flat_map(|(on, off)| [*on, off]).collect();
    ConfigError::Environment(format!("{name} is not a boolean: use one of {}", words.join(", ")))
}

/// The variables that are set.
pub(super) struct Environment(Vec<(String, String)>);

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let set = |(name, value): (String, String)| Some((name, text(&value)?.to_owned()));
        Self(variables.into_iter().filter_map(set).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// Those of our own, by name.
    pub(super) fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .filter(|(n, _)| n.starts_with(PREFIX))
    }

    /// The switch called `name`; `None` if it is not set.
    ///
    /// # Errors
    /// [`ConfigError`] if it is no boolean.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        self.get(name).map(|text| boolean(text).ok_or_else(|| no_boolean(name))).transpose()
    }

    /// The number called `name`; `None` if it is not set.
    ///
    /// # Errors
    /// [`ConfigError`] if it is no whole number above zero.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, ConfigError> {
        let read = |text: &str| match text.parse() {
            Ok(number @ 1_u32..) => Ok(number),
            _ => Err(ConfigError::Environment(format!(
                "{name} must be a whole number greater than zero"
            ))),
        };
        self.get(name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_one_of_eight_words_in_any_letter_case() {
        for on in ["true", "1", "yes", "on", "TRUE", "Yes", "oN"] {
            assert_eq!(boolean(on), Some(true), "{on}");
        }
        for off in ["false", "0", "no", "off", "FALSE", "No", "oFF"] {
            assert_eq!(boolean(off), Some(false), "{off}");
        }
        for neither in ["", "2", "t", "y", "enabled", "true ", " false", "null", "00"] {
            assert_eq!(boolean(neither), None, "{neither:?}");
        }
    }

    #[test]
    fn a_text_loses_one_newline_and_a_blank_one_is_none() {
        for (value, found) in [
            ("a", Some("a")),
            ("a\n", Some("a")),
            ("a\r\n", Some("a")),
            ("a\n\n", Some("a\n")),
            (" a ", Some(" a ")),
            ("a\r", Some("a\r")),
            ("", None),
            ("\n", None),
            (" \t", None),
        ] {
            assert_eq!(text(value), found, "{value:?}");
        }
    }
}
