//! Documents as people write them: YAML or JSON, one resource each.

mod stream;

use castellan_proto::is_identifier;
use serde_json::Value;
use serde_saphyr::Error;

use stream::{Piece, pieces};

/// A text is no document, or cannot be written as one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DocumentProblem(String);

/// A document and the line that it begins on.
pub(crate) struct Located {
    pub(crate) line: usize,
    pub(crate) document: Result<Value, DocumentProblem>,
}

/// The documents of `text`, in order. Empty ones are skipped.
///
/// # Errors
/// What is wrong with the first that is not valid.
pub(crate) fn read(text: &str) -> Result<Vec<Value>, DocumentProblem> {
    documents(text).map(|located| located.document).collect()
}

/// The documents of `text` one after the other, any number of them: each is read when it is asked for,
/// and one that is not valid does not keep the others from being read.
pub(crate) fn documents(text: &str) -> impl Iterator<Item = Located> {
    pieces(text).flat_map(|piece| {
        let line = piece.line;
        let (read, problem) = match read_piece(&piece) {
            Ok(documents) => (documents, None),
            Err(problem) => (Vec::new(), Some(Err(problem))),
        };
        let read = read.into_iter().filter(|document| !document.is_null()).map(Ok);
        read.chain(problem).map(move |document| Located { line, document })
    })
}

fn read_piece(piece: &Piece<'_>) -> Result<Vec<Value>, DocumentProblem> {
    // Only `true` and `false` are booleans: a scope named `no` stays a text.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let read = serde_saphyr::from_multiple_with_options(piece.text, options);
    read.map_err(|error| problem(&error, piece.first_line))
}

/// What is wrong and where. No value is shown, as any may be a secret, and so are words of the library
/// that reads: they quote what they found.
fn problem(error: &Error, first_line: usize) -> DocumentProblem {
    let place = error.location().filter(|place| place.line() > 0);
    let place = place.map(|place| {
        let line = usize::try_from(place.line()).unwrap_or(usize::MAX);
        let line = line.saturating_add(first_line - 1);
        format!("line {line}, column {}: ", place.column())
    });
    let what = match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } if is_identifier(key) => {
            format!("the member {key} occurs twice")
        }
        Error::DuplicateMappingKey { .. } => "a member occurs twice".to_owned(),
        Error::UnsupportedTag { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::InvalidBinaryBase64 { .. } => "a tag (!) is not supported here".to_owned(),
        Error::UnknownAnchor { .. } => "an alias (*) names no anchor (&)".to_owned(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "the document is too large or too deeply nested".to_owned()
        }
        Error::NonFiniteFloat { .. } => "a number is too large".to_owned(),
        Error::Eof { .. } => "the document ends too early; a quote or bracket is open".to_owned(),
        _ => "not valid YAML or JSON; check quotes, brackets and indentation".to_owned(),
    };
    DocumentProblem(format!("{}{what}", place.unwrap_or_default()))
}

/// `value` as YAML.
pub(crate) fn write(value: &Value) -> Result<String, DocumentProblem> {
    serde_saphyr::to_string(value).map_err(|error| DocumentProblem(error.to_string()))
}

/// What changes from one text to the other, line by line: the longest common lines stay.
pub(crate) fn difference(before: &str, after: &str) -> Vec<String> {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push(format!("  {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.push(format!("- {}", old[i]));
            i += 1;
        } else {
            out.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_documents() {
        let read =
            read("resourceType: User\nscope: [no, y, true]\n---\n---\n{\"a\": 1}\n").unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0]["scope"], serde_json::json!(["no", "y", true]));
        assert_eq!(read[1]["a"], 1);
    }

    #[test]
    fn any_number_of_documents_is_read_and_what_is_wrong_has_its_line() {
        let mut text = "a: 1\n---\n".repeat(50_000);
        text.push_str("a: [1\n---\n# the last\nb: 2\n");
        let read: Vec<_> = documents(&text).collect();
        assert_eq!(read.len(), 50_002);
        assert!(read[..50_000].iter().all(|one| one.document.is_ok()));
        let problem = read[50_000].document.as_ref().unwrap_err().to_string();
        assert!(
            problem.starts_with("line 100001") || problem.starts_with("line 100002"),
            "{problem}"
        );
        assert_eq!(read[50_001].line, 100_004);
        assert_eq!(read[50_001].document.as_ref().unwrap()["b"], 2);
    }

    /// `docs/security-cases.md` row 48.
    #[test]
    fn what_is_wrong_has_a_place_and_shows_no_value() {
        for (text, said) in [
            ("password: \"hunter2", "line 1"),
            ("a: b\npassword: hunter2: hunter2", "line 2"),
            ("a: b\n password: hunter2", "line 2"),
            ("password: [hunter2", "line "),
            (
                "password: hunter2\npassword: hunter2",
                "line 2, column 1: the member password occurs",
            ),
            (
                "{\"password\": \"hunter2\", \"password\": \"hunter2\"}",
                "the member password occurs",
            ),
            ("{\"password\": \"hunter2}", "line "),
            ("{\"password\": \"hunter2\"", "line "),
            ("password: !!int hunter2", "line 1"),
            ("password: !!binary hunter2", "line 1"),
            ("password: *hunter2", "line 1"),
            ("password: \"\\hunter2\"", "line 1"),
            ("password: 'hunter2' hunter2", "line 1"),
            ("password: @hunter2", "line 1"),
            ("password: %hunter2\n%hunter2", "line "),
            ("? [hunter2]\n: a\n? [hunter2]\n", "line "),
            ("{1: a, [hunter2]: b}", "line 1"),
            ("password: 1e999hunter2\nx: 1e999", "line 2"),
            ("password: |2hunter2\n  a", "line 1"),
            ("hunter2: !include hunter2\n<<: hunter2", "line "),
        ] {
            let found = super::read(text);
            let Err(problem) = found else { panic!("{text:?} was read: {found:?}") };
            let problem = problem.to_string();
            assert!(!problem.contains("unter2") && !problem.contains("Options"), "{problem}");
            assert!(problem.contains(said), "{text:?}: {problem}");
        }
    }

    #[test]
    fn the_difference_names_what_changes() {
        assert_eq!(difference("a\nb\nc", "a\nx\nc"), ["  a", "- b", "+ x", "  c"]);
        assert_eq!(difference("", "a"), ["+ a"]);
    }
}
