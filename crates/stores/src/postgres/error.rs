//! What can go wrong behind the port. Goes to the log and nowhere else.

use castellan_issuer::store::StoreError;

use crate::OpenError;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// PostgreSQL refused, or did not respond.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// It did not take a new connection in time.
    #[error("no new connection within 3 s")]
    Unanswered,
    /// A row does not read, so something else than Castellan wrote it.
    #[error("a row is corrupt: its {0}")]
    Damaged(&'static str),
    /// The connection leads to a standby, which may be behind: a failover has happened, perhaps.
    #[error("this server is a standby, not the primary")]
    Standby,
    /// There were conflicts with other writers at every attempt.
    #[error("too much write contention")]
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

    /// Whether TLS did not come about. What is wrong with a certificate comes as data that is not
    /// valid (`std::io::ErrorKind::InvalidData`) from the handshake.
    fn is_about_tls(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Tls(_)) => true,
            Self::Sql(sqlx::Error::Io(error)) => error.kind() == std::io::ErrorKind::InvalidData,
            _ => false,
        }
    }

    /// Whether a connection is of no use after it.
    pub(super) fn breaks_the_line(&self) -> bool {
        match self {
            Self::Unanswered | Self::Standby => true,
            // What the server says as it hangs up comes as an answer.
            Self::Sql(sqlx::Error::Database(refusal)) => {
                refusal.code().as_deref().is_some_and(is_broken)
            }
            Self::Sql(error) => !matches!(error, sqlx::Error::ColumnDecode { .. }),
            Self::Damaged(_) | Self::Contended => false,
        }
    }
}

/// The database does not respond, or refuses the connection.
pub(super) fn unreachable(error: impl Into<DriverError>) -> OpenError {
    let error = error.into();
    let (problem, remedy) = match &error {
        DriverError::Sql(sqlx::Error::Database(refusal))
            if refusal.code().as_deref().is_some_and(|c| c.starts_with("28")) =>
        {
            // Its message names the user.
            let code = refusal.code().unwrap_or_default().into_owned();
            let remedy = "check user and password, and pg_hba.conf";
            return OpenError::server("postgres", "rejects this user", remedy)
                .because(format!("SQLSTATE {code}"));
        }
        DriverError::Sql(sqlx::Error::Database(refusal))
            if refusal.code().as_deref() == Some("3D000") =>
        {
            ("has no such database", "create it with `createdb`")
        }
        error if error.is_about_tls() => {
            ("has a problem with TLS", "check sslmode, sslrootcert and tls.roots")
        }
        _ => {
            let problem = match &error {
                DriverError::Sql(sqlx::Error::Io(cause)) => {
                    // Without the number of the error.
                    let cause = cause.to_string();
                    let cause = cause.split(" (os error").next().unwrap_or_default();
                    format!("does not respond: {cause}")
                }
                DriverError::Unanswered => "does not respond within 3 s".to_owned(),
                _ => "does not respond".to_owned(),
            };
            let remedy = "check host and port, and that it is running";
            return OpenError::server("postgres", problem, remedy).because(error);
        }
    };
    OpenError::server("postgres", problem, remedy).because(error)
}

/// The database responds and denies access.
pub(super) fn refused(error: sqlx::Error) -> OpenError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let (problem, remedy) = match code.as_deref() {
        Some("55P03" | "57014") => (
            "took too long to create or read the tables of Castellan",
            "start again once no other node or statement holds them",
        ),
        _ => (
            "refused to create or read the tables of Castellan",
            "give this user a database or a schema of its own",
        ),
    };
    OpenError::server("postgres", problem, remedy).because(error)
}

/// Whether a connection on which the server answers with this code can no longer be used. A full
/// disk (53100) or a statement that took too long (57014) is not the connection's fault.
fn is_broken(code: &str) -> bool {
    // It leads to a server that cannot be written to (a read-only transaction); it was idle in a
    // transaction for too long; or its prepared statements are gone or have changed, because a
    // proxy has switched the server behind it, or somebody has changed the tables.
    matches!(code, "25006" | "25P03" | "0A000" | "26000" | "42P05")
        // The connection is lost; the server is shutting down, has crashed or is starting.
        || code.starts_with("08")
        || code.starts_with("57P")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_given_up_for_what_is_its_own_fault() {
        for code in ["25006", "57P01", "57P03", "08006", "08003", "26000"] {
            assert!(is_broken(code), "{code}");
        }
        for code in ["53100", "57014", "40001", "23505", "55P03"] {
            assert!(!is_broken(code), "{code}");
        }
    }
}
