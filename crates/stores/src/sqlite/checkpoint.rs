//! Moves the content of the log to the file, beside the commits and not within them.
//!
//! By default SQLite moves all of it within the commit that makes the log too long, and everybody
//! who waits for that commit waits for the move. Here a separate connection moves the bulk while
//! the writer continues; between two commits the writer moves the little that was added since, and
//! then the log starts again.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use super::error::DriverError;

/// Pages of the log from which on they are moved, as many as SQLite has by default.
const LONG: i32 = 1_000;
/// Pages above which the writer no longer waits for others: 64 MiB.
const TOO_LONG: i32 = 16_384;

thread_local! {
    /// Pages of the log after the last commit of this thread.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// When to move what. It lives in the writer's thread.
pub(super) struct Checkpoints {
    /// `None` only while it is dropped.
    ask: Option<SyncSender<()>>,
    /// The bulk has been moved.
    moved: Arc<AtomicBool>,
    underway: bool,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread that moves the bulk over `aside`.
    pub(super) fn start(writer: &Connection, aside: Connection) -> Result<Self, DriverError> {
        writer.wal_hook(Some(|_, pages| {
            PAGES.set(pages);
            Ok(())
        }));
        let (ask, asked) = mpsc::sync_channel(1);
        let moved = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&moved);
        let work = move || {
            while asked.recv().is_ok() {
                move_pages(&aside);
                done.store(true, Ordering::Release);
            }
        };
        let thread = thread::Builder::new().name("sqlite-mover".to_owned()).spawn(work);
        let thread = Some(thread.map_err(DriverError::Thread)?);
        Ok(Self { ask: Some(ask), moved, underway: false, thread })
    }

    /// To be called between two commits.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = PAGES.get();
        if self.moved.swap(false, Ordering::AcqRel) {
            self.underway = false;
            move_pages(writer);
        } else if pages >= TOO_LONG {
            move_pages(writer);
        } else if pages >= LONG && !self.underway {
            self.underway = self.ask.as_ref().is_some_and(|ask| ask.try_send(()).is_ok());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        // Closing the channel ends the thread.
        self.ask = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that moves the log had panicked");
        }
    }
}

/// Moves as much as possible without waiting. Nothing is lost if it fails: the log is as durable as
/// the file.
fn move_pages(connection: &Connection) {
    let moved = connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)");
    if let Err(error) = moved.and_then(|mut pragma| pragma.query_row([], |_| Ok(()))) {
        tracing::debug!(%error, "could not checkpoint the write-ahead log");
    }
}
