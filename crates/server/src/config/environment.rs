//! What the environment says, read in one way for all variables: an empty one is an unset one, a
//! text loses one newline at its end, and a switch is one of eight words.

use super::ConfigError;

/// The words that a switch is written in, in any letter case.
const ON: [&str; 4] = ["true", "1", "yes", "on"];
const OFF: [&str; 4] = ["false", "0", "no", "off"];

/// Variables of the documents that we read; those of our own begin with [`PREFIX`].
const DOCUMENTS: [&str; 12] = [
    "BOX_SECURITY_USER_PASSWORD_MIN_LENGTH",
    "DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION",
    "DECIDIM_API_FORCE_API_AUTHENTICATION",
    "DECIDIM_API_JWT_EXPIRES_IN",
    "DECIDIM_API_JWT_SECRET",
    "DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN",
    "DECIDIM_SYSTEM_API_USERS_SECRET_LENGTH",
    "EZPUBLISH_SITEACCESS",
    "JWT_AUTH_KEYS",
    "JWT_EXPIRES",
    "JWT_ISSUER",
    "JWT_SECRET",
];
/// What the variables of our own begin with.
pub(super) const PREFIX: &str = "CASTELLAN__";

/// What the names of all variables of our own begin with, and those of them that are no settings.
const OURS: &str = "CASTELLAN_";
const OTHERS: [&str; 5] =
    ["CASTELLAN_BINARY", "CASTELLAN_CONFIG", "CASTELLAN_LOG", "CASTELLAN_SITE", "CASTELLAN_TOKEN"];
/// Those of tests.
const TESTS: &str = "CASTELLAN_TEST_";

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

    /// Looks for misspelt names. `is_named` tells whether the configuration names a variable, as one
    /// that holds a secret.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first that begins like ours and that nobody reads. What others may
    /// mean is only warned of.
    pub(super) fn check_names(&self, is_named: impl Fn(&str) -> bool) -> Result<(), ConfigError> {
        for (name, value) in &self.0 {
            let is_read = |name: &str| is_setting(name) || OTHERS.contains(&name) || is_named(name);
            if is_read(name) || name.starts_with(TESTS) {
                continue;
            }
            if name.starts_with(OURS) && !is_of_kubernetes(name, value) {
                return Err(ConfigError::Environment(format!(
                    "{name} is not a variable that Castellan reads; settings are named \
                     {PREFIX}SECTION__KEY, with two underscores; correct the name, or remove it"
                )));
            }
            if let Some(meant) = DOCUMENTS.iter().find(|known| distance(known, name) <= 2) {
                tracing::warn!(variable = name, "this variable is not read; is {meant} meant?");
            }
        }
        Ok(())
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

/// Whether Kubernetes sets such a variable, for a service whose name begins with `castellan`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let of_port = || {
        let (_, port) = name.split_once("_PORT_")?;
        let (number, rest) = port.split_once('_')?;
        let protocol = rest.split('_').next()?;
        number.parse::<u16>().ok()?;
        ["TCP", "UDP", "SCTP"].contains(&protocol).then_some(())
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && is_url)
        || of_port().is_some()
}

/// How many letters have to be put in, taken out or changed to make `other` of `one`.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, left) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (at, right) in other.iter().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
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
    fn a_misspelt_name_of_ours_is_refused_and_others_are_left_alone() {
        let check = |name: &str, value: &str| {
            let set = Environment::new([(name.to_owned(), value.to_owned())]);
            set.check_names(|name| name == "CASTELLAN_DB_PASSWORD")
        };
        for name in ["CASTELLAN_JWT__SECRET", "CASTELLAN_LISTEN", "CASTELLAN_SERVER_PORT"] {
            let error = check(name, "8080").unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        for (name, value) in [
            ("CASTELLAN__JWT__SECRET", "x"),
            ("CASTELLAN_LOG", "info"),
            ("CASTELLAN_DB_PASSWORD", "named by the configuration"),
            ("CASTELLAN_UNSET", ""),
            ("CASTELLAN_SERVICE_HOST", "10.0.0.7"),
            ("CASTELLAN_SERVICE_PORT_HTTP", "80"),
            ("CASTELLAN_PORT", "tcp://10.0.0.7:80"),
            ("CASTELLAN_DB_PORT_5432_TCP_ADDR", "10.0.0.7"),
            ("JWT_SECRETS", "warned of"),
            ("JWT_SECRET_KEY", "another's"),
        ] {
            assert!(check(name, value).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_are_near_each_other_by_letters() {
        for (one, other, letters) in [
            ("JWT_SECRET", "JWT_SECRET", 0),
            ("JWT_SECRET", "JWT_SECRETS", 1),
            ("JWT_SECRET", "JWT_SERCET", 2),
            ("JWT_EXPIRES", "JWT_EXPIRE", 1),
            ("JWT_ISSUER", "JWT_SECRET", 5),
        ] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
        assert!(distance("JWT_SECRET", "JWT_SECRET_KEY") > 2);
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
