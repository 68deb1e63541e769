//! Where messages go that are not sent: to a file or the log, to try things out.

use std::{fmt, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use castellan_issuer::messages::SendError;

use super::texts::MessageText;

/// A file, or the log.
pub(super) enum Sink {
    File(PathBuf),
    Log,
}

impl Sink {
    /// `file`, or the log without one.
    pub(super) fn of(file: Option<PathBuf>) -> Self {
        file.map_or(Self::Log, Self::File)
    }

    /// Keeps what would be sent to `to`.
    pub(super) async fn keep(
        &self,
        what: &str,
        to: &str,
        wording: &MessageText,
    ) -> Result<(), SendError> {
        match self {
            Self::Log => {
                let text = if what == "mail" { &wording.text } else { &wording.short };
                // The one line with secrets, which whoever sets `log = true` wants to read.
                tracing::info!(target: "castellan::message", to, text, "a {what} was not sent");
                Ok(())
            }
            Self::File(path) => {
                let body = if what == "mail" { &wording.text } else { &wording.short };
                let entry = format!("To: {to}\nSubject: {}\n\n{body}\n\n", wording.subject);
                let path = path.clone();
                let written = tokio::task::spawn_blocking(move || append(&path, &entry)).await;
                match written {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(SendError::Failed(format!("the file: {error}"))),
                    Err(_) => Err(SendError::Failed("the file could not be written".to_owned())),
                }
            }
        }
    }
}

/// Whoever reads it can sign in as those to whom it is written, so that only its owner may.
fn append(path: &PathBuf, entry: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(path)?;
    file.write_all(entry.as_bytes())
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Log => f.write_str("the log"),
        }
    }
}
