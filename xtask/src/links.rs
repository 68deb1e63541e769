//! Links between the documents of this repository, and the documents that its code cites.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{citations, steps::Outcome};

/// Files whose comments cite documents.
const CODE: [&str; 6] = ["rs", "mjs", "js", "py", "yaml", "toml"];

/// Checks that every relative link of every document leads somewhere, and every citation of one.
pub fn check() -> Outcome {
    let mut documents = Vec::new();
    collect(Path::new("."), &["md"], &mut documents);
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
    let mut code = Vec::new();
    collect(Path::new("."), &CODE, &mut code);
    for file in &code {
        let Ok(text) = fs::read_to_string(file) else { continue };
        // The check's own examples lead nowhere on purpose.
        if file.ends_with("xtask/src/citations.rs") {
            continue;
        }
        let nowhere = citations::broken(&text, file.parent().unwrap_or(Path::new("."))).into_iter();
        broken.extend(nowhere.map(|cited| format!("{}: {cited}", file.display())));
    }
    println!("{} documents, {} files of code", documents.len(), code.len());
    if broken.is_empty() { Outcome::Passed } else { Outcome::Failed(broken.join("; ")) }
}

fn collect(folder: &Path, extensions: &[&str], into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        if path.is_dir() {
            if !hidden && name != "target" && name != "node_modules" {
                collect(&path, extensions, into);
            }
        } else if path
            .extension()
            .and_then(|it| it.to_str())
            .is_some_and(|it| extensions.contains(&it))
        {
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
