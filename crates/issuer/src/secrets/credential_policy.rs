//! What a site asks of people's passwords besides their length (`docs/contracts/curity.md` §6.4), and
//! which of it one lacks.

use std::{collections::BTreeSet, fmt};

use castellan_proto::Lifetime;
use serde::Deserialize;

/// The `[credential_policy]` table: what people's passwords have, besides
/// `security.password_min_length` characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CredentialPolicy {
    /// Lower-case letters at least. Default 0.
    pub lower_case: u16,
    /// Upper-case letters at least. Default 0.
    pub upper_case: u16,
    /// Digits at least. Default 0.
    pub digits: u16,
    /// Characters at least that are neither letters nor digits. Default 0.
    pub special: u16,
    /// Different characters at least. Default 0.
    pub unique: u16,
    /// Characters at most that follow each other, as in `abc` and `321`, or are the same. Default: not
    /// limited.
    pub maximum_sequence: Option<u16>,
    /// Earlier passwords that cannot be chosen again, at most 24. Default 3.
    pub history: u16,
    /// How long a password can be used before it has to be changed. Default: without end.
    pub max_age: Option<Lifetime>,
}

impl Default for CredentialPolicy {
    fn default() -> Self {
        Self {
            lower_case: 0,
            upper_case: 0,
            digits: 0,
            special: 0,
            unique: 0,
            maximum_sequence: None,
            history: 3,
            max_age: None,
        }
    }
}

/// A rule of the policy, with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Characters at least.
    Length(usize),
    /// Lower-case letters at least.
    LowerCase(u16),
    /// Upper-case letters at least.
    UpperCase(u16),
    /// Digits at least.
    Digits(u16),
    /// Characters at least that are neither letters nor digits.
    Special(u16),
    /// Different characters at least.
    Unique(u16),
    /// Characters in sequence at most.
    Sequence(u16),
}

/// Rules of a policy in its order: all of them, or those that a password breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules([Option<Rule>; 7]);

impl Rules {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Rule> {
        self.0.iter().flatten().copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// As it follows "must have".
impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.iter().map(Rule::demand).collect();
        f.write_str(&all.join(", "))
    }
}

impl Rule {
    /// The number in it.
    #[must_use]
    pub fn number(self) -> usize {
        match self {
            Self::Length(number) => number,
            Self::LowerCase(number)
            | Self::UpperCase(number)
            | Self::Digits(number)
            | Self::Special(number)
            | Self::Unique(number)
            | Self::Sequence(number) => number.into(),
        }
    }

    /// What it counts, for one of it and for several.
    const fn noun(self) -> (&'static str, &'static str) {
        match self {
            Self::Length(_) => ("character", "characters"),
            Self::LowerCase(_) => ("lower-case letter", "lower-case letters"),
            Self::UpperCase(_) => ("upper-case letter", "upper-case letters"),
            Self::Digits(_) => ("digit", "digits"),
            Self::Special(_) => ("special character", "special characters"),
            Self::Unique(_) => ("different character", "different characters"),
            Self::Sequence(_) => ("character in sequence", "characters in sequence"),
        }
    }

    /// What it demands, as it follows "must have" or "Use".
    #[must_use]
    pub fn demand(self) -> String {
        let (one, several) = self.noun();
        let number = self.number();
        let noun = if number == 1 { one } else { several };
        let bound = if matches!(self, Self::Sequence(_)) { "most" } else { "least" };
        format!("at {bound} {number} {noun}")
    }

    /// A sentence for whoever chooses a password.
    #[must_use]
    pub fn message(self) -> String {
        format!("Use {}", self.demand())
    }

    /// The same with what counts as such.
    #[must_use]
    pub fn detailed_message(self) -> String {
        let what = match self {
            Self::Length(_) => "Blanks and characters that cannot be seen are not counted.",
            Self::LowerCase(_) | Self::UpperCase(_) => "Letters of every alphabet count.",
            Self::Digits(_) => "Digits are 0 to 9.",
            Self::Special(_) => "Special characters are neither letters nor digits nor blanks.",
            Self::Unique(_) => "A character that is repeated counts once.",
            Self::Sequence(_) => {
                "A sequence is characters that follow each other, such as abc or 321, or are the same."
            }
        };
        format!("{}. {what}", self.message())
    }

