//! Documents as people write them: YAML or JSON, one resource each.

use castellan_proto::is_identifier;
use serde_json::Value;
use serde_saphyr::Error;

/// A text is no document, or cannot be written as one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DocumentProblem(String);

/// The documents of `text`, in order. Empty ones are skipped.
pub(crate) fn read(text: &str) -> Result<Vec<Value>, DocumentProblem> {
    // Only `true` and `false` are booleans: a scope named `no` stays a text.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let documents: Vec<Value> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| problem(&error))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// What is wrong and where. No value is shown, as any may be a secret, and so are words of the library
/// that reads: they quote what they found.
fn problem(error: &Error) -> DocumentProblem {
    let place = error.location().filter(|place| place.line() > 0);
    let place = place.map(|place| format!("line {}, column {}: ", place.line(), place.column()));
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
