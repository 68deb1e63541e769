//! The `[metrics]` table.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, ConfigError, check::Problem, file::Step};

/// The `[metrics]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Address and port at which metrics can be read, at `/metrics`, by everybody who reaches it, such
    /// as `"127.0.0.1:9464"`. Default: nowhere, and nothing is counted.
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
}

impl Config {
    /// Whether metrics can be where they are to be.
    ///
    /// # Errors
    /// The [`Problem`].
    pub(super) fn check_metrics(&self) -> Result<(), Problem> {
        let Some(listen) = self.metrics.listen else { return Ok(()) };
        let wrong = |text: String| {
            let way = vec![Step::Key("metrics"), Step::Key("listen")];
            Err(Problem::of_setting(way, ConfigError::Conflict(text)))
        };
        if self.security.insecure && !listen.ip().is_loopback() {
            return wrong(format!(
                "security.insecure is allowed on loopback addresses only, but metrics.listen is \
                 {listen}"
            ));
        }
        let same = self.listeners().find(|(_, other)| other.listen == listen);
        match same.filter(|_| listen.port() != 0) {
            Some((name, _)) => wrong(format!(
                "metrics.listen is {listen}, where {name} listens; metrics have a port of their own"
            )),
            None => Ok(()),
        }
    }
}
