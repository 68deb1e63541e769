//! Whether others on this machine can read the files that everything else is protected by.

use std::path::PathBuf;

use super::data_source;
use crate::{
    config::{Loaded, SecretRef},
    files,
};

/// What is to be said of files of `loaded` that other users of this machine can read or write, in
/// sentences that say what to do. Files that Castellan makes are for their owner only (mode 0600); these
/// were restored, copied or mounted. They are not refused: where secrets are mounted into a container of
/// one user, their mode often says that everybody may read them.
pub(crate) fn warnings(loaded: &Loaded) -> Vec<String> {
    let data = &loaded.config.data;
    let mut found: Vec<(&str, PathBuf)> = Vec::new();
    if let Some(database) = data_source::database(loaded) {
        if data.master_key.is_none() {
            found.push(("the master key", data_source::key_path(&database)));
        }
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        found.push(("the database", database));
        found.push(("the log of the database", log.into()));
    }
    for (what, reference) in [
        ("the master key", &data.master_key),
        ("the previous master key", &data.previous_master_key),
    ] {
        if let Some(file) = reference.as_ref().and_then(SecretRef::file) {
            found.push((what, loaded.folder.join(file)));
        }
    }
    found.retain(|(_, path)| files::is_open_to_others(path));
    let warning = |(what, path): (&str, PathBuf)| {
        let path = path.display();
        format!("other users of this machine can read or write {what}, {path}; chmod o-rwx {path}")
    };
    found.into_iter().map(warning).collect()
}
