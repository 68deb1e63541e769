//! Secrets by reference.

use std::path::{Path, PathBuf};

use castellan_proto::Secret;
use serde::Deserialize;

use super::ConfigError;

/// A secret: written out, or where it is to be found.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a secret is a text, { env = \"NAME\" } or { file = \"path\" }")]
pub enum SecretRef {
    /// Written out.
    Text(Secret),
    /// In an environment variable.
    Env(EnvRef),
    /// In a file, white space around it dropped.
    File(FileRef),
}

/// `{ env = "NAME" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvRef {
    env: String,
}

/// `{ file = "path" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    file: PathBuf,
}

impl SecretRef {
    /// The secret itself. Relative files are relative to `folder`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the variable or file, never the secret.
    pub fn resolve(&self, folder: &Path) -> Result<Secret, ConfigError> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::Env(EnvRef { env }) => std::env::var(env).map(Secret::new).map_err(|_| {
                ConfigError::Environment(format!("{env} is not set, and a secret is read from it"))
            }),
            Self::File(FileRef { file }) => {
                let path = folder.join(file);
                let text = std::fs::read_to_string(&path).map_err(|cause| {
                    ConfigError::Unreadable { path: path.display().to_string(), cause }
                })?;
                Ok(Secret::new(text.trim().to_owned()))
            }
        }
    }
}
