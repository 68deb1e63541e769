//! Files that others put there: read without trusting them to end, or to answer at all.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
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

#[cfg(test)]
mod tests {
    use super::*;

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
