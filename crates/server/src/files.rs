//! Files that others put there: read without trusting them to end, or to answer at all.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

/// How long files may take to be read. A network mount that hangs does not say so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The text of the regular file at `path`, of at most `most` bytes. What is no regular file (a pipe, a
/// device) may never end, and is refused without waiting for it.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::Other`] if the file is not such a one.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(no_wait).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    Ok(text)
}

/// Whether the file at `path` can be written to, or made if it is not there. Neither makes nor changes
/// anything.
///
/// # Errors
/// Those that writing would meet.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    match OpenOptions::new().append(true).custom_flags(no_wait).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_can_create(path),
        other => other.map(drop),
    }
}

/// Whether a file can be made, or put in the place of another, at `path`. Neither makes nor changes
/// anything.
///
/// # Errors
/// Those that making it would meet.
pub(crate) fn check_can_create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    if !folder.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Ok(rustix::fs::access(folder, access)?)
}

/// Whether users of this machine besides the owner and the group of the file at `path` can read or
/// write it: its mode lets them, and they may enter every folder that it is in.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let mode = |path: &Path| path.metadata().map_or(0, |file| file.mode());
    mode(&path) & 0o006 != 0 && path.ancestors().skip(1).all(|folder| mode(folder) & 0o001 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_written_is_known_without_making_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("lines");
        check_writable(&file)?;
        assert!(!file.exists());
        std::fs::write(&file, "text")?;
        check_writable(&file)?;
        assert_eq!(std::fs::read_to_string(&file)?, "text");
        assert!(check_writable(folder.path()).is_err(), "a folder is no file");
        assert!(check_writable(&folder.path().join("none/lines")).is_err());
        assert!(check_writable(&file.join("lines")).is_err(), "a file is no folder");
        Ok(())
    }

    #[test]
    fn a_file_is_open_to_others_only_where_they_may_enter_its_folders() -> io::Result<()> {
        use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

        let folder = tempfile::tempdir()?;
        let file = folder.path().join("key");
        std::fs::write(&file, "text")?;
        let is_open = |of_folder, of_file| -> io::Result<bool> {
            std::fs::set_permissions(folder.path(), Permissions::from_mode(of_folder))?;
            std::fs::set_permissions(&file, Permissions::from_mode(of_file))?;
            Ok(is_open_to_others(&file))
        };
        assert!(is_open(0o755, 0o644)?);
        assert!(is_open(0o711, 0o604)?);
        assert!(!is_open(0o755, 0o640)?, "a group is chosen on purpose");
        assert!(!is_open(0o700, 0o644)?);
        Ok(())
    }

    #[test]
    fn a_text_is_read_from_a_regular_file_of_bounded_size_alone() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("text");
        std::fs::write(&path, "text")?;
        assert_eq!(read_text(&path, 4)?, "text");
        assert!(read_text(&path, 3).is_err());
        assert!(read_text(folder.path(), 4).is_err());
        assert!(read_text(Path::new("/dev/zero"), 4).is_err());
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status()?;
        assert!(made.success());
        assert!(read_text(&pipe, 4).is_err(), "nobody writes, and nobody waits");
        let missing = read_text(&folder.path().join("missing"), 4).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        Ok(())
    }
}
