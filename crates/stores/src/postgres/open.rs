//! Finds the database, makes or checks its tables, and sets connections up.

use std::{str::FromStr as _, sync::Arc};

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use url::Url;

use super::{Postgres, connections::Connections, error::unreachable, format};
use crate::{
    OpenError, Opened,
    format_state::{Migrate, Prepared},
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

/// The parameters that the driver acts upon. It passes over others with a warning, and then `sslmod`
/// connects without TLS. What is set here whatever the URL says, such as `application_name`, is none.
const PARAMETERS: [&str; 15] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
];

/// Reads `rest` without connecting.
pub(crate) fn check(rest: &str) -> Result<(), OpenError> {
    options(rest).map(drop)
}

fn options(rest: &str) -> Result<PgConnectOptions, OpenError> {
    let malformed = || OpenError::Malformed {
        scheme: "postgres",
        problem: "has an invalid URL",
        remedy: "use postgres://USER:PASSWORD@HOST:PORT/DATABASE",
    };
    let url = Url::parse(&format!("postgres://{rest}")).map_err(|_| malformed())?;
    let query = url.query().unwrap_or_default();
    // A password that holds a `?` goes on there, and one that holds a `/` in the path: then what reads
    // as the host is the user.
    if query.contains('@') || url.path().contains('@') || url.fragment().is_some() {
        return Err(OpenError::Malformed {
            scheme: "postgres",
            problem: "has a URL whose password or parameters contain /, ?, # or @",
            remedy: "write them as %2F, %3F, %23 and %40",
        });
    }
    let mut seen = Vec::new();
    for (name, _) in url.query_pairs() {
        let is_known = PARAMETERS.contains(&&*name)
            || matches!(&*name, "password" | "options")
            || (name.starts_with("options[") && name.ends_with(']'));
        if !is_known || seen.contains(&name) {
            return Err(OpenError::Parameter {
                scheme: "postgres",
                name: name.chars().take(40).collect(),
                problem: if is_known { "occurs twice" } else { "is not known" },
                known: PARAMETERS.join(", ") + ", password, options",
            });
        }
        seen.push(name);
    }
    PgConnectOptions::from_str(url.as_str()).map_err(|_| malformed())
}

/// The parameters, and the variable, that name a file with authorities.
const ROOT_PARAMETERS: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];
const ROOT_VARIABLE: &str = "PGSSLROOTCERT";

/// Whether `rest` or the environment names a file with authorities, which then counts alone.
fn names_roots(rest: &str) -> bool {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let mut names = url::form_urlencoded::parse(query.as_bytes());
    names.any(|(name, _)| ROOT_PARAMETERS.contains(&&*name))
        || std::env::var_os(ROOT_VARIABLE).is_some()
}

/// Opens the database at `postgres://` and `rest`. Where its certificate is verified, the authorities
/// in `roots`, in PEM, are trusted besides the public ones.
pub(crate) async fn open(rest: &str, migrate: Migrate, roots: &str) -> Result<Opened, OpenError> {
    let mut options = options(rest)?;
    if !roots.is_empty() && !names_roots(rest) {
        options = options.ssl_root_cert_from_pem(roots.as_bytes().to_vec());
    }
    let options = options
        .application_name("castellan")
        .options(PATIENCE)
        .options([("default_transaction_isolation", "read committed")])
        // Every statement of ours reads a few rows. Where the planner is wrong about that, compiling
        // one takes thousands of times what it takes to run.
        .options([("jit", "off")])
        .disable_statement_logging();
    let place = place(&options);
    let connections = Connections::new(options);
    let mut line = connections.line().await.map_err(|error| unreachable(error).at(&place))?;
    let prepared = prepare(&mut line, migrate).await.map_err(|error| error.at(&place))?;
    line.settle(Ok(())).ok();
    let Prepared { format_state, database, is_new } = prepared;
    let postgres = Postgres { connections, database, format_state };
    let store = Arc::new(Limiter::before(postgres, CONNECTIONS));
    Ok(Opened { store, format_state, is_new, place })
}

/// Where `options` lead, variables such as `PGHOST` included, without user and password.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().map(|name| format!("/{name}")).unwrap_or_default();
    let (host, port) = (options.get_host(), options.get_port());
    let socket = options.get_socket().map(|path| path.display().to_string());
    match socket.or_else(|| host.starts_with('/').then(|| host.to_owned())) {
        Some(folder) => format!("postgres://{database} (socket in {folder}, port {port})"),
        None => format!("postgres://{host}:{port}{database}"),
    }
}

/// Makes or checks the tables.
async fn prepare(connection: &mut PgConnection, migrate: Migrate) -> Result<Prepared, OpenError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_nothing_acts_upon_is_refused_by_name() {
        let refusal = |rest: &str| check(rest).map_err(|error| error.to_string());
        for good in [
            "a:b@h/d",
            "h",
            "a:b@h:5432/d?sslmode=require&sslrootcert=/x.pem",
            "a@h/d?options[search_path]=x&host=/var/run",
        ] {
            assert_eq!(refusal(good), Ok(()), "{good}");
        }
        let said = refusal("a:tiger@h/d?sslmod=require").unwrap_err();
        assert!(said.starts_with("postgres:// has the parameter \"sslmod\", which is not known"));
        assert!(said.contains("sslmode") && !said.contains("tiger"), "{said}");
        for (rest, wanted) in [
            ("a:b@h/d?SSLMODE=require", "\"SSLMODE\", which is not known"),
            ("a:b@h/d?application_name=x", "\"application_name\", which is not known"),
            ("a:b@h/d?sslmode=require&sslmode=disable", "\"sslmode\", which occurs twice"),
            ("a:b@h/d?sslmode=requier", "invalid URL"),
            ("a:ti?ger@h/d", "invalid URL"),
            // What stands before the `?` reads as a host and a port.
            ("a:12?ger@h/d", "write them as"),
            ("a:12/ger@h/d", "write them as"),
            ("a:ti#ger@h/d", "invalid URL"),
            ("a:b@h:port/d", "invalid URL"),
        ] {
            let said = refusal(rest).unwrap_err();
            assert!(said.contains(wanted) && !said.contains("ger"), "{rest}: {said}");
        }
    }

    #[test]
    fn a_place_has_neither_user_nor_password() {
        for (rest, wanted) in [
            ("ann:tiger@db.example:6543/auth?sslmode=require", "postgres://db.example:6543/auth"),
            ("ann:tiger@[::1]/auth", "postgres://[::1]:5432/auth"),
            (
                "/auth?host=/run/postgresql&user=ann&password=tiger",
                "postgres:///auth (socket in /run/postgresql, port 5432)",
            ),
        ] {
            assert_eq!(place(&options(rest).unwrap()), wanted, "{rest}");
        }
    }
}
