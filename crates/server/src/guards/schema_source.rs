//! Where a guard's schema comes from: a file, or the API itself, kept on disk (`docs/rules.md` rule
//! 8).

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use castellan_gate::{
    Drift, GuardSchema, Lock, SchemaError, SchemaSettings, parse_lock,
    rest::{MapError, OpenApiError, RestLockError},
};
use castellan_proto::Digest;
use http::Method;
use url::Url;

use super::{
    Surface,
    introspection::{NoSchema, OFFER_QUERY, Offer, body, sdl_of, why_no_offer},
};
use crate::{
    config::GuardConfig,
    files,
    http_client::{HttpClient, HttpClientError},
    roots::TrustedRoots,
};

/// Why there is no schema, or not the newest one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaProblem {
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// The schema does not suit the guard.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The operations do not suit the guard.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The `OpenAPI` document does not suit the guard.
    #[error(transparent)]
    OpenApi(#[from] OpenApiError),
    /// The lock file cannot be read.
    #[error(transparent)]
    RestLock(#[from] RestLockError),
    /// A file is no document.
    #[error("{path}: {why}")]
    Document {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// The API could not be asked.
    #[error("could not read the schema of {url}: {cause}; set `schema` to an SDL file")]
    Fetch {
        /// Which API.
        url: String,
        /// Why.
        cause: HttpClientError,
    },
    /// The API takes its time.
    #[error("{0} has not answered yet when it was asked for its schema")]
    Awaited(String),
    /// Files take too long to be read.
    #[error("its files have not been read within {} seconds; is the disk that they are on there?",
            files::PATIENCE.as_secs())]
    Slow,
    /// The API does not show its schema.
    #[error("{0} does not allow introspection: set `schema` to an SDL file")]
    Closed(String),
    /// The API does not show its schema, and says why.
    #[error("{url} refuses introspection: {message:?}; set `schema` to an SDL file")]
    Refused {
        /// Which API.
        url: String,
        /// What it says, made fit to be shown.
        message: String,
    },
    /// The API shows something that is no schema.
    #[error("the introspection response of {0} is not a schema: set `schema` to an SDL file")]
    Unreadable(String),
    /// The API shows its schema, but does not tell what else could be asked for.
    #[error(
        "{url} does not tell which introspection fields it has: {why}. Its schema was read with \
         those of 2018, without deprecated arguments and input fields, repeatable directives, \
         @oneOf and @specifiedBy: requests that use them may be refused. Set `schema` to an SDL \
         file"
    )]
    Incomplete {
        /// Which API.
        url: String,
        /// What it says, made fit to be shown.
        why: String,
    },
}

impl SchemaProblem {
    /// Of which kind it is, in a word that tells strangers nothing else.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Fetch { .. }
            | Self::Awaited(_)
            | Self::Closed(_)
            | Self::Refused { .. }
            | Self::Unreadable(_) => "schema_unavailable",
            Self::Incomplete { .. } => "schema_incomplete",
            Self::File { .. } | Self::Slow => "file_unusable",
            Self::Schema(SchemaError::Remapped { .. })
            | Self::OpenApi(OpenApiError::Remapped { .. }) => "mapping_changed",
            Self::Schema(SchemaError::Lock(_)) | Self::RestLock(_) => "lock_unreadable",
            Self::Schema(SchemaError::Unenforced(_)) => "rule_not_enforced",
            Self::Schema(_) => "schema_invalid",
            Self::Map(_) | Self::OpenApi(_) | Self::Document { .. } => "operations_invalid",
        }
    }
}

/// A schema to decide by.
pub(crate) struct Built {
    pub(crate) surface: Surface,
    /// Where it and the lock file part.
    pub(crate) drifts: Vec<Drift>,
    /// Why it is not the newest one.
    pub(crate) behind: Option<SchemaProblem>,
    /// Why it may lack something.
    pub(crate) incomplete: Option<SchemaProblem>,
    /// What it says that has no effect, in sentences.
    pub(crate) notes: Vec<String>,
    /// What it was made from.
    pub(crate) made_from: Digest,
}

/// What an API shows of itself.
pub(crate) struct Shown {
    pub(crate) sdl: String,
    /// Why it may lack something.
    pub(crate) incomplete: Option<SchemaProblem>,
}

/// Bytes of a schema, or of a lock file; an API may show as many.
const MOST: u64 = 32 * 1024 * 1024;

/// What a schema is made from.
pub(crate) struct Material {
    pub(super) text: Text,
    /// The schema kept on disk, if the text is the API's own.
    cache: Option<PathBuf>,
    pub(super) lock: Option<(PathBuf, String)>,
}

pub(super) enum Text {
    /// A file that the configuration names.
    Owned(String),
    /// What the API shows now.
    Shown(Shown),
    /// What it showed last, as it could not be asked.
    Kept(String, SchemaProblem),
    /// Nothing but our own fields.
    Ours,
}

