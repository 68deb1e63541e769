//! The management APIs over GraphQL (`docs/contracts/curity.md`).

mod access;
mod granted;
pub mod support;
