//! The management APIs over GraphQL (`docs/contracts/curity.md`).

mod access;
mod database_clients;
mod granted;
mod managers;
pub mod support;
