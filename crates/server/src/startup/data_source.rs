//! Opens the data source and the master key that a configuration names.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use castellan_issuer::{keys::MasterKey, store::Store};
use castellan_stores::{Migrate, OpenError, Opened};

use crate::config::{ConfigError, Loaded, SecretRef};

/// Why there is nothing to keep records in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// The data source does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is a database, and the key that it was made with is gone.
    #[error(
        "{database} exists, but its master key {key} does not: restore the key, or set \
         data.master_key"
    )]
    KeyGone {
        /// The database.
        database: String,
        /// Where the key should be.
        key: String,
    },
    /// The key is the one that everybody guesses first.
    #[error(
        "data.master_key consists of zeros only; generate one with `castellan key new-master`, \
         and set this one as data.previous_master_key if it was in use"
    )]
    ZeroKey,
    /// The key file cannot be used.
    #[error("{path}: {cause}")]
    Key {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// Only an embedded database has a folder to keep a key in.
    #[error(
        "data.master_key is not set; set it with {{ env = \"NAME\" }} or {{ file = \"path\" }}"
    )]
    NoKey,
}

/// Opens both.
pub(crate) async fn open(loaded: &Loaded) -> Result<(Arc<dyn Store>, MasterKey), DataError> {
    let url = &loaded.config.data.url;
    castellan_stores::check(url)?;
    // Looked at before the database is made.
    let existed = database(loaded).is_some_and(|path| path.exists());
    let master = master(loaded, existed)?;
    let migrate = if loaded.config.data.migrate { Migrate::Widen } else { Migrate::No };
    let Opened { store, format_state } = open_store(loaded, url, migrate).await?;
    if !format_state.is_finished() {
        tracing::info!(
            "older versions (format {}) can still use the data source; when none is running, run \
             `castellan migrate --finish`",
            format_state.format
        );
    }
    Ok((store, master))
}

/// Whether address and master key are good, as [`open`] finds them; opens and makes nothing.
pub(crate) fn check(loaded: &Loaded) -> Result<(), DataError> {
    castellan_stores::check(&loaded.config.data.url)?;
    named_key(loaded)?;
    previous_key(loaded)?;
    match database(loaded).filter(|_| loaded.config.data.master_key.is_none()) {
        Some(database) => key_of(&database, database.exists()).map(drop),
        None => Ok(()),
    }
}

/// The file of the embedded database, if it is that.
pub(crate) fn database(loaded: &Loaded) -> Option<PathBuf> {
    loaded.config.data.url.strip_prefix("sqlite://").map(|path| loaded.folder.join(path))
}

/// The master key. One is made beside the embedded database if none is there and nothing `existed`
/// before that could need it.
pub(crate) fn master(loaded: &Loaded, existed: bool) -> Result<MasterKey, DataError> {
    let master = match (named_key(loaded)?, database(loaded)) {
        (Some(named), _) => named,
        (None, Some(database)) => match key_of(&database, existed)? {
            Some(key) => key,
            None => make_key(&database)?,
        },
        (None, None) => return Err(DataError::NoKey),
    };
    Ok(match previous_key(loaded)? {
        Some(previous) => master.after(previous),
        None => master,
    })
}

/// Makes the key of an embedded database that is not there yet and that no setting names a key for, as
/// the first [`open`] does.
pub(crate) fn make_missing_key(loaded: &Loaded) -> Result<(), DataError> {
    let is_new = database(loaded).is_some_and(|path| !path.exists());
    if is_new && loaded.config.data.master_key.is_none() {
        master(loaded, false)?;
    }
    Ok(())
}

/// The key that `data.master_key` names; only an embedded database does without.
fn named_key(loaded: &Loaded) -> Result<Option<MasterKey>, DataError> {
    match &loaded.config.data.master_key {
        Some(reference) => match resolve(loaded, reference, "data.master_key")? {
            key if key.is_zero() => Err(DataError::ZeroKey),
            key => Ok(Some(key)),
        },
        None if database(loaded).is_none() => Err(DataError::NoKey),
        None => Ok(None),
    }
}

fn previous_key(loaded: &Loaded) -> Result<Option<MasterKey>, DataError> {
    let previous = loaded.config.data.previous_master_key.as_ref();
    previous.map(|reference| resolve(loaded, reference, "data.previous_master_key")).transpose()
}

fn resolve(loaded: &Loaded, reference: &SecretRef, name: &str) -> Result<MasterKey, DataError> {
    let secret = reference.resolve(&loaded.folder)?;
    MasterKey::read(secret.expose())
        .map_err(|error| DataError::Key { path: name.to_owned(), cause: error.to_string() })
}

/// Opens the data source at `url` alone; a file's path is relative to that of the configuration.
pub(crate) async fn open_store(
    loaded: &Loaded,
    url: &str,
    migrate: Migrate,
) -> Result<Opened, OpenError> {
    let url = match url.strip_prefix("sqlite://") {
        Some(path) => format!("sqlite://{}", loaded.folder.join(path).display()),
        None => url.to_owned(),
    };
    open_patiently(&url, migrate, loaded).await
}

/// Opens `url`; for so long as `data.wait` says, a server that does not answer is tried again.
async fn open_patiently(url: &str, migrate: Migrate, loaded: &Loaded) -> Result<Opened, OpenError> {
    let (wait, roots) = (loaded.config.data.wait, loaded.roots.pem());
    let (start, mut pause) = (Instant::now(), Duration::from_millis(100));
    loop {
        match castellan_stores::open_verified_by(url, migrate, &roots).await {
            Err(error)
                if error.may_pass() && wait.is_some_and(|wait| start.elapsed() < wait.get()) =>
            {
                tracing::warn!(%error, "cannot open the data source; retrying");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            done => return done,
        }
    }
}

/// Where the key of `database` is.
fn key_path(database: &Path) -> PathBuf {
    database.with_extension("key")
}

fn key_error(path: &Path, cause: &dyn std::fmt::Display) -> DataError {
    DataError::Key { path: path.display().to_string(), cause: cause.to_string() }
}

/// The key in the file beside `database`; none if that is not there, and the database neither.
fn key_of(database: &Path, existed: bool) -> Result<Option<MasterKey>, DataError> {
    let path = key_path(database);
    match std::fs::read_to_string(&path) {
        Ok(text) => MasterKey::read(&text).map(Some).map_err(|error| key_error(&path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && existed => {
            Err(DataError::KeyGone {
                database: database.display().to_string(),
                key: path.display().to_string(),
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(key_error(&path, &error)),
    }
}

/// Makes a key beside `database`, readable by its owner only.
fn make_key(database: &Path) -> Result<MasterKey, DataError> {
    let (path, key) = (key_path(database), MasterKey::generate());
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    made.and_then(|mut file| {
        file.write_all(key.text().as_bytes())?;
        file.sync_all()
    })
    .map_err(|error| key_error(&path, &error))?;
    Ok(key)
}
