//! Why a server does not start.

use super::data_source::DataError;
use crate::{config::ConfigError, guards::LimitError};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Records or keys cannot be had.
    #[error("{0}")]
    Data(String),
    /// There is no data source, and none was to be made.
    #[error("{0}")]
    Missing(String),
    /// The signing keys cannot be had.
    #[error(transparent)]
    Keys(#[from] castellan_issuer::keys::KeyringError),
    /// The file for audit records cannot be written.
    #[error("audit.output: {path}: {cause}")]
    Audit {
        /// Which file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// There are not enough file handles for the upstreams.
    #[error("{0}")]
    Upstreams(String),
    /// A guard cannot be where it is.
    #[error("guard {name:?}: {cause}")]
    Guard {
        /// Which.
        name: String,
        /// Why.
        cause: String,
    },
}

impl From<DataError> for StartError {
    fn from(error: DataError) -> Self {
        match &error {
            DataError::Absent { .. } => Self::Missing(error.to_string()),
            DataError::Open(open) if open.is_missing() => Self::Missing(error.to_string()),
            _ => Self::Data(error.to_string()),
        }
    }
}

impl From<LimitError> for StartError {
    fn from(error: LimitError) -> Self {
        Self::Upstreams(error.to_string())
    }
}
