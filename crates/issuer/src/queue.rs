//! How full a queue of this process is.

/// What waits in a queue with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLength {
    /// How many wait.
    pub waiting: usize,
    /// How many may.
    pub limit: usize,
}
