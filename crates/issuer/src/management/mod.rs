//! What the management APIs do (`docs/contracts/curity.md`), without GraphQL: typed operations over
//! the same records and rules as those of [`crate::resources`].

pub mod clients;
