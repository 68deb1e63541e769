//! Everything with a socket, a file or a screen.
//!
//! A request passes the corridor ([`corridor`]): access log entry, normalised path, site; then one of
//! our own routes ([`http`]) handles it, or a guard ([`guards`]) with the gate and an API behind it.

pub mod app;
mod background;
pub mod cli;
pub mod config;
pub mod corridor;
pub mod dialects;
pub mod file_handles;
mod files;
pub mod guards;
pub mod http;
mod http_client;
mod logging;
mod management_schemas;
mod messages;
mod metrics;
mod observers;
#[cfg(test)]
mod reference;
mod roots;
mod sample_api;
pub mod startup;
mod traces;
mod wire;
mod yaml;

mod clock;
mod pages;
mod texts;
mod theme;
