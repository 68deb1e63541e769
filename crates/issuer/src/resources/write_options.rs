//! How a document is to be written.

use super::Precondition;

/// Whether to write, or only to say what would be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write.
    Write,
    /// Say what would be written.
    DryRun,
}

/// How a resource is to be written.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions<'a> {
    /// Whether to write at all.
    pub mode: Mode,
    /// What must hold of the resource as it is.
    pub preconditions: &'a [Precondition],
}

impl<'a> WriteOptions<'a> {
    /// To be written if `preconditions` hold.
    pub(crate) const fn write_if(preconditions: &'a [Precondition]) -> Self {
        Self { mode: Mode::Write, preconditions }
    }

    /// To be checked only, together with `preconditions`.
    pub(crate) const fn check_if(preconditions: &'a [Precondition]) -> Self {
        Self { mode: Mode::DryRun, preconditions }
    }
}
