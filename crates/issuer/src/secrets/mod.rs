//! What may be kept as a password or secret, and what older versions kept that lets nobody in.

pub mod credential_policy;
pub mod hashing;
pub mod imported;
pub mod policy;
pub mod totp;
