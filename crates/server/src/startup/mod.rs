//! From a configuration to a running server.

pub mod assemble;
pub(crate) mod data_source;
mod error;
pub(crate) mod file_rights;
mod issuers;
pub mod listener;
mod measured;
pub(crate) mod observers;
pub(crate) mod tls_files;
