//! Finds the database, makes or checks its indexes, and sets connections up.

use std::{sync::Arc, time::Duration};

use ::mongodb::{
    Client, Collection, Database, IndexModel,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    options::{
        ClientOptions, ConnectionString, IndexOptions, ReadConcern, ReadPreference,
        SelectionCriteria, WriteConcern,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Mongo,
    authorities::Authorities,
    error::{DriverError, is_duplicate},
    feed::FeedLog,
};
use crate::{
    OpenError, Opened,
    format_state::{FormatState, Migrate, Prepared, Unusable, too_new},
    limiter::Limiter,
};

/// The format that this build writes. The second has the collections of the first: it only keeps
/// those out that could not read every record.
const NEWEST: u64 = 2;
/// The collection that describes the database.
const META: &str = "castellan_meta";
/// How long a verb waits for a server, and for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The interval of checks of a server, and so the time until one that has recovered is used again.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Connections of one node at most.
const CONNECTIONS: u32 = 32;
/// The database that is used if the address names none.
const DEFAULT: &str = "castellan";

/// What is wrong with an address that does not read. The driver's words repeat parts of it.
const MALFORMED: OpenError = OpenError::Malformed {
    scheme: "mongodb",
    problem: "has an invalid URL or an unknown parameter",
    remedy: "use mongodb://USER:PASSWORD@HOST:PORT/DATABASE",
};

/// Reads `rest` without connecting, and without asking for the hosts that a name stands for.
pub(crate) fn check(scheme: &'static str, rest: &str) -> Result<(), OpenError> {
    ConnectionString::parse(format!("{scheme}://{rest}")).map(drop).map_err(|_| MALFORMED)
}

/// Opens the database at `mongodb://` and `rest`. The authorities in `roots`, in PEM, are trusted
/// besides the public ones.
pub(crate) async fn open(
    scheme: &'static str,
    rest: &str,
    migrate: Migrate,
    roots: &str,
) -> Result<Opened, OpenError> {
    check(scheme, rest)?;
    let place = place(scheme, rest);
    let options = ClientOptions::parse(format!("{scheme}://{rest}")).await;
    let mut options = options.map_err(|error| match &*error.kind {
        // The name of a cluster stands for hosts, which are looked up at once.
        ErrorKind::DnsResolve { .. } => OpenError::server(
            "mongodb",
            "has a name that cannot be resolved",
            "check the name, and that this machine can look up SRV records",
        )
        .at(&place)
        .because(error),
        _ => MALFORMED,
    })?;
    options.app_name = Some("castellan".to_owned());
    options.server_selection_timeout.get_or_insert(PATIENCE);
    options.connect_timeout.get_or_insert(PATIENCE);
    options.heartbeat_freq.get_or_insert(HEARTBEAT);
    options.max_pool_size.get_or_insert(CONNECTIONS);
    let authorities = Authorities::for_client(&mut options, roots)?;
    // What was acknowledged outlives the loss of a member, and is what everybody reads.
    options.write_concern = Some(WriteConcern::majority());
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    let name = options.default_database.clone().unwrap_or_else(|| DEFAULT.to_owned());
    let client = Client::with_options(options).map_err(|error| unreachable(error).at(&place))?;
    let at = client.database(&name);
    let prepared = prepare(&at, migrate).await.map_err(|error| error.at(&place))?;
    let Prepared { format_state, database, is_new } = prepared;
    let notices = at.collection("castellan_feed");
    let mongo = Mongo {
        records: at.collection("castellan_records"),
        feed: FeedLog { notices, meta: at.collection(META), database },
        place: at,
        format_state,
        _authorities: authorities,
    };
    let store = Arc::new(Limiter::before(mongo, CONNECTIONS as usize));
    Ok(Opened { store, format_state, is_new, place })
}

/// The hosts and the database of an address that reads, without user and password: as the driver does,
/// who takes the last `@` before the parameters for their end.
fn place(scheme: &str, rest: &str) -> String {
    let before_parameters = rest.split_once('?').map_or(rest, |(before, _)| before);
    let hosts = before_parameters.rsplit_once('@').map_or(before_parameters, |(_, hosts)| hosts);
    format!("{scheme}://{hosts}")
}

/// Creates or checks the indexes.
async fn prepare(place: &Database, migrate: Migrate) -> Result<Prepared, OpenError> {
    let meta: Collection<Document> = place.collection(META);
    let found = meta.find_one(doc! { "_id": "castellan" }).await.map_err(unreachable)?;
    let is_new = found.is_none();
    let found = match found {
        Some(found) => found,
        None if !migrate.creates() => {
            return Err(OpenError::missing(
                "has no Castellan collections yet",
                "run `castellan migrate` to create them, or check the name of the database",
            ));
        }
        None => {
            make(place).await.map_err(refused)?;
            let new = doc! {
                "_id": "castellan",
                "format": number(NEWEST),
                "database": URL_SAFE_NO_PAD.encode(castellan_proto::random::<12>()),
            };
            match meta.insert_one(&new).await {
                Ok(_) => new,
                // Another node was faster.
                Err(error) if is_duplicate(&error) => {
                    let found = meta.find_one(doc! { "_id": "castellan" }).await;
                    found.map_err(refused)?.unwrap_or(new)
                }
                Err(error) => return Err(refused(error)),
            }
        }
    };
    let mut format = format_of(&found);
    if format > NEWEST {
        let Unusable { problem, remedy } = too_new(format, NEWEST);
        return Err(OpenError::server("mongodb", problem, remedy));
    }
    if format < NEWEST && migrate >= Migrate::Finish {
        let narrow = doc! { "$set": { "format": number(NEWEST) } };
        meta.update_one(doc! { "_id": "castellan" }, narrow).await.map_err(refused)?;
        format = NEWEST;
    }
    let database = found.get_str("database").unwrap_or_default().to_owned();
    let format_state = FormatState { format, newest: NEWEST };
    Ok(Prepared { format_state, database, is_new })
}

fn number(format: u64) -> i64 {
    i64::try_from(format).unwrap_or(i64::MAX)
}

fn format_of(meta: &Document) -> u64 {
    meta.get_i64("format").ok().and_then(|format| u64::try_from(format).ok()).unwrap_or(u64::MAX)
}

/// Whether builds of a format before still work with the database.
pub(super) async fn admits_older(place: &Database) -> Result<bool, DriverError> {
    let meta: Collection<Document> = place.collection(META);
    let found = meta.find_one(doc! { "_id": "castellan" }).await?;
    Ok(found.is_none_or(|found| format_of(&found) < NEWEST))
}

/// Makes the indexes. Done again, it changes nothing.
async fn make(place: &Database) -> Result<(), Error> {
    let records: Collection<Document> = place.collection("castellan_records");
    let index =
        |keys, options: IndexOptions| IndexModel::builder().keys(keys).options(options).build();
    let unique = IndexOptions::builder().unique(true).build();
    records.create_index(index(doc! { "n": 1 }, unique)).await?;
    records.create_index(index(doc! { "e": 1 }, IndexOptions::default())).await?;
    // Housekeeping by the server, where it has that; our own sweep does the same.
    let soon = IndexOptions::builder().expire_after(Duration::ZERO).build();
    if let Err(error) = records.create_index(index(doc! { "x": 1 }, soon)).await {
        tracing::info!(%error, "this server does not support TTL indexes; Castellan deletes \
                                expired records itself");
    }
    Ok(())
}

/// The server does not respond, or refuses the connection.
fn unreachable(error: Error) -> OpenError {
    let (problem, remedy) = match &*error.kind {
        ErrorKind::Authentication { .. } => {
            ("rejects this user", "check user, password and authSource")
        }
        ErrorKind::InvalidTlsConfig { .. } => {
            ("has a problem with TLS", "check tlsCAFile and tls.roots")
        }
        _ => ("does not respond", "check host and port, and that it is running"),
    };
    OpenError::server("mongodb", problem, remedy).because(error)
}

/// The server responds and denies access.
fn refused(error: Error) -> OpenError {
    OpenError::server(
        "mongodb",
        "refused to create or read the collections of Castellan",
        "give this user the role readWrite on its database",
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_neither_user_nor_password() {
        for (rest, wanted) in [
            ("ann:tiger@h.example:27018/d?tls=true", "mongodb://h.example:27018/d"),
            ("ann:t%40ger@a,b:2/d", "mongodb://a,b:2/d"),
            ("h", "mongodb://h"),
            ("ann:tiger@h?tls=true", "mongodb://h"),
        ] {
            assert!(check("mongodb", rest).is_ok(), "{rest}");
            assert_eq!(place("mongodb", rest), wanted);
        }
    }
}