    /// Whether the characters `seen` keep it.
    fn holds(self, seen: &[char]) -> bool {
        let count = |test: fn(char) -> bool| seen.iter().filter(|letter| test(**letter)).count();
        let number = self.number();
        match self {
            Self::Length(_) => seen.len() >= number,
            Self::LowerCase(_) => count(char::is_lowercase) >= number,
            Self::UpperCase(_) => count(char::is_uppercase) >= number,
            Self::Digits(_) => count(|letter| letter.is_ascii_digit()) >= number,
            Self::Special(_) => count(|letter| !letter.is_alphanumeric()) >= number,
            Self::Unique(_) => seen.iter().collect::<BTreeSet<_>>().len() >= number,
            Self::Sequence(_) => longest_sequence(seen) <= number,
        }
    }
}

impl CredentialPolicy {
    /// What can be remembered of a person at most.
    pub const MOST_HISTORY: u16 = 24;

    /// Its rules, with that of the length.
    #[must_use]
    pub fn rules(&self, min_length: usize) -> Rules {
        let least = |number: u16, rule: fn(u16) -> Rule| (number > 0).then(|| rule(number));
        Rules([
            Some(Rule::Length(min_length)),
            least(self.lower_case, Rule::LowerCase),
            least(self.upper_case, Rule::UpperCase),
            least(self.digits, Rule::Digits),
            least(self.special, Rule::Special),
            least(self.unique, Rule::Unique),
            self.maximum_sequence.map(Rule::Sequence),
        ])
    }

    /// Those of its rules that a password with the characters `seen` breaks.
    pub(super) fn broken(&self, min_length: usize, seen: &[char]) -> Rules {
        Rules(self.rules(min_length).0.map(|rule| rule.filter(|rule| !rule.holds(seen))))
    }
}

/// The length of the longest run of characters that are the same, or each the next one, or each the
/// one before.
fn longest_sequence(seen: &[char]) -> usize {
    let steps: Vec<i64> = seen
        .windows(2)
        .map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])))
        .collect();
    let runs = steps.chunk_by(|one, other| one == other);
    let longest = runs.filter(|run| run[0].abs() <= 1).map(|run| run.len() + 1).max();
    longest.unwrap_or_else(|| seen.len().min(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_counts_what_it_says() {
        let policy = CredentialPolicy {
            lower_case: 2,
            upper_case: 1,
            digits: 1,
            special: 1,
            unique: 4,
            maximum_sequence: Some(3),
            ..CredentialPolicy::default()
        };
        let broken = |text: &str| {
            let seen: Vec<char> = text.chars().collect();
            policy.broken(6, &seen).iter().collect::<Vec<_>>()
        };
        assert_eq!(broken("aB1!xyz"), []);
        assert_eq!(broken("aB1!"), [Rule::Length(6), Rule::LowerCase(2)]);
        assert_eq!(broken("aab1!xk"), [Rule::UpperCase(1)]);
        assert_eq!(broken("aabB!xk"), [Rule::Digits(1)]);
        assert_eq!(broken("aaBB11x"), [Rule::Special(1)]);
        assert_eq!(broken("abcdB1!"), [Rule::Sequence(3)]);
        assert_eq!(broken("4321aaB!"), [Rule::Sequence(3)]);
        assert_eq!(broken("aaaaB1!"), [Rule::Sequence(3)]);
        let all = policy.broken(6, &[]);
        assert_eq!(all.iter().count(), 6, "nothing is in sequence");
        assert!(
            all.to_string().starts_with("at least 6 characters, at least 2 lower-case letters")
        );
        assert_eq!(Rule::Sequence(1).message(), "Use at most 1 character in sequence");
        assert_eq!([longest_sequence(&[]), longest_sequence(&['a', 'c'])], [0, 1]);
    }
}
