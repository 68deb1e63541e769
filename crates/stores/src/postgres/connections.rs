//! The connections of one node. How many there are at most is the limiter's business.
//!
//! The library's own pool looks at a connection after every use, which costs a round trip as dear as
//! the verb; here a connection is proven by being used.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use castellan_issuer::store::StoreError;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use super::error::DriverError;

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Whatever lay idle for so long may have been forgotten by something in between.
const IDLE: Duration = Duration::from_mins(2);

pub(super) struct Connections {
    options: PgConnectOptions,
    /// Those that nobody uses, the one used last at the end.
    idle: Mutex<Vec<(PgConnection, Instant)>>,
}

/// A connection in use. Dropped without [`Line::settle`], it is closed: nobody knows in what state
/// a verb left it that was given up.
pub(super) struct Line<'a> {
    home: &'a Connections,
    connection: PgConnection,
}

impl Connections {
    pub(super) const fn new(options: PgConnectOptions) -> Self {
        Self { options, idle: Mutex::new(Vec::new()) }
    }

    /// A connection, a new one if none is idle.
    pub(super) async fn line(&self) -> Result<Line<'_>, DriverError> {
        if let Some(connection) = self.idle_one() {
            return Ok(Line { home: self, connection });
        }
        let connection = timeout(CONNECT, self.options.connect()).await;
        let connection = connection.map_err(|_| DriverError::Unanswered)??;
        Ok(Line { home: self, connection })
    }

    fn idle_one(&self) -> Option<PgConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = idle.partition_point(|(_, since)| since.elapsed() > IDLE);
        idle.drain(..stale);
        idle.pop().map(|(connection, _)| connection)
    }
}

impl Line<'_> {
    /// Hands on what came of a verb, and the connection to the next one if it still is one.
    pub(super) fn settle<T>(self, came: Result<T, DriverError>) -> Result<T, StoreError> {
        let Self { home, connection } = self;
        let mut idle = home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match &came {
            // The others are no better: they are found out at once, not one by one.
            Err(fault) if fault.breaks_the_line() => idle.clear(),
            _ => idle.push((connection, Instant::now())),
        }
        Ok(came?)
    }
}

impl Deref for Line<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Line<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
