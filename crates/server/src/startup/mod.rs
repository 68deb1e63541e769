//! From a configuration to a running server.

pub mod assemble;
pub(crate) mod data_source;
mod error;
mod issuers;
pub mod listener;
mod measured;
pub(crate) mod tls_files;
