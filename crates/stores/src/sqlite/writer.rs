//! The one writer: takes every job that waits, commits them together, and only then answers.
//!
//! A commit costs one wait for the disk however many jobs it contains, so under load each job costs
//! less.

use std::sync::Arc;

use castellan_issuer::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::error::{DriverError, shared};
use super::file;
use super::patience::patiently;
use super::workers::{Queue, Workers};

/// Maximum number of jobs in one commit, so that the first does not wait too long for the last.
const BATCH: usize = 256;

/// The writer's thread.
pub(super) struct Writer(Workers<Box<dyn Job>>);

/// A write, and the caller that waits for it.
trait Job: Send {
    /// Writes it, as a part of the open transaction.
    fn run(&mut self, connection: &Connection) -> Result<(), DriverError>;

    /// Sends the caller the result, or that the transaction failed.
    fn answer(self: Box<Self>, failure: Option<&Arc<DriverError>>);
}

struct Pending<W, T> {
    /// `None` once it ran.
    work: Option<W>,
    /// `None` until it ran.
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> Job for Pending<W, T>
where
    W: FnOnce(&Connection) -> Result<T, DriverError> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), DriverError> {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(connection)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&Arc<DriverError>>) {
        let answer = match (failure, self.outcome) {
            (Some(fault), _) => Err(shared(fault)),
            (None, Some(outcome)) => Ok(outcome),
            (None, None) => Err(DriverError::Ended.into()),
        };
        // The caller may have gone away; what was written stays written.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread, which owns `connection` from here on, and one beside it that moves the log
    /// to the file over `mover`.
    pub(super) fn start(connection: Connection, mover: Connection) -> Result<Self, DriverError> {
        let checkpoints = Checkpoints::start(&connection, mover)?;
        let hand = move |queue: Queue<Box<dyn Job>>| work(connection, checkpoints, &queue);
        Ok(Self(Workers::start("sqlite-writer", vec![hand])?))
    }

    /// Runs `work` in a transaction, with others. The answer comes when it is on disk.
    ///
    /// Runs to its end even if the caller stops waiting.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.hand(Box::new(Pending { work: Some(work), outcome: None, reply })).await?;
        answer.await.unwrap_or_else(|_| Err(DriverError::Ended.into()))
    }
}

/// What the thread does until the store is dropped.
fn work(connection: Connection, mut checkpoints: Checkpoints, queue: &Queue<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.next_many(&mut batch, BATCH) > 0 {
        let failure = commit(&connection, &mut batch).err().map(Arc::new);
        for job in batch.drain(..) {
            job.answer(failure.as_ref());
        }
        checkpoints.after_commit(&connection);
    }
    drop(checkpoints);
    file::close(connection);
}

/// Runs and commits every job of `batch`, or none.
fn commit(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), DriverError> {
    let done = begin_run_commit(connection, batch);
    if !connection.is_autocommit() {
        // The answer is an error already. If this fails too, so will the next BEGIN.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn begin_run_commit(
    connection: &Connection,
    batch: &mut [Box<dyn Job>],
) -> Result<(), DriverError> {
    // IMMEDIATE: what is read in the transaction is what will be written over, in every process.
    patiently(|| connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]))?;
    for job in batch {
        job.run(connection)?;
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
