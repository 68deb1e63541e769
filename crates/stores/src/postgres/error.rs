//! What can go wrong behind the port. Goes to the log and nowhere else.

use castellan_issuer::store::StoreError;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// PostgreSQL said no, or did not answer.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// It did not take a new connection in time.
    #[error("no new connection within 3 s")]
    Unanswered,
    /// A row does not read, so something else than Castellan wrote it.
    #[error("a row is damaged: its {0}")]
    Damaged(&'static str),
    /// Others were in the way at every try.
    #[error("the transaction was in the way of others, again and again")]
    Contended,
}

impl From<DriverError> for StoreError {
    fn from(fault: DriverError) -> Self {
        Self::new(fault)
    }
}

impl DriverError {
    /// Whether the database undid the transaction because another was in its way (a deadlock, or a
    /// serialization failure): to do it again is safe, and all that has to be done.
    pub(super) fn is_a_clash(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("40001" | "40P01"))
    }

    /// Whether a connection is of no use after it.
    pub(super) fn breaks_the_line(&self) -> bool {
        match self {
            Self::Unanswered => true,
            // What the server says as it hangs up comes as an answer.
            Self::Sql(sqlx::Error::Database(said)) => said.code().is_some_and(|code| {
                code.starts_with("57P") || code.starts_with("08") || code == "25P03"
            }),
            Self::Sql(error) => !matches!(error, sqlx::Error::ColumnDecode { .. }),
            Self::Damaged(_) | Self::Contended => false,
        }
    }
}