/// Builds the schema of `guard` and holds it against its lock file, as a server does, for a command that
/// looks: no file is written. The API is verified against `roots`.
pub(crate) async fn build(
    guard: &GuardConfig,
    folder: &Path,
    roots: &TrustedRoots,
) -> Result<Built, SchemaProblem> {
    gather(guard, folder, ask(guard, roots).await)?.build(guard, Files::Checked)
}

/// Builds the same, and writes the files that a server writes.
pub(crate) async fn build_and_write(
    guard: &GuardConfig,
    folder: &Path,
    roots: &TrustedRoots,
) -> Result<Built, SchemaProblem> {
    gather(guard, folder, ask(guard, roots).await)?.build(guard, Files::Written)
}

/// What becomes of the lock file and of the schema kept on disk where another text belongs there.
#[derive(Clone, Copy)]
pub(super) enum Files {
    /// They are written.
    Written,
    /// It is only checked whether they could be: nothing is written for whoever looks, and what a
    /// server could not write is a problem all the same.
    Checked,
}

/// The text that the schema of `guard` is made from, if it is not ours alone. Nothing is written.
pub(crate) async fn text(
    guard: &GuardConfig,
    folder: &Path,
    roots: &TrustedRoots,
) -> Result<Option<String>, SchemaProblem> {
    Ok(match gather(guard, folder, ask(guard, roots).await)?.text {
        Text::Owned(text) | Text::Shown(Shown { sdl: text, .. }) | Text::Kept(text, _) => {
            Some(text)
        }
        Text::Ours => None,
    })
}

/// The API that `guard` has its schema from; none if that is in a file.
pub(crate) fn source(guard: &GuardConfig) -> Option<&Url> {
    guard.upstream.as_ref().filter(|_| guard.schema.is_none() && !guard.is_http())
}

/// Asks the API, if that is where the schema is from.
pub(crate) async fn ask(
    guard: &GuardConfig,
    roots: &TrustedRoots,
) -> Option<Result<Shown, SchemaProblem>> {
    match source(guard) {
        Some(url) => Some(fetch(url, roots).await),
        None => None,
    }
}

/// Reads files; `shown` is what the API shows. Blocks as long as the disk does.
pub(crate) fn gather(
    guard: &GuardConfig,
    folder: &Path,
    shown: Option<Result<Shown, SchemaProblem>>,
) -> Result<Material, SchemaProblem> {
    let lock = folder.join(guard.lock_name());
    let (text, cache) = match (guard.schema.as_ref().or(guard.openapi.as_ref()), shown) {
        (Some(path), _) => (Text::Owned(read(&folder.join(path))?), None),
        (None, Some(shown)) => {
            let cache = folder.join(format!("{}.schema.graphql", guard.name));
            let text = match shown {
                Ok(shown) => Text::Shown(shown),
                Err(problem) if cache.exists() => Text::Kept(read(&cache)?, problem),
                Err(problem) => return Err(problem),
            };
            (text, Some(cache))
        }
        // What is ours alone does not change under anybody's feet.
        (None, None) => return Ok(Material { text: Text::Ours, cache: None, lock: None }),
    };
    let agreed = match files::read_text(&lock, MOST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(failed(&lock, cause)),
    };
    Ok(Material { text, cache, lock: Some((lock, agreed)) })
}

impl Material {
    /// Changes whenever what is made from it may.
    pub(crate) fn digest(&self) -> Digest {
        let (from, text) = match &self.text {
            Text::Owned(text) => ("file", &**text),
            Text::Shown(Shown { sdl, incomplete: None }) => ("api", &**sdl),
            Text::Shown(Shown { sdl, .. }) => ("api in part", &**sdl),
            Text::Kept(text, _) => ("disk", &**text),
            Text::Ours => ("ours", ""),
        };
        let lock = self.lock.as_ref().map_or("", |(_, text)| text);
        Digest::of(format!("{from} {}\n{text}\n{lock}", text.len()).as_bytes())
    }

