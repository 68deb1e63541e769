//! Finds the database, makes or checks its tables, and sets connections up.

use std::{str::FromStr as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::store::Store;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use super::{Postgres, connections::Connections, fault::Fault};
use crate::{Migrate, OpenError, turnstile::Turnstile};

/// Connections of one node at most. More do not make a database faster.
const CONNECTIONS: usize = 16;
/// How long the database may work on a statement, and a transaction may stand idle.
const PATIENCE: [(&str, &str); 3] = [
    ("statement_timeout", "5000"),
    ("lock_timeout", "4000"),
    ("idle_in_transaction_session_timeout", "10000"),
];
/// The format that this build reads and writes.
const FORMAT: i64 = 1;
/// The oldest server that has what the feed needs, as `server_version_num`.
const OLDEST: i32 = 150_000;

/// Opens the database at `postgres://` and `rest`.
pub(crate) async fn open(rest: &str, migrate: Migrate) -> Result<Arc<dyn Store>, OpenError> {
    let options = PgConnectOptions::from_str(&format!("postgres://{rest}")).map_err(|_| {
        OpenError::Malformed {
            scheme: "postgres",
            problem: "has an address that does not read",
            remedy: "write postgres://USER:PASSWORD@HOST:PORT/DATABASE",
        }
    })?;
    let options = options
        .application_name("castellan")
        .options(PATIENCE)
        .options([("default_transaction_isolation", "read committed")])
        .disable_statement_logging();
    let connections = Connections::new(options);
    let mut line = connections.line().await.map_err(unreachable)?;
    let database = prepare(&mut line, migrate).await?;
    line.settle(Ok(())).ok();
    Ok(Arc::new(Turnstile::before(Postgres { connections, database }, CONNECTIONS)))
}

/// Makes or checks the tables; what tells this database from every other.
async fn prepare(connection: &mut PgConnection, migrate: Migrate) -> Result<String, OpenError> {
    let server: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut *connection)
        .await
        .map_err(unreachable)?;
    if server < OLDEST {
        return Err(OpenError::server(
            "postgres",
            format!("is version {}, and PostgreSQL 15 is the oldest that will do", server / 10_000),
            "upgrade it",
        ));
    }
    if exists(connection).await? {
        return check(connection).await;
    }
    if migrate == Migrate::No {
        return Err(OpenError::server(
            "postgres",
            "has no tables of Castellan's yet",
            "run `castellan migrate`, or let the start make them",
        ));
    }
    make(connection).await?;
    check(connection).await
}

async fn exists(connection: &mut PgConnection) -> Result<bool, OpenError> {
    sqlx::query_scalar("SELECT to_regclass('castellan_meta') IS NOT NULL")
        .fetch_one(connection)
        .await
        .map_err(unreachable)
}

/// Makes the tables. Several nodes may want to at a time: one does, the others find them made.
async fn make(connection: &mut PgConnection) -> Result<(), OpenError> {
    let mut transaction = connection.begin().await.map_err(unreachable)?;
    // Not on any path but this one.
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext('castellan migrate'))");
    lock.execute(&mut *transaction).await.map_err(refused)?;
    let made: bool = sqlx::query_scalar("SELECT to_regclass('castellan_meta') IS NOT NULL")
        .fetch_one(&mut *transaction)
        .await
        .map_err(refused)?;
    if !made {
        sqlx::raw_sql(include_str!("schema.sql"))
            .execute(&mut *transaction)
            .await
            .map_err(refused)?;
        sqlx::query("INSERT INTO castellan_meta (format, database) VALUES ($1, $2)")
            .bind(FORMAT)
            .bind(URL_SAFE_NO_PAD.encode(castellan_proto::random::<12>()))
            .execute(&mut *transaction)
            .await
            .map_err(refused)?;
    }
    transaction.commit().await.map_err(refused)
}

async fn check(connection: &mut PgConnection) -> Result<String, OpenError> {
    let (format, database): (i64, String) =
        sqlx::query_as("SELECT format, database FROM castellan_meta")
            .fetch_one(connection)
            .await
            .map_err(refused)?;
    if format > FORMAT {
        return Err(OpenError::server(
            "postgres",
            format!("was made by a newer Castellan (format {format}, this one knows {FORMAT})"),
            "use that Castellan, or restore a copy from before it",
        ));
    }
    Ok(database)
}

/// The database does not answer, or not to us.
fn unreachable(error: impl Into<Fault>) -> OpenError {
    let error = error.into();
    let (problem, remedy) = match &error {
        Fault::Sql(sqlx::Error::Database(said))
            if said.code().as_deref().is_some_and(|c| c.starts_with("28")) =>
        {
            ("does not let this user in", "check user and password, and pg_hba.conf")
        }
        Fault::Sql(sqlx::Error::Database(said)) if said.code().as_deref() == Some("3D000") => {
            ("has no such database", "make it with `createdb`")
        }
        Fault::Sql(sqlx::Error::Tls(_)) => {
            ("does not speak TLS as it should", "see sslmode and sslrootcert")
        }
        _ => ("does not answer", "check host and port, and that it runs"),
    };
    OpenError::server("postgres", problem, remedy).because(error)
}

/// The database answers and does not let us.
fn refused(error: sqlx::Error) -> OpenError {
    OpenError::server(
        "postgres",
        "refused to make or read Castellan's tables",
        "give this user a database or a schema of its own",
    )
    .because(error)
}
