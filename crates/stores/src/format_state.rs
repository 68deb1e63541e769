//! How far the layout of a data source is, and how it is brought along.
//!
//! A layout has a format. A version with a new format first only *widens* the layout, so that
//! versions of the previous format keep working; then converts the existing rows; and *narrows* it
//! when it is told that no older version is running. From then on older versions refuse to open it,
//! and their writes fail where the engine can enforce that.

/// Whether tables and the like are made and brought along when a data source is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Migrate {
    /// Nothing is made or changed: what is missing refuses to open, and what is old is read as it is.
    Look,
    /// What is missing or too old refuses to open.
    No,
    /// What is missing refuses to open, and what is old is widened.
    Upgrade,
    /// What is missing is made, and what is old is widened. Quick, however much is there.
    #[default]
    Widen,
    /// Then existing rows are converted.
    Fill,
    /// Then it is narrowed: older versions no longer work with it.
    Finish,
}

impl Migrate {
    /// Whether what is missing is made.
    #[must_use]
    pub const fn creates(self) -> bool {
        matches!(self, Self::Widen | Self::Fill | Self::Finish)
    }
}

/// What a server's data source is after it was made or checked.
#[cfg(any(feature = "dynamodb", feature = "mongodb", feature = "postgres"))]
pub(crate) struct Prepared {
    pub(crate) format_state: FormatState,
    /// The id of this database.
    pub(crate) database: String,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
}

/// How far the layout of a data source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatState {
    /// The format that a build has to know to work with it.
    pub format: u64,
    /// The newest format of its engine, which it is at least widened for.
    pub newest: u64,
}

impl FormatState {
    /// Whether nothing is left to be done.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        self.format == self.newest
    }
}

/// Reports how many rows have been converted, so that the progress is visible.
pub(crate) struct Progress {
    done: u64,
    of: u64,
    reported: u64,
}

impl Progress {
    /// Rows between two words about it.
    const EVERY: u64 = 10_000;

    /// `of` rows are to be brought along, as far as is known.
    pub(crate) fn begin(of: u64) -> Self {
        if of > 0 {
            tracing::info!("migrating {of} names");
        }
        Self { done: 0, of, reported: 0 }
    }

    /// Adds `more` to the rows that are done.
    pub(crate) fn step(&mut self, more: u64) {
        self.done += more;
        if self.done - self.reported >= Self::EVERY {
            self.reported = self.done;
            tracing::info!("migrated {} of {} names", self.done, self.of.max(self.done));
        }
    }

    /// All rows are done.
    pub(crate) fn end(self) {
        if self.done > 0 {
            tracing::info!("migrated {} names", self.done);
        }
    }
}

/// Why a layout is refused.
pub(crate) struct Unusable<P = &'static str> {
    /// What it has or was; the place comes before it.
    pub(crate) problem: P,
    /// What the operator can do.
    pub(crate) remedy: &'static str,
}

/// What refuses a layout that is newer than this build.
pub(crate) fn too_new(format: impl std::fmt::Display, newest: u64) -> Unusable<String> {
    let problem = format!(
        "was created by a newer version of Castellan (format {format}; this version \
                 supports {newest})"
    );
    Unusable { problem, remedy: "use the newer version, or restore an older backup" }
}

/// What refuses a layout that is older than this build can work with as it is.
pub(crate) const TOO_OLD: Unusable = Unusable {
    problem: "has tables of an older version of Castellan",
    remedy: "run `castellan migrate`, or let the server upgrade them at startup",
};

/// What refuses to narrow a layout in which some rows are not brought along.
pub(crate) const LEFT: Unusable = Unusable {
    problem: "still has names that an older version of Castellan wrote",
    remedy: "stop all older versions that use it, and run the command again",
};
