//! Why the archive did not make a change, in words for whoever asked.

use apollo_compiler::resolvers::FieldError;

use super::model::{Kind, Relation};
use super::store::{LONGEST_TEXT, MOST_ARROWS, MOST_PER_KIND};

/// Why a change was not made.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no such thing.
    Unknown(&'static Kind, String),
    /// There is already one with this identifier.
    Taken(&'static Kind, String),
    /// An identifier without letters.
    Blank,
    /// A text that is too long to keep.
    TooLong,
    /// No room for another.
    Full(&'static Kind),
    /// No room for another arrow.
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
                write!(f, "there is no {} with the identifier {identifier:?}", kind.name)
            }
            Self::Taken(kind, identifier) => {
                write!(f, "there is already a {} with the identifier {identifier:?}", kind.name)
            }
            Self::Blank => f.write_str("an identifier must not be empty"),
            Self::TooLong => write!(f, "a text may have {LONGEST_TEXT} bytes at most"),
            Self::Full(kind) => {
                write!(f, "the archive holds {MOST_PER_KIND} of the type {} at most", kind.name)
            }
            Self::Crowded(relation) => {
                write!(f, "{} may point to {MOST_ARROWS} things at most", relation.name)
            }
        }
    }
}
