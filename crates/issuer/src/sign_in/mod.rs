//! How people prove who they are.

pub mod password;
pub mod setup;
