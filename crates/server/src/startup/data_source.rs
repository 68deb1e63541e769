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
use castellan_proto::Lifetime;
use castellan_stores::{Migrate, OpenError, Opened, Surroundings};

use crate::{
    config::{ConfigError, Loaded, SecretRef},
    files, logging,
};

/// Why there is nothing to keep records in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// The data source does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no database, and none is to be made.
    #[error("no database at {database}{cause}")]
    Absent {
        /// Where it should be.
        database: String,
        /// Why none is made, and what to do.
        cause: &'static str,
    },
    /// There is no database, and none can be made.
    #[error(
        "cannot create {path}: {cause}; check data.url, and that this user can write to the directory"
    )]
    Uncreatable {
        /// The database.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
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

/// What a command does with the data source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads what is there, and makes nothing: no database, no tables and no keys.
    Look,
    /// It writes to the data source that is there.
    Change,
    /// It makes a data source if there is none, unless `data.create` is `false`, and says so.
    Begin,
    /// It makes one for itself, which is gone when it ends.
    Scratch,
}

impl Access {
    /// What is made and upgraded in the data source of `loaded`.
    pub(crate) const fn migrate(self, loaded: &Loaded) -> Migrate {
        let data = &loaded.config.data;
        match self {
            Self::Scratch => Migrate::Widen,
            _ if !data.migrate => Migrate::No,
            Self::Look => Migrate::Look,
            Self::Begin if data.create => Migrate::Widen,
            Self::Begin | Self::Change => Migrate::Upgrade,
        }
    }
}

/// An open data source, and what opens the keys in it.
#[derive(Clone)]
pub(crate) struct Data {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) master: MasterKey,
    /// Where it is, in words for the operator, without user and password.
    pub(crate) place: String,
}

/// Opens both, for a command with `access`.
pub(crate) async fn open(loaded: &Loaded, access: Access) -> Result<Data, DataError> {
    let url = &loaded.config.data.url;
    castellan_stores::check(url)?;
    check_presence(loaded, access)?;
    if let Some(database) = database(loaded) {
        // Before a key is made.
        check_can_create(&database)?;
    }
    // Looked at before the database is made.
    let existed = database(loaded).is_some_and(|path| path.exists());
    let master = master(loaded, existed)?;
    let opened = open_store(loaded, url, access.migrate(loaded)).await?;
    let Opened { store, format_state, is_new, place } = opened;
    if is_new && access == Access::Begin {
        logging::warn(&created(loaded, &place));
    }
    if !format_state.is_finished() {
        tracing::info!(
            "older versions (format {}) can still use the data source; when none is running, run \
             `castellan migrate --finish`",
            format_state.format
        );
    }
    Ok(Data { store, master, place })
}

/// What whoever runs a server must not overlook: that it has none of the data that should be there.
fn created(loaded: &Loaded, place: &str) -> String {
    let key = database(loaded).filter(|_| loaded.config.data.master_key.is_none());
    let key = key.map(|path| format!(", with the master key {}", key_path(&path).display()));
    format!(
        "no data was found: created a new, empty data source at {place}{}. If your data \
         should be there, check data.url and that its disk is mounted. With `create = false` in \
         [data] none is created.",
        key.unwrap_or_default()
    )
}

/// Whether there is an embedded database, or a command with `access` may make one.
pub(crate) fn check_presence(loaded: &Loaded, access: Access) -> Result<(), DataError> {
    let Some(path) = database(loaded).filter(|path| !path.exists()) else { return Ok(()) };
    let data = &loaded.config.data;
    let cause = match access.migrate(loaded) {
        migrate if migrate.creates() => return Ok(()),
        _ if access != Access::Begin => {
            "; start with `castellan serve`, or run `castellan migrate`"
        }
        _ if !data.create => {
            ", and data.create is false: check data.url and that its disk is mounted, or create one \
             with `castellan migrate`"
        }
        _ => {
            ", and data.migrate is false: check data.url and that its disk is mounted, or create one \
             with `castellan migrate`"
        }
    };
    Err(DataError::Absent { database: path.display().to_string(), cause })
}

/// Whether address and master key are good, and whether what is missing may be made, as [`open`] finds
/// them for a server; opens and makes nothing.
pub(crate) fn check(loaded: &Loaded) -> Result<(), DataError> {
    castellan_stores::check(&loaded.config.data.url)?;
    named_key(loaded)?;
    previous_key(loaded)?;
    check_presence(loaded, Access::Begin)?;
    let Some(database) = database(loaded) else { return Ok(()) };
    if loaded.config.data.master_key.is_none() {
        key_of(&database, database.exists())?;
    }
    check_can_create(&database)
}

/// Whether the embedded database can be made where it is to be, if it is not there, and its key.
fn check_can_create(database: &Path) -> Result<(), DataError> {
    if database.exists() {
        return Ok(());
    }
    files::check_can_create(database)
        .map_err(|cause| DataError::Uncreatable { path: database.display().to_string(), cause })
}

/// The file of the embedded database, if it is that.
pub(crate) fn database(loaded: &Loaded) -> Option<PathBuf> {
    let path = loaded.folder.join(loaded.config.data.url.strip_prefix("sqlite://")?);
    // As a whole, because it is named in what is said.
    Some(std::path::absolute(&path).unwrap_or(path))
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
    let roots = loaded.roots.pem();
    let around = Surroundings { folder: &loaded.folder, roots: &roots };
    open_patiently(around, url, migrate, loaded.config.data.wait).await
}

/// Opens the address; for so long as `wait` says, a server that does not answer is tried again.
async fn open_patiently(
    around: Surroundings<'_>,
    url: &str,
    migrate: Migrate,
    wait: Option<Lifetime>,
) -> Result<Opened, OpenError> {
    let (start, mut pause) = (Instant::now(), Duration::from_millis(100));
    loop {
        match castellan_stores::open_in(around, url, migrate).await {
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
pub(crate) fn key_path(database: &Path) -> PathBuf {
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
