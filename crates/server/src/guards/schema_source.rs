//! Where a guard's schema comes from: a file, or the API itself, kept on disk (`docs/rules.md` rule
//! 8).

use std::{
    fs,
    path::{Path, PathBuf},
};

use castellan_gate::{GuardSchema, Naming, SchemaError, SchemaSettings, parse_lock};
use url::Url;

use super::introspection::{INTROSPECTION_QUERY, sdl_of};
use crate::{
    config::{Dialect, GuardConfig},
    http_client::{HttpClient, HttpClientError},
};

/// Why there is no schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaProblem {
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The schema does not suit the guard.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The API could not be asked.
    #[error("the schema of {url} could not be had: {cause}; name an SDL file with `schema`")]
    Fetch {
        /// Which API.
        url: String,
        /// Why.
        cause: HttpClientError,
    },
    /// The API does not show its schema.
    #[error("{0} does not show its schema (introspection): name an SDL file with `schema`")]
    Closed(String),
}

impl SchemaProblem {
    /// Whether it may go away by itself.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Fetch { .. } | Self::Closed(_))
    }
}

/// Builds the schema of `guard` and holds it against its lock file.
pub(crate) async fn build(
    guard: &GuardConfig,
    folder: &Path,
) -> Result<GuardSchema, SchemaProblem> {
    let naming = match (guard.naming, guard.dialect) {
        (Some(naming), _) => naming,
        (None, Some(Dialect::Trompa)) => Naming::Trompa,
        (None, _) => Naming::Verbs,
    };
    let settings = SchemaSettings {
        naming,
        overrides: guard.overrides.clone(),
        session: guard.session_field(),
    };
    let schema = match (&guard.schema, &guard.upstream) {
        (Some(path), _) => GuardSchema::build(&read(&folder.join(path))?, &settings)?,
        (None, Some(url)) => GuardSchema::build(&cached(guard, url, folder).await?, &settings)?,
        (None, None) => GuardSchema::local(&settings)?,
    };
    // What is ours alone does not change under anybody's feet.
    if guard.schema.is_some() || guard.upstream.is_some() {
        check_lock(guard, folder, &schema)?;
    }
    Ok(schema)
}

/// Asks the API, and keeps what it says; without an answer, what it said last time.
async fn cached(guard: &GuardConfig, url: &Url, folder: &Path) -> Result<String, SchemaProblem> {
    let kept = folder.join(format!("{}.schema.graphql", guard.name));
    match fetch_sdl(url).await {
        Ok(sdl) => {
            write(&kept, &sdl)?;
            Ok(sdl)
        }
        Err(problem) if kept.exists() => {
            tracing::warn!(guard = guard.name, %problem, "the schema kept on disk is used");
            read(&kept)
        }
        Err(problem) => Err(problem),
    }
}

/// The schema of the API at `url`, as it shows it.
pub(crate) async fn fetch_sdl(url: &Url) -> Result<String, SchemaProblem> {
    let body = serde_json::json!({"query": INTROSPECTION_QUERY}).to_string();
    let answer = HttpClient::to([url])
        .post_json(url, body)
        .await
        .map_err(|cause| SchemaProblem::Fetch { url: url.to_string(), cause })?;
    sdl_of(&answer).ok_or_else(|| SchemaProblem::Closed(url.to_string()))
}

fn check_lock(
    guard: &GuardConfig,
    folder: &Path,
    schema: &GuardSchema,
) -> Result<(), SchemaProblem> {
    let path = match &guard.lock {
        Some(path) => folder.join(path),
        None => folder.join(format!("{}.lock", guard.name)),
    };
    if path.exists() {
        schema.check_lock(&parse_lock(&read(&path)?))?;
    }
    let table = schema.lock();
    // Written only when it says something new, so that a read-only folder may hold it.
    if fs::read_to_string(&path).ok().as_ref() != Some(&table) {
        write(&path, &table)?;
    }
    Ok(())
}

fn read(path: &PathBuf) -> Result<String, SchemaProblem> {
    fs::read_to_string(path)
        .map_err(|cause| SchemaProblem::File { path: path.display().to_string(), cause })
}

fn write(path: &PathBuf, text: &str) -> Result<(), SchemaProblem> {
    fs::write(path, text)
        .map_err(|cause| SchemaProblem::File { path: path.display().to_string(), cause })
}
