//! The management APIs over GraphQL (`docs/contracts/curity.md`).

mod access;
mod granted;
mod managers;
pub mod support;
