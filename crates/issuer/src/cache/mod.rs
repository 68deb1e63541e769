//! What a node remembers of the store, and when it stops counting.

pub mod liveness;
pub(crate) mod records;
pub(crate) mod verdicts;
