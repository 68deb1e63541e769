//! Threads that do the jobs of one queue.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::error::DriverError;

/// Jobs that may wait before callers have to wait themselves.
const WAITING: usize = 1024;

/// Threads that share one queue. Dropping it waits until every job in the queue is done.
pub(super) struct Workers<J> {
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<J>>,
    threads: Vec<JoinHandle<()>>,
}

/// Where a worker gets its jobs.
pub(super) struct Queue<J>(Arc<Mutex<mpsc::Receiver<J>>>);

impl<J: Send + 'static> Workers<J> {
    /// Starts one thread named `name` for each of `hands`.
    pub(super) fn start<H: FnOnce(Queue<J>) + Send + 'static>(
        name: &str,
        hands: Vec<H>,
    ) -> Result<Self, DriverError> {
        let (jobs, queue) = mpsc::channel(WAITING);
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = Self { jobs: Some(jobs), threads: Vec::with_capacity(hands.len()) };
        for hand in hands {
            let queue = Queue(Arc::clone(&queue));
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || hand(queue));
            workers.threads.push(thread.map_err(DriverError::Thread)?);
        }
        Ok(workers)
    }

    /// Hands `job` to the next free thread; waits while the queue is full.
    pub(super) async fn hand(&self, job: J) -> Result<(), DriverError> {
        let jobs = self.jobs.as_ref().ok_or(DriverError::Ended)?;
        jobs.send(job).await.map_err(|_| DriverError::Ended)
    }
}

impl<J> Drop for Workers<J> {
    fn drop(&mut self) {
        // Closing the queue ends the threads.
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the data source had panicked");
            }
        }
    }
}

impl<J> Queue<J> {
    /// All jobs that wait, at most `most` and at least one, once there is one. None at all when
    /// there will be no more.
    pub(super) fn next_many(&self, batch: &mut Vec<J>, most: usize) -> usize {
        // The thread that waits for a job has the lock and the others wait for the lock: each job
        // wakes one thread.
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.blocking_recv_many(batch, most)
    }
}
