//! Why the archive did not make a change, in words for the client.

use apollo_compiler::resolvers::FieldError;

use super::model::{Kind, Relation};

/// How many things of one type fit, so that a demo left running cannot fill the memory.
pub(crate) const MOST_PER_KIND: usize = 10_000;

/// How many arrows of one relation may start at one thing.
pub(crate) const MOST_ARROWS: usize = 1_000;

/// How many bytes an identifier or a scalar may have.
pub(crate) const LONGEST_TEXT: usize = 4_000;

/// Why a change was not made.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no such object.
    Unknown(&'static Kind, String),
    /// There is already one with this identifier.
    Taken(&'static Kind, String),
    /// An identifier without letters.
    Blank,
    /// A date without a year, or with parts that no date has.
    NoDate,
    /// A text that is too long to keep.
    TooLong,
    /// No room for another.
    Full(&'static Kind),
    /// There is no room for another relation.
    Crowded(&'static Relation),
}

impl From<Refused> for FieldError {
    fn from(refused: Refused) -> Self {
        Self { message: refused.to_string() }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(kind, identifier) => {
                write!(f, "no {} has the identifier {identifier:?}", kind.name)
            }
            Self::Taken(kind, identifier) => {
                write!(f, "a {} with the identifier {identifier:?} already exists", kind.name)
            }
            Self::Blank => f.write_str("an identifier must not be empty"),
            Self::NoDate => {
                f.write_str("a date is a text or {year: 1815, month: 12, day: 10}, or less of that")
            }
            Self::TooLong => write!(f, "a text must not exceed {LONGEST_TEXT} bytes"),
            Self::Full(kind) => {
                write!(f, "the archive can hold at most {MOST_PER_KIND} of the type {}", kind.name)
            }
            Self::Crowded(relation) => {
                write!(f, "{} may refer to at most {MOST_ARROWS} things", relation.name)
            }
        }
    }
}
