//! SCIM 2.0 (`docs/scim.md`, RFC 7643, RFC 7644).

mod bulk;
mod discovery;
mod groups;
mod lists;
mod nodes;
mod patches;
mod rights;
pub mod support;
mod users;
