//! The example `jose`, held to vectors of others and to a matrix of our own.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod example;
mod forge;
mod keys;
mod published;
mod refusals;
mod wycheproof;
