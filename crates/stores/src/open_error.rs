//! Why a data source did not open.

use std::path::{Path, PathBuf};

/// Why a data source did not open, in words for the operator.
///
/// Contains nothing of the address but its scheme, the path of a file, and the host, port and name of
/// a database: neither user nor password, so it may be logged. The server's message is in its source,
/// and may name the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address does not begin with `scheme://`.
    #[error("the URL of the data source has no scheme; use {known}")]
    NoScheme {
        /// The forms known here.
        known: String,
    },
    /// No data source of that name is in this build.
    #[error("{scheme:?} is not a data source that this build supports; use {known}")]
    UnknownScheme {
        /// The scheme that was given.
        scheme: String,
        /// The forms known here.
        known: String,
    },
    /// The scheme is known, what follows it does not read.
    #[error("{scheme}:// {problem}; {remedy}")]
    Malformed {
        /// The scheme of the address.
        scheme: &'static str,
        /// What is wrong with the rest.
        problem: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
    /// A parameter of the address is one that nothing acts upon.
    #[error("{scheme}:// has the parameter {name:?}, which {problem}; there are {known}")]
    Parameter {
        /// The scheme.
        scheme: &'static str,
        /// The name of the parameter.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
        /// Those that there are.
        known: String,
    },
    /// There is nothing of Castellan at the address, and nothing was to be made.
    #[error("the data source at {place} {problem}; {remedy}")]
    Missing {
        /// The path of the file, or the host and name of the database.
        place: String,
        /// What is missing.
        problem: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The server cannot be used.
    #[error("the data source at {place} {problem}; {remedy}")]
    Server {
        /// The scheme, host and name of the database.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
        /// The error of the server or the driver.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The file cannot be used.
    #[error("cannot open the data source {}: {problem}; {remedy}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
        /// The error of the system or the engine, if it says more than `problem`.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl OpenError {
    /// The file at `path` has `problem`, for which the operator has `remedy`.
    pub(crate) fn file(path: &Path, problem: impl Into<String>, remedy: &'static str) -> Self {
        Self::File { path: path.to_owned(), problem: problem.into(), remedy, source: None }
    }

    /// The server at `scheme` has `problem`, for which the operator has `remedy`.
    #[cfg(any(feature = "dynamodb", feature = "mongodb", feature = "postgres"))]
    pub(crate) fn server(
        scheme: &'static str,
        problem: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        let place = format!("{scheme}://");
        Self::Server { place, problem: problem.into(), remedy, source: None }
    }

    /// The server has nothing of Castellan: `problem`, for which the operator has `remedy`.
    #[cfg(any(feature = "dynamodb", feature = "mongodb", feature = "postgres"))]
    pub(crate) const fn missing(problem: &'static str, remedy: &'static str) -> Self {
        Self::Missing { place: String::new(), problem, remedy }
    }

    /// The same error of the server at `at`.
    #[cfg(any(feature = "dynamodb", feature = "mongodb", feature = "postgres"))]
    pub(crate) fn at(mut self, at: &str) -> Self {
        if let Self::Server { place, .. } | Self::Missing { place, .. } = &mut self {
            at.clone_into(place);
        }
        self
    }

    /// Whether there is nothing of Castellan at the address.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// Whether it may open later without a change: the server does not respond yet.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Server { source: Some(_), .. })
    }

    /// The same error, with the error of the system or the engine.
    pub(crate) fn because(
        self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        match self {
            Self::File { path, problem, remedy, .. } => {
                Self::File { path, problem, remedy, source: Some(cause.into()) }
            }
            Self::Server { place, problem, remedy, .. } => {
                Self::Server { place, problem, remedy, source: Some(cause.into()) }
            }
            other => other,
        }
    }
}
