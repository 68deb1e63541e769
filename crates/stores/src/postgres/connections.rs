//! The connections of one node. How many there are at most is the limiter's business.
//!
//! The library's own pool tests a connection after every use, which costs a round trip as expensive
//! as the operation; here a connection proves itself by being used.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
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
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Idle connections, the one used last at the end.
    connections: Vec<(PgConnection, Instant)>,
    /// How often a connection was found broken. Connections opened before the last time are
    /// considered broken and are not put back.
    breaks: u64,
}

/// A connection in use. If it is dropped without [`Line::settle`], it is closed: the state in which
/// an abandoned operation left it is unknown.
pub(super) struct Line<'a> {
    home: &'a Connections,
    connection: PgConnection,
    /// [`Idle::breaks`] when it was taken or opened.
    breaks: u64,
}

impl Connections {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, idle: Mutex::default() }
    }

    /// A connection, a new one if none is idle.
    pub(super) async fn line(&self) -> Result<Line<'_>, DriverError> {
        let (idle, breaks) = self.idle_one();
        if let Some(connection) = idle {
            return Ok(Line { home: self, connection, breaks });
        }
        let connection = timeout(CONNECT, self.options.connect()).await;
        let connection = connection.map_err(|_| DriverError::Unanswered)??;
        Ok(Line { home: self, connection, breaks })
    }

    fn idle_one(&self) -> (Option<PgConnection>, u64) {
        let mut idle = self.lock();
        let stale = idle.connections.partition_point(|(_, since)| since.elapsed() > IDLE);
        idle.connections.drain(..stale);
        (idle.connections.pop().map(|(connection, _)| connection), idle.breaks)
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line<'_> {
    /// Hands on what came of a verb, and the connection to the next one if it still is one.
    pub(super) fn settle<T>(self, came: Result<T, DriverError>) -> Result<T, StoreError> {
        let Self { home, connection, breaks } = self;
        let mut idle = home.lock();
        match &came {
            // The other connections are no better, including those in use: after a failover each
            // would have to be found out by a failing request. One that was opened since is judged
            // separately.
            Err(fault) if fault.breaks_the_line() && breaks == idle.breaks => {
                idle.breaks += 1;
                idle.connections.clear();
            }
            Err(fault) if fault.breaks_the_line() => {}
            _ if breaks == idle.breaks => idle.connections.push((connection, Instant::now())),
            _ => {}
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
