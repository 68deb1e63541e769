//! Links between the documents of this repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::steps::Outcome;

/// Checks that every relative link of every document leads somewhere.
pub fn check() -> Outcome {
    let mut documents = Vec::new();
    collect(Path::new("."), &mut documents);
    let mut broken = Vec::new();
    for document in &documents {
        let Ok(text) = fs::read_to_string(document) else { continue };
        for target in targets(&text) {
            let outside = target.contains("://") || target.starts_with("mailto:");
            let path = target.split('#').next().unwrap_or_default();
            if outside || path.is_empty() {
                continue;
            }
            let folder = document.parent().unwrap_or(Path::new("."));
            if !folder.join(path).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    println!("{} documents", documents.len());
    if broken.is_empty() { Outcome::Passed } else { Outcome::Failed(broken.join("; ")) }
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        if path.is_dir() {
            if !hidden && name != "target" && name != "node_modules" {
                collect(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            into.push(path);
        }
    }
}

/// What follows `](`, code blocks aside.
fn targets(text: &str) -> Vec<String> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for part in line.split("](").skip(1) {
            found.extend(part.split(')').next().map(ToOwned::to_owned));
        }
    }
    found
}
