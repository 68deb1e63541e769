//! The fenced blocks of the documents.

use std::{fs, path::Path};

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Fence {
    /// The document, from the root of the repository.
    pub document: String,
    /// The nearest heading above it.
    pub heading: String,
    /// The line of its first line of text, from one.
    pub line: usize,
    pub language: String,
    pub text: String,
}

/// The root of the repository.
pub fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All blocks of a document in one language.
pub fn of(document: &str, language: &str) -> Vec<Fence> {
    all(document).into_iter().filter(|fence| fence.language == language).collect()
}

/// All blocks of a document.
pub fn all(document: &str) -> Vec<Fence> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let (mut found, mut heading, mut open) = (Vec::new(), String::new(), None::<(String, Fence)>);
    for (number, line) in text.lines().enumerate() {
        if let Some((indent, mut fence)) = open.take() {
            let stripped = line.strip_prefix(indent.as_str()).unwrap_or(line);
            if stripped.trim_end() == "```" {
                found.push(fence);
            } else {
                fence.text.push_str(stripped);
                fence.text.push('\n');
                open = Some((indent, fence));
            }
        } else if let Some((indent, language)) = line.split_once("```") {
            if indent.trim().is_empty() {
                let fence = Fence {
                    document: document.to_owned(),
                    heading: heading.clone(),
                    line: number + 2,
                    language: language.trim().to_owned(),
                    text: String::new(),
                };
                open = Some((indent.to_owned(), fence));
            }
        } else if line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        }
    }
    assert!(open.is_none(), "{document}: a block is not closed");
    found
}
