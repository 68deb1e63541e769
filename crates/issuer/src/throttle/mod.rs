//! Limits on guessing, per account and per source.

pub(crate) mod begun;
pub(crate) mod per_account;
pub(crate) mod per_secret;
pub(crate) mod per_source;
