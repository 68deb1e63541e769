//! Tokens: their content, how they are made, and whether they are still valid.

pub mod claims;
pub(crate) mod dependencies;
pub mod diagnosis;
pub mod dpop;
pub mod family;
pub(crate) mod groups;
pub mod mint;
pub mod verified;
pub mod verify;
