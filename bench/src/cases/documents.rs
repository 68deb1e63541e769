//! What the gates are shown.

use serde_json::json;

/// The schema of the API behind the gates.
pub const SCHEMA: &str = include_str!("../../documents/schema.graphql");
/// A mutation of 310 bytes.
const MUTATION: &str = include_str!("../../documents/mutation.graphql");
/// A query of 3.3 KB: fragments, aliases, four levels deep.
const QUERY: &str = include_str!("../../documents/query.graphql");
/// What is different in each new document: part of an argument, so that a document is as long as
/// before and means something else.
const NUMBER: &str = "0000000000";

/// Which document is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// A mutation of 310 bytes.
    Mutation,
    /// A query of 3.3 KB.
    Query,
}

impl Document {
    /// The body of a request that carries it.
    #[must_use]
    pub fn body(self) -> String {
        let text = match self {
            Self::Mutation => MUTATION,
            Self::Query => QUERY,
        };
        json!({"query": text}).to_string()
    }
}

/// The position in `request` of the number that makes a document a new one.
#[must_use]
pub fn number_in(request: &[u8]) -> Option<usize> {
    request.windows(NUMBER.len()).position(|part| part == NUMBER.as_bytes())
}

/// Writes `number` at `at`.
pub fn renumber(request: &mut [u8], at: usize, mut number: u64) {
    for digit in request[at..at + NUMBER.len()].iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_as_large_as_is_said() {
        assert_eq!(MUTATION.len(), 310);
        assert!((3_250..3_350).contains(&QUERY.len()), "{}", QUERY.len());
    }

    #[test]
    fn a_new_number_changes_nothing_else() {
        for document in [Document::Mutation, Document::Query] {
            let before = document.body().into_bytes();
            let mut after = before.clone();
            let at = number_in(&after).unwrap();
            renumber(&mut after, at, 90_210);
            assert_eq!(&after[at..at + 10], b"0000090210");
            assert_eq!((&after[..at], &after[at + 10..]), (&before[..at], &before[at + 10..]));
        }
    }
}
