//! What commands print. Whoever reads it may go away in the middle (`castellan get User | head`): then
//! the rest is not printed, and the command still does all that it is there for.

use std::{
    fmt::Arguments,
    io::{self, Write as _},
    sync::OnceLock,
};

/// Why nothing can be printed any more.
static BROKEN: OnceLock<io::Error> = OnceLock::new();

/// Prints a line, as the macro of the same name in the standard library does, without a panic.
macro_rules! println {
    ($($text:tt)*) => {
        $crate::cli::output::write(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// The same without a new line.
macro_rules! print {
    ($($text:tt)*) => {
        $crate::cli::output::write(format_args!($($text)*))
    };
}

/// Writes `text` to standard output, unless that has failed before.
pub(super) fn write(text: Arguments<'_>) {
    if BROKEN.get().is_none()
        && let Err(error) = io::stdout().write_fmt(text)
    {
        let _ = BROKEN.set(error);
    }
}

/// Why not all could be printed; none if nobody was there to read it.
pub(super) fn failure() -> Option<&'static io::Error> {
    if BROKEN.get().is_none()
        && let Err(error) = io::stdout().flush()
    {
        let _ = BROKEN.set(error);
    }
    BROKEN.get().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
}

/// `count` and `name`, which is given in the singular.
pub(super) fn counted(count: impl std::fmt::Display, name: &str) -> String {
    let count = count.to_string();
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {name}{ending}")
}
