//! Threads that read, each over a connection of its own that cannot write.

use castellan_issuer::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::DriverError;
use super::workers::{Queue, Workers};

type Job = Box<dyn FnOnce(&mut Reader) + Send>;

/// Reads that a thread takes at a time: to hand one over costs more than to read a record. Few, so
/// that the other threads have some as well.
const BATCH: usize = 8;

/// Some threads that share one queue of reads.
pub(super) struct Readers(Workers<Job>);

/// What one reading thread has.
pub(super) struct Reader {
    connection: Connection,
    /// Where the feed ended when this connection last looked.
    pub(super) mark: Option<Mark>,
}

/// Where the feed ended when a connection last looked.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// SQLite's `data_version`: the same as long as no other connection has committed.
    pub(super) data_version: i64,
    pub(super) end: i64,
}

impl Reader {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Readers {
    /// Starts `count` threads over what `open` opens.
    pub(super) fn start(
        count: usize,
        open: impl Fn() -> rusqlite::Result<Connection>,
    ) -> Result<Self, DriverError> {
        let hand = || -> rusqlite::Result<_> {
            let mut reader = Reader { connection: open()?, mark: None };
            Ok(move |queue: Queue<Job>| {
                let mut batch = Vec::with_capacity(BATCH);
                while queue.next_many(&mut batch, BATCH) > 0 {
                    batch.drain(..).for_each(|job| job(&mut reader));
                }
            })
        };
        let hands = (0..count).map(|_| hand()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Workers::start("sqlite-reader", hands)?))
    }

    /// Runs `work` on the next free thread. It sees everything acknowledged before the call.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reader) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = move |reader: &mut Reader| {
            // Who has stopped waiting while it was queued needs no answer.
            if !reply.is_closed() {
                let _ = reply.send(work(reader));
            }
        };
        self.0.hand(Box::new(job)).await?;
        Ok(answer.await.unwrap_or(Err(DriverError::Ended))?)
    }
}
