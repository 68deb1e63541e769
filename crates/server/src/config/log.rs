//! The `[log]` table (`docs/logs.md`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// The log on standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How lines are written. Default `"text"`.
    pub format: LogFormat,
    /// What is logged: `"error"`, `"warn"`, `"info"`, `"debug"`, `"trace"`, or levels of modules such
    /// as `"warn,castellan::event=info"`. `CASTELLAN_LOG` overrides it. Default `"info"`.
    pub level: LogLevel,
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people, with colours on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct LogLevel(String);

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl LogLevel {
    /// As a filter of lines.
    #[must_use]
    pub fn filter(&self) -> EnvFilter {
        // It was one when it was read.
        self.0.parse().unwrap_or_else(|_| EnvFilter::new("info"))
    }
}

impl TryFrom<String> for LogLevel {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // A lone word that is no level would be the name of a module, at which everything is logged.
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        let is_known = |part: &str| {
            let level = part.rsplit('=').next().unwrap_or_default();
            LEVELS.contains(&level.to_ascii_lowercase().as_str())
                && !part.contains(char::is_whitespace)
        };
        if text.split(',').all(is_known) && text.parse::<EnvFilter>().is_ok() {
            return Ok(Self(text));
        }
        Err("must be \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or levels of \
             modules such as \"warn,castellan::event=info\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_one_of_six_words_or_a_list_of_modules_with_theirs() {
        for text in
            ["info", "WARN", "off", "warn,castellan::event=info", "castellan_gate=trace,warn"]
        {
            assert!(LogLevel::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in ["", "loud", "info,", "castellan=loud", "warn castellan=info"] {
            assert!(LogLevel::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
