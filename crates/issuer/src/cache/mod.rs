//! What a node remembers of the store, and when it stops counting.

pub mod auth_configs;
pub mod liveness;
pub(crate) mod policies;
pub(crate) mod records;
pub mod roles;
pub mod scope_texts;
pub(crate) mod verdicts;
pub(crate) mod whole;
