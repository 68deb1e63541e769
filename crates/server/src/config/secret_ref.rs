//! Secrets by reference.

use std::path::{Path, PathBuf};

use castellan_issuer::secrets::policy::is_blank;
use castellan_proto::Secret;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use super::{ConfigError, environment::text};
use crate::files;

/// Bytes of a file with a secret.
const MOST: u64 = 1024 * 1024;

/// A secret, or the place where it is stored.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(untagged)]
pub enum SecretRef {
    /// The secret itself.
    Text(Secret),
    /// In an environment variable.
    Env(EnvRef),
    /// In a regular file of at most 1 MiB, without white space at either end.
    File(FileRef),
}

/// `{ env = "NAME" }`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvRef {
    env: String,
}

/// `{ file = "path" }`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    file: PathBuf,
}

impl<'de> Deserialize<'de> for SecretRef {
    /// Derived, a list would be read as a table, and a secret in it as the name of a variable.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a string, { env = \"NAME\" } or { file = \"path\" }";

        struct Reference;

        impl<'de> Visitor<'de> for Reference {
            type Value = SecretRef;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E>(self, text: &str) -> Result<SecretRef, E> {
                Ok(SecretRef::Text(Secret::new(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
                let wrong = |_| de::Error::custom(format!("expected {EXPECTED}"));
                let entry = map.next_entry::<String, String>().map_err(wrong)?;
                let is_only = map.next_key::<String>().map_err(wrong)?.is_none();
                match entry.as_ref().map(|(name, text)| (&**name, text)) {
                    Some(("env", name)) if is_only => {
                        Ok(SecretRef::Env(EnvRef { env: name.clone() }))
                    }
                    Some(("file", path)) if is_only => {
                        Ok(SecretRef::File(FileRef { file: path.into() }))
                    }
                    _ => Err(de::Error::custom(format!("expected {EXPECTED}"))),
                }
            }
        }

        // A value of another type is answered with the types that are allowed, never with itself.
        from.deserialize_any(Reference)
    }
}

impl SecretRef {
    /// The secret itself. Relative files are relative to `folder`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the variable or file, never the secret.
    pub fn resolve(&self, folder: &Path) -> Result<Secret, ConfigError> {
        let secret = self.read(folder)?;
        if !is_blank(&secret) {
            return Ok(secret);
        }
        Err(match self {
            Self::Text(_) => ConfigError::Conflict("a secret is empty or blank".to_owned()),
            Self::Env(EnvRef { env }) => ConfigError::Environment(format!(
                "{env} contains a secret and must not be empty or blank"
            )),
            Self::File(FileRef { file }) => ConfigError::Conflict(format!(
                "{} contains a secret and must not be empty or blank",
                file.display()
            )),
        })
    }

    /// The file that it is in, if it is in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(FileRef { file }) => Some(file),
            Self::Text(_) | Self::Env(_) => None,
        }
    }

    fn read(&self, folder: &Path) -> Result<Secret, ConfigError> {
        match self {
            Self::Text(secret) if secret.expose().trim().is_empty() => {
                let problem = "a secret is an empty string; set it, or remove it";
                Err(ConfigError::Conflict(problem.to_owned()))
            }
            Self::Text(secret) => Ok(secret.clone()),
            Self::Env(EnvRef { env }) => {
                let value = std::env::var(env).map_err(|error| match error {
                    std::env::VarError::NotPresent => unset(env),
                    std::env::VarError::NotUnicode(_) => {
                        ConfigError::Environment(format!("{env} is not valid UTF-8"))
                    }
                })?;
                text(&value).map(|text| Secret::new(text.to_owned())).ok_or_else(|| unset(env))
            }
            Self::File(FileRef { file }) => {
                let path = folder.join(file);
                let text = files::read_text(&path, MOST).map_err(|cause| {
                    ConfigError::Unreadable { path: path.display().to_string(), cause }
                })?;
                let text = text.trim();
                if text.is_empty() {
                    let path = path.display();
                    let problem = format!("{path} contains a secret and must not be empty");
                    return Err(ConfigError::Conflict(problem));
                }
                Ok(Secret::new(text.to_owned()))
            }
        }
    }
}

fn unset(name: &str) -> ConfigError {
    ConfigError::Environment(format!("{name} contains a secret and is not set"))
}
