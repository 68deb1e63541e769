//! Everything with a socket, a file or a screen.
//!
//! A request walks one corridor ([`corridor`]): trail, normalised path, then either one of our own
//! routes ([`http`]) or a guard ([`guards`]) with the gate and an API behind it.

pub mod app;
pub mod cli;
pub mod config;
pub mod corridor;
pub mod dialects;
pub mod guards;
pub mod http;
pub mod listener;

mod archive;
mod clock;
mod data;
mod documents;
mod egress;
mod housekeeping;
mod origins;
mod pages;
mod teller;
mod wire;
