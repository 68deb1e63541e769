//! Documents as people write them: YAML or JSON, one resource each.

use serde_json::Value;

/// A text is no document, or cannot be written as one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DocumentProblem(String);

/// The documents of `text`, in order. Empty ones are skipped.
pub(crate) fn read(text: &str) -> Result<Vec<Value>, DocumentProblem> {
    // Only `true` and `false` are booleans: a scope named `no` stays a text.
    let options = serde_saphyr::options! { strict_booleans: true };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| DocumentProblem(error.to_string()))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
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
    fn the_difference_names_what_changes() {
        assert_eq!(difference("a\nb\nc", "a\nx\nc"), ["  a", "- b", "+ x", "  c"]);
        assert_eq!(difference("", "a"), ["+ a"]);
    }
}
