//! Citations of documents in code: `docs/rules.md` rule 12, `docs/contracts/trompa.md` §5.2.

use std::{fs, path::Path};

/// The citations in `text` that lead nowhere, resolved from the root of the repository or from
/// `folder`, where the text is.
pub fn broken(text: &str, folder: &Path) -> Vec<String> {
    let prose = unwrapped(text);
    let mut parts = prose.split('`');
    let mut found = Vec::new();
    // Every other part is between backticks.
    while let (Some(_), Some(quoted)) = (parts.next(), parts.next()) {
        let is_document = Path::new(quoted).extension().is_some_and(|extension| extension == "md");
        if !is_document || quoted.contains([' ', '*', '{', '"']) {
            continue;
        }
        let after = parts.clone().next().unwrap_or_default();
        match fs::read_to_string(quoted).or_else(|_| fs::read_to_string(folder.join(quoted))) {
            Err(_) => found.push(quoted.to_owned()),
            Ok(document) => {
                let missing = places(after).into_iter().filter(|place| !has(&document, place));
                found.extend(missing.map(|place| format!("{quoted} {}", place.text())));
            }
        }
    }
    found
}

/// Comments without their marks, so that a citation may continue in the next line.
fn unwrapped(text: &str) -> String {
    let bare = |line: &str| {
        let line = line.trim();
        let marks = ["///", "//!", "//", "# ", "* "];
        marks.iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim().to_owned()
    };
    text.lines().map(bare).collect::<Vec<_>>().join(" ")
}

/// A place within a document.
enum Place {
    /// `## 5. …`, `### 5.2 …`.
    Section(String),
    /// `### Rule 12. …`.
    Rule(String),
    /// `| 12 | …`.
    Row(String),
}

impl Place {
    fn text(&self) -> String {
        match self {
            Self::Section(number) => format!("§{number}"),
            Self::Rule(number) => format!("rule {number}"),
            Self::Row(number) => format!("row {number}"),
        }
    }
}

/// The places that are named right after a document.
fn places(after: &str) -> Vec<Place> {
    let after = after.trim_start_matches([',', ' ']);
    let rest = |words: [&str; 2]| words.iter().find_map(|word| after.strip_prefix(word));
    let all = |rest, place: fn(String) -> Place| numbers(rest).into_iter().map(place).collect();
    if let Some(rest) = rest(["§§", "§"]) {
        all(rest, Place::Section)
    } else if let Some(rest) = rest(["rules ", "rule "]) {
        all(rest, Place::Rule)
    } else if let Some(rest) = rest(["rows ", "row "]) {
        all(rest, Place::Row)
    } else {
        Vec::new()
    }
}

/// `27 to 30`, `8, 12 and 38`: the numbers that are written, up to the first other word.
fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in text.split(' ') {
        let number = word.trim_end_matches([',', '.', ';', ':', ')']);
        if number.starts_with(|c: char| c.is_ascii_digit()) {
            found.push(number.to_owned());
        } else if !matches!(number, "and" | "to" | "or") {
            break;
        }
        if word.ends_with(['.', ';', ':', ')']) {
            break;
        }
    }
    found
}

fn has(document: &str, place: &Place) -> bool {
    document.lines().any(|line| {
        let heading = line.trim_start_matches('#').trim_start();
        match place {
            Place::Section(number) => line.starts_with('#') && begins(heading, number),
            Place::Rule(number) => {
                line.starts_with('#')
                    && heading.strip_prefix("Rule ").is_some_and(|rest| begins(rest, number))
            }
            Place::Row(number) => line.strip_prefix("| ").is_some_and(|rest| begins(rest, number)),
        }
    })
}

/// Whether `text` begins with `number`, and no other digit or letter of a number follows.
fn begins(text: &str, number: &str) -> bool {
    text.strip_prefix(number).is_some_and(|rest| {
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_the_words_begin() {
        for (text, expected) in [
            ("27 to 30).", &["27", "30"][..]),
            ("8, 12 and 38 of the list", &["8", "12", "38"]),
            ("4.1). 5 more", &["4.1"]),
            ("10a, RFC 8628", &["10a"]),
            ("of old", &[]),
        ] {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }

    #[test]
    fn a_place_is_its_own_heading_or_row() {
        let document = "## 5. Scopes\n### 5.2 Patterns\n### Rule 10a. Namespaces\n| 7 | x |\n";
        for (text, there) in [
            (" §5.", true),
            (" §5.2)", true),
            (" §5.20", false),
            (" §2", false),
            (" rule 10a:", true),
            (" rule 10", false),
            (" row 7", true),
            (" row 70", false),
        ] {
            let all = places(text).iter().all(|place| has(document, place));
            assert_eq!(all, there, "{text}");
        }
    }
}
