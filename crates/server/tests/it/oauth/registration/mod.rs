//! Dynamic client registration (RFC 7591, RFC 7592, `docs/contracts/curity.md` §§8.1 and 12).

mod machines;
mod managed;
mod metadata;
mod names;
mod registrants;
mod statements;
pub mod support;
mod templates;
mod untrusted;
