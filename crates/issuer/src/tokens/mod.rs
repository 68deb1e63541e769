//! Tokens: what they say, how they are made, and whether they still hold.

pub mod claims;
pub(crate) mod dependencies;
pub mod dpop;
pub mod family;
pub mod mint;
pub mod verified;
pub mod verify;
