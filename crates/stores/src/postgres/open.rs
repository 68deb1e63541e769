//! Finds the database, makes or checks its tables, and sets connections up.

use std::{str::FromStr as _, sync::Arc};

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use super::{Postgres, connections::Connections, error::unreachable, format};
use crate::{
    OpenError, Opened,
    format_state::{FormatState, Migrate},
    limiter::Limiter,
};

/// Connections of one node at most. More do not make a database faster.
const CONNECTIONS: usize = 16;
/// How long the database may work on a statement, and a transaction may stand idle.
const PATIENCE: [(&str, &str); 3] = [
    ("statement_timeout", "5000"),
    ("lock_timeout", "4000"),
    ("idle_in_transaction_session_timeout", "10000"),
];
/// The oldest server that has what the feed needs, as `server_version_num`.
const OLDEST: i32 = 150_000;

/// Opens the database at `postgres://` and `rest`.
pub(crate) async fn open(rest: &str, migrate: Migrate) -> Result<Opened, OpenError> {
    let options = PgConnectOptions::from_str(&format!("postgres://{rest}")).map_err(|_| {
        OpenError::Malformed {
            scheme: "postgres",
            problem: "has an invalid URL",
            remedy: "use postgres://USER:PASSWORD@HOST:PORT/DATABASE",
        }
    })?;
    let options = options
        .application_name("castellan")
        .options(PATIENCE)
        .options([("default_transaction_isolation", "read committed")])
        // Every statement of ours reads a few rows. Where the planner is wrong about that, compiling
        // one takes thousands of times what it takes to run.
        .options([("jit", "off")])
        .disable_statement_logging();
    let connections = Connections::new(options);
    let mut line = connections.line().await.map_err(unreachable)?;
    let (format_state, database) = prepare(&mut line, migrate).await?;
    line.settle(Ok(())).ok();
    let postgres = Postgres { connections, database, format_state };
    Ok(Opened { store: Arc::new(Limiter::before(postgres, CONNECTIONS)), format_state })
}

/// Makes or checks the tables; how far they are, and what tells this database from every other.
async fn prepare(
    connection: &mut PgConnection,
    migrate: Migrate,
) -> Result<(FormatState, String), OpenError> {
    let server: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut *connection)
        .await
        .map_err(unreachable)?;
    if server < OLDEST {
        return Err(OpenError::server(
            "postgres",
            format!("is version {}, but PostgreSQL 15 or newer is required", server / 10_000),
            "upgrade it",
        ));
    }
    format::bring(connection, migrate).await
}
