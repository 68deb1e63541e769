//! The `[tls]` table: what connections that Castellan makes are verified against.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, ConfigError, check::Problem, environment::Environment};
use crate::roots::{TrustedRoots, VARIABLE};

/// TLS of the connections that Castellan makes. That of its listeners is in `server.tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutgoingTlsConfig {
    /// PEM files with certificates of authorities that servers are trusted by, besides the public
    /// ones and those in the file that `SSL_CERT_FILE` names. Default: none.
    pub roots: Vec<PathBuf>,
}

impl Config {
    /// Reads the authorities that `tls.roots` names, relative to `folder`, and `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// The first [`Problem`].
    pub(super) fn read_roots(
        &self,
        folder: &Path,
        environment: &Environment,
    ) -> Result<TrustedRoots, Problem> {
        let mut roots = TrustedRoots::default();
        for path in &self.tls.roots {
            roots = roots.with_file(&folder.join(path)).map_err(|error| {
                let remedy = "name a readable PEM file with certificates of authorities";
                Problem::at(&["tls", "roots"], &format!("tls.roots: {error}; {remedy}"))
            })?;
        }
        let roots = roots.with_variable(environment.get(VARIABLE));
        roots.map_err(|problem| ConfigError::Environment(problem).into())
    }
}
