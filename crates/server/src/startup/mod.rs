//! From a configuration to a running server.

pub mod assemble;
pub(crate) mod data_source;
pub mod listener;
pub(crate) mod tls_files;
