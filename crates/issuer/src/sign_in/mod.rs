//! How people prove who they are.

pub mod setup;
