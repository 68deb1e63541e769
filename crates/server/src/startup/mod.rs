//! From a configuration to a running server.

pub(crate) mod data_source;
pub mod listener;