    /// Makes the schema. What an API shows now and what does not suit is left: what it showed last is
    /// gone on with, if that is on disk.
    pub(super) fn build(self, guard: &GuardConfig, files: Files) -> Result<Built, SchemaProblem> {
        if guard.is_http() {
            return self.build_map(guard, files);
        }
        let made_from = self.digest();
        let agreed = match &self.lock {
            Some((_, text)) => parse_lock(text)?,
            None => Lock::new(),
        };
        let read_sdl = |sdl: &str, source: &str| {
            GuardSchema::build_agreed(sdl, &settings(guard, source), &agreed)
        };
        let cache = self.cache.as_deref();
        let name = cache.map_or_else(String::new, |path| path.display().to_string());
        let (mut newest, mut lacks) = (None, None);
        let ((schema, drifts), behind) = match self.text {
            Text::Ours => ((GuardSchema::local(&settings(guard, ""))?, Vec::new()), None),
            Text::Owned(sdl) => {
                let file = guard.schema.as_ref().map(|path| path.display().to_string());
                (read_sdl(&sdl, &file.unwrap_or_default())?, None)
            }
            Text::Kept(sdl, problem) => (read_sdl(&sdl, &name)?, Some(problem)),
            Text::Shown(Shown { sdl, incomplete }) => {
                match read_sdl(&sdl, "the schema of the upstream") {
                    Ok(made) => {
                        (newest, lacks) = (Some(sdl), incomplete);
                        (made, None)
                    }
                    Err(error) => {
                        let kept = cache.and_then(|path| files::read_text(path, MOST).ok());
                        let kept = kept.filter(|kept| *kept != sdl);
                        match kept.and_then(|kept| read_sdl(&kept, &name).ok()) {
                            Some(made) => (made, Some(error.into())),
                            None => return Err(error.into()),
                        }
                    }
                }
            }
        };
        // What is gone on with is written down before anybody is let through by it.
        let table = schema.lock(&agreed);
        if let Some((path, text)) = &self.lock
            && parse_lock(&table)? != agreed
        {
            files.put(path, text, &table)?;
        }
        if let (Some(path), Some(sdl)) = (cache, newest) {
            let kept = files::read_text(path, MOST).unwrap_or_default();
            files.put(path, &kept, &sdl)?;
        }
        let surface = Surface::Graphql(Arc::new(schema));
        let notes = Vec::new();
        Ok(Built { surface, drifts, behind, incomplete: lacks, notes, made_from })
    }
}

fn settings(guard: &GuardConfig, source: &str) -> SchemaSettings {
    SchemaSettings {
        naming: guard.naming(),
        overrides: guard.overrides.clone(),
        session: guard.session_field(),
        create_token: guard.creates_tokens(),
        source: source.to_owned(),
        upstream_enforces: guard.upstream_enforces.clone(),
    }
}

/// `url` as it is shown: what is in its query may be a key.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    if shown.query().is_some() {
        shown.set_query(Some("…"));
    }
    // The mark is a character, and not what it is in a URL.
    shown.to_string().replace("?%E2%80%A6", "?…")
}

/// The schema of the API at `url`, as it shows it; its certificate is checked against `roots`.
pub(crate) async fn fetch_sdl(url: &Url, roots: &TrustedRoots) -> Result<String, SchemaProblem> {
    Ok(fetch(url, roots).await?.sdl)
}

/// The same, and whether it may lack something.
async fn fetch(url: &Url, roots: &TrustedRoots) -> Result<Shown, SchemaProblem> {
    let client = HttpClient::to(roots, [url]);
    let ask = async |query: &str| {
        let answer = client.send(Method::POST, url, None, body(query)).await;
        answer.map_err(|cause| SchemaProblem::Fetch { url: shown(url), cause })
    };
    let (status, told) = ask(OFFER_QUERY).await?;
    let offer = Offer::read(&told);
    let incomplete = offer.is_none().then(|| {
        let why = why_no_offer(status, &told);
        SchemaProblem::Incomplete { url: shown(url), why }
    });
    // An API that does not tell is asked for the least.
    let (status, told) = ask(&offer.unwrap_or_default().introspection_query()).await?;
    let sdl = sdl_of(status, &told).map_err(|why| {
        let url = shown(url);
        match why {
            NoSchema::Status(status) => {
                SchemaProblem::Fetch { url, cause: HttpClientError::Status(status) }
            }
            NoSchema::Refused(message) => SchemaProblem::Refused { url, message },
            NoSchema::Closed => SchemaProblem::Closed(url),
            NoSchema::Unreadable => SchemaProblem::Unreadable(url),
        }
    })?;
    Ok(Shown { sdl, incomplete })
}

fn failed(path: &Path, cause: io::Error) -> SchemaProblem {
    SchemaProblem::File { path: path.display().to_string(), cause }
}

fn read(path: &Path) -> Result<String, SchemaProblem> {
    files::read_text(path, MOST).map_err(|cause| failed(path, cause))
}

impl Files {
    /// Puts `text` in the place of `old`, or sees whether that could be done. Only if it is another
    /// one, so that a read-only folder may hold it.
    pub(super) fn put(self, path: &Path, old: &str, text: &str) -> Result<(), SchemaProblem> {
        let done = match self {
            _ if old == text => Ok(()),
            Self::Written => write(path, text),
            Self::Checked => files::check_can_create(path),
        };
        done.map_err(|cause| failed(path, cause))
    }
}

/// Puts `text` in the place of what is there, whole or not at all: others read it at any moment.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".castellan-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
        .and_then(|mut file| {
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.persist(path).map(drop).map_err(|error| error.error)
        })
}
