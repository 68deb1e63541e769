//! The documents of files, each with the place that it was written at.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use castellan_proto::strict_json;
use serde_json::Value;

use crate::{cli::Failure, yaml};

/// A file with documents, or what came on standard input.
pub(super) struct Source {
    name: String,
    text: String,
}

/// Where a document was written.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    source: &'a str,
    /// Which of the documents of its source it is, from 1.
    number: usize,
    line: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, document {} (line {})", self.source, self.number, self.line)
    }
}

impl Source {
    /// Reads what is at `path`; `-` is the standard input, which can be read once.
    fn read(path: &Path) -> Result<Self, Failure> {
        let is_input = path.as_os_str() == "-";
        let name = if is_input { "standard input".into() } else { path.display().to_string() };
        let mut bytes = Vec::new();
        let done = if is_input {
            std::io::stdin().read_to_end(&mut bytes)
        } else {
            File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
        };
        done.map_err(|error| format!("{name}: cannot be read: {error}"))?;
        let text = strict_json::text(bytes).map_err(|problem| format!("{name}: {problem}"))?;
        Ok(Self { name, text })
    }

    /// Its documents, one in memory at a time, each as often as this is called.
    fn documents(&self) -> impl Iterator<Item = (Place<'_>, Result<Value, yaml::DocumentProblem>)> {
        yaml::documents(&self.text).enumerate().map(|(at, yaml::Located { line, document })| {
            (Place { source: &self.name, number: at + 1, line }, document)
        })
    }
}

/// Every file, whole: what is written is what was checked, whatever becomes of the file meanwhile.
pub(super) fn sources(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    files.iter().map(|path| Source::read(path)).collect()
}

/// The documents of all `sources`, in order.
pub(super) fn all(
    sources: &[Source],
) -> impl Iterator<Item = (Place<'_>, Result<Value, yaml::DocumentProblem>)> {
    sources.iter().flat_map(Source::documents)
}
